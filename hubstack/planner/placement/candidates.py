# SPDX-License-Identifier: Apache-2.0
"""Which offers suit a model, and why the others do not.

Owns the candidates: offers that fit the model on every step of its capacity list. Does not own the engines' rules
(`hubstack.planner.placement.engine_rules`), the memory arithmetic (`hubstack.planner.memory.sizing`) or the choice
of a candidate (`hubstack.planner.placement.solver`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hubstack import names
from hubstack.catalog import Catalog, Engine, ExpertKernel, MachineType
from hubstack.inputs.models_schema import DEFAULT_RANK, RANKS, CapacityStep, Settings
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import EVERY_OTHER, AcceleratorKind, CapacityKind, EngineKind, GpuDriver
from hubstack.plan import MemoryNeed, Verdict
from hubstack.planner.engines.spec import EngineSpec
from hubstack.planner.memory import sizing
from hubstack.planner.memory.workload import EngineMemory, LoraSlots
from hubstack.planner.model.adapters import engine_rank, modality_adapters
from hubstack.planner.model.weights import declares_fp8_cache
from hubstack.planner.performance.predict import PlacedModel, serve_placed
from hubstack.planner.performance.traffic import Served, level_of
from hubstack.planner.placement.engine_rules import (
    Demand,
    breaks_gpu_rule,
    breaks_rule,
    engine_on,
    lacks_memory,
    needs_whole_experts,
)
from hubstack.planner.placement.offers import Offer

GIB = sizing.GIB
FP8_CACHE_SINCE = 8.9
"""Minimum compute capability for an 8-bit KV cache (vLLM 0.33.0, Triton backend)."""
BATCHES = (64, 128, 256, 32, 16, 8)
"""Batch limits to try for a model with known traffic."""
LARGER_STEPS = (8192,)
"""Tokens per step to try for such a model, besides the pinned value."""
DEARER = 2
"""Number of more expensive fitting offers to evaluate, so that the plan can show alternatives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the capacity list, with its machine."""

    asked: CapacityStep
    offer: Offer
    zones: tuple[str, ...]
    need: MemoryNeed
    driver: GpuDriver | None = None
    """NVIDIA driver of its nodes; None if it is GKE's latest, and on TPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to place a model."""

    steps: tuple[Step, ...]
    """One for each entry of the capacity list, first choice first."""
    offer: Offer
    """The offer of the first step."""
    verdict: Verdict
    """The least certain verdict of all steps."""
    load: sizing.Workload
    engine: Engine
    kind: EngineKind
    key: str
    """Key of the capacity class; servers with equal keys share nodes."""
    usd: float
    """USD per hour of one node of the first step, for comparison."""
    served: Served | None = None
    """What one server can serve of the requested traffic or service level; None if neither was requested."""
    doubts: tuple[str, ...] = ()
    """Why it is not certain to fit, on the first step where it is not."""

    def servers(self, settings: Settings) -> int:
        """Return the maximum number of servers: as requested, or as many as the traffic needs."""
        replicas = settings.replicas
        if settings.traffic is None or replicas.is_bounded or self.served is None:
            return replicas.max
        return max(self.served.replicas, replicas.min)

    @property
    def need(self) -> MemoryNeed:
        """Memory need on the first step."""
        return self.steps[0].need

    def alone(self, servers: int = 1) -> float:
        """Return USD per hour of this number of servers on nodes shared with no other model."""
        return self.usd * -(-self.offer.taken * servers // self.offer.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """An offer that was evaluated."""

    offer: Offer
    usd: float
    """USD per hour of one server on nodes of its own."""
    why_not: str | None = None
    memory_was_computed: bool = True
    """Whether memory was computed, so that `why_not` gives a figure."""
    verdict: Verdict | None = None
    doubts: tuple[str, ...] = ()
    """Why it is not certain to fit."""
    is_ruled_out: bool = False
    """Whether `why_not` is a rule that does not depend on memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Every way to place one model, cheapest on its own first, and all offers that were evaluated."""

    fitting: tuple[Candidate, ...]
    tried: tuple[Evaluated, ...]
    unsold: tuple[Offer, ...] = ()
    """If no single node suits: whole machines that the request allows and that are only sold in other ways."""
    without_image: tuple[str, ...] = ()
    """Requested accelerators of the region for which the engine has no image."""


class _Rule(str):
    """Why an offer is ruled out that would have the memory."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _EquivalentOffers:
    """Offers that differ only in the machine around the accelerators, so that a model is sized once for all."""

    offers: tuple[Offer, ...]
    """The offers, cheapest first."""
    usd: float
    """USD per hour of one server of the cheapest offer, on full nodes."""


class CandidateFinder:
    """Finds candidates for models among the offers of one target."""

    def __init__(self, offers: Iterable[Offer], catalog: Catalog, target: StackSettings) -> None:
        self._offers, self._catalog, self._target = tuple(offers), catalog, target
        self._sorted: dict[tuple[CapacityKind, frozenset[str]], tuple[_EquivalentOffers, ...]] = {}
        self._keys: dict[tuple[object, ...], str] = {}

    def find_candidates(self, demand: Demand, only: frozenset[str] = frozenset()) -> Candidates:
        """Return the ways to place one model; `fitting` is empty if none fits.

        The search stops when all further offers cost more, even on full nodes, than those found. With `only`, it
        evaluates exactly these machine types, whatever they cost.
        """
        found: list[Candidate] = []
        tried: list[Evaluated] = []
        best, more_expensive = float("inf"), 0
        wanted = {a.id for word in demand.settings.accelerators if (a := self._catalog.accelerator(word))}
        for alike in self._equivalent_offers(demand.settings.capacity[0].kind, only):
            if alike.usd > best and more_expensive >= DEARER and not only:
                break
            if not _is_asked(alike.offers[0], demand, wanted):
                continue
            fits = self._evaluate_offers(alike.offers, demand, tried)
            found += fits
            sure = [c for c in fits if c.verdict is Verdict.FITS and c.offer.hosts == 1]
            if sure:
                more_expensive += best < float("inf")
                best = min(best, *(_price(c, demand.settings) for c in sure))
        fitting = _of_one_number(
            sorted(_most_certain(found), key=lambda c: _preference(c, demand.settings)), demand
        )
        on_one_node = any(candidate.offer.hosts == 1 for candidate in fitting)
        return Candidates(
            fitting=fitting,
            tried=tuple(sorted(tried, key=lambda t: (t.usd, t.offer.count, t.offer.machine.name))),
            unsold=() if on_one_node else self._unsold(demand, wanted),
            without_image=() if tried else self._without_image(demand, wanted),
        )

    def _unsold(self, demand: Demand, wanted: set[str]) -> tuple[Offer, ...]:
        kind = demand.settings.capacity[0].kind
        return tuple(
            offer
            for offer in self._offers
            if (offer.accelerator.id in wanted or not wanted)
            and not offer.machine.is_sold_as(kind)
            and offer.is_whole_node
            and (runs := engine_on(offer.accelerator, demand, self._catalog))
            and breaks_rule(offer, demand, runs) is None
        )

    def _without_image(self, demand: Demand, wanted: set[str]) -> tuple[str, ...]:
        found = {
            offer.accelerator.id: offer.accelerator for offer in self._offers if offer.accelerator.id in wanted
        }
        return tuple(name for name, row in found.items() if engine_on(row, demand, self._catalog) is None)

    def _equivalent_offers(self, kind: CapacityKind, only: frozenset[str]) -> tuple[_EquivalentOffers, ...]:
        if (kind, only) not in self._sorted:
            groups: dict[tuple[object, ...], list[Offer]] = {}
            for offer in self._offers:
                if offer.machine.is_sold_as(kind) and (not only or offer.machine.name in only):
                    groups.setdefault(offer.alike, []).append(offer)
            made = [_group(offers, kind) for offers in groups.values()]
            ordered = sorted(made, key=lambda alike: (alike.usd, alike.offers[0].machine.name))
            self._sorted[kind, only] = tuple(ordered)
        return self._sorted[kind, only]

    def _evaluate_offers(self, offers: Sequence[Offer], demand: Demand, tried: list[Evaluated]) -> list[Candidate]:
        """Return the candidates among similar offers, and append every evaluated offer to `tried`."""
        first, kind = offers[0], demand.settings.capacity[0].kind
        runs = engine_on(first.accelerator, demand, self._catalog)
        if runs is None:
            return []
        why_not = breaks_rule(first, demand, runs)
        if why_not:
            usd = _alone(first, kind)
            tried.append(
                Evaluated(offer=first, usd=usd, why_not=why_not, memory_was_computed=False, is_ruled_out=True)
            )
            return []
        why_not = _weights_do_not_fit(first, demand, runs.spec.memory)
        if why_not:
            tried.append(
                Evaluated(offer=first, usd=_alone(first, kind), why_not=why_not, memory_was_computed=False)
            )
            return []
        load = _load(first, demand, runs.spec)
        need = self._size(first, load, demand, runs.spec.kind)
        states = sizing.max_states(need.kv_available_bytes, demand.geometry, load)
        if demand.settings.concurrency <= states < load.sequences:
            # A smaller batch can start even if the states of the pinned one do not all fit.
            load = replace(load, max_num_seqs=states)
            need = self._size(first, load, demand, runs.spec.kind)
        if need.verdict is Verdict.DOES_NOT_FIT:
            why_not = does_not_fit(need, demand)
            tried.append(Evaluated(offer=first, usd=_alone(first, kind), why_not=why_not))
            return []
        fit = self._fit_to_traffic(first, demand, runs.spec.kind, load, need)
        if isinstance(fit, str):
            tried.append(Evaluated(offer=first, usd=_alone(first, kind), why_not=fit))
            return []
        load, need, served = fit
        found: list[Candidate] = []
        for offer in offers:
            steps = lacks_memory(offer, demand) or self._steps(offer, demand, load, need, runs.spec.kind)
            if isinstance(steps, str):
                rule = isinstance(steps, _Rule)
                tried.append(
                    Evaluated(
                        offer=offer,
                        usd=_alone(offer, kind),
                        why_not=steps,
                        memory_was_computed=False,
                        is_ruled_out=rule,
                    )
                )
                continue
            unsure = next((step for step in steps if step.need.verdict is not Verdict.FITS), None)
            doubts = self._doubts(unsure, load, demand, runs.spec.kind) if unsure else ()
            candidate = Candidate(
                steps=steps,
                offer=offer,
                verdict=Verdict.UNCERTAIN if unsure else Verdict.FITS,
                load=load,
                engine=runs.engine,
                kind=runs.spec.kind,
                key=self._key(steps),
                usd=offer.usd(kind),
                served=served,
                doubts=doubts,
            )
            found.append(candidate)
            usd = candidate.alone()
            tried.append(Evaluated(offer=offer, usd=usd, verdict=candidate.verdict, doubts=doubts))
        return found

    def _fit_to_traffic(
        self, offer: Offer, demand: Demand, kind: EngineKind, load: sizing.Workload, need: MemoryNeed
    ) -> tuple[sizing.Workload, MemoryNeed, Served | None] | str:
        """Return the batch limits that serve the traffic with the fewest replicas, or why none can."""
        settings, level = demand.settings, level_of(demand.settings.slo)
        if settings.traffic is None and not level.is_asked:
            return load, need, None
        best: tuple[sizing.Workload, MemoryNeed, Served] | None = None
        why_not = ""
        for tried in _batch_limits(load, demand):
            sized = need if tried is load else self._size(offer, tried, demand, kind)
            if tried is not load and sized.verdict is not Verdict.FITS:
                continue
            engine = self._catalog.engine_at(kind, demand.settings.version_of(kind))
            where = placed(offer, tried, sized, demand, engine)
            served = serve_placed(where, settings.traffic, level)
            if isinstance(served, str):
                why_not = why_not or served
            elif best is None or served.replicas < best[2].replicas:
                best = tried, sized, served
        if best is None:
            return why_not
        most = settings.replicas
        if most.is_bounded and best[2].replicas > most.max:
            return f"needs {best[2].replicas} replicas for its traffic, but `replicas.max` is {most.max}"
        return best

    def _size(self, offer: Offer, load: sizing.Workload, demand: Demand, kind: EngineKind) -> MemoryNeed:
        return sizing.size_model(demand.weights, demand.geometry, self._device(offer, demand, kind), load)

    def _device(self, offer: Offer, demand: Demand, kind: EngineKind) -> sizing.Device:
        return _device(offer, self._catalog.expert_kernel(kind, demand.weights.expert_format, offer.accelerator))

    def _doubts(self, step: Step, load: sizing.Workload, demand: Demand, kind: EngineKind) -> tuple[str, ...]:
        device = self._device(step.offer, demand, kind)
        return sizing.why_uncertain(step.need, demand.geometry, device, load)

    def _key(self, steps: tuple[Step, ...]) -> str:
        signature = tuple((id(step.offer), step.asked) for step in steps)
        if signature not in self._keys:
            self._keys[signature] = self._own(class_key(steps))
        return self._keys[signature]

    def _own(self, key: str) -> str:
        """Return the key of a class; in a cluster that several stacks use, with the stack's name."""
        if self._target.cluster_settings is None:
            return key
        return names.shorten(f"{names.slug(self._target.stack)}-{key}", names.DNS_LABEL_MAX)

    def _steps(
        self, offer: Offer, demand: Demand, load: sizing.Workload, need: MemoryNeed, kind: EngineKind
    ) -> tuple[Step, ...] | str:
        """Return all steps of the capacity list if each fits, or why one does not."""
        steps: list[Step] = []
        for number, asked in enumerate(demand.settings.capacity, 1):
            on = self._other(offer, asked, demand) if asked.accelerator else offer
            if on is None:
                region = self._target.region
                wanted = f"{offer.count} x {asked.accelerator} in {region} is sold as {asked.kind}"
                return _Rule(f"step {number}: no machine type with {wanted} and can run the same pod")
            zones = tuple(zone for zone in on.zones if zone in asked.zones) if asked.zones else on.zones
            if not zones:
                return _Rule(f"step {number}: {on.machine.name} is not available in {', '.join(asked.zones)}")
            if unsold := _why_not_sold(on.machine, asked):
                return _Rule(f"step {number}: {unsold}")
            held = need
            if on is not offer:
                broken = self._step_breaks(on, offer, demand)
                if broken:
                    return _Rule(f"step {number}: {broken}")
                # Its pods have the flags of the first step.
                held = self._size(on, load, demand, kind)
                if held.verdict is Verdict.DOES_NOT_FIT:
                    return f"step {number}: on {on.machine.name} the model {does_not_fit(held, demand)}"
            steps.append(Step(asked=asked, offer=on, zones=zones, need=held, driver=self._driver(on)))
        return tuple(steps)

    def _driver(self, offer: Offer) -> GpuDriver | None:
        accelerator, drivers = offer.accelerator, self._target.gpu_drivers
        asked = drivers.get(accelerator.id, drivers.get(EVERY_OTHER))
        return None if accelerator.kind is not AcceleratorKind.GPU or asked is GpuDriver.LATEST else asked

    def _other(self, offer: Offer, asked: CapacityStep, demand: Demand) -> Offer | None:
        """Return the cheapest machine with the other accelerator that can run the same pod."""
        accelerator = self._catalog.accelerator(asked.accelerator or "")
        if accelerator is None or accelerator.id == offer.accelerator.id:
            return offer
        alike = [
            other
            for other in self._offers
            if other.accelerator.id == accelerator.id
            and other.machine.is_sold_as(asked.kind)
            and other.alike[1:] == offer.alike[1:]
            and lacks_memory(other, demand, floor=offer) is None
        ]
        return min(alike, default=None, key=lambda o: (_alone(o, asked.kind), o.machine.name))

    def _step_breaks(self, on: Offer, offer: Offer, demand: Demand) -> str | None:
        if on.accelerator.kind is not offer.accelerator.kind:
            return f"the same pod cannot run on both {offer.accelerator.name} and {on.accelerator.name}"
        first = engine_on(offer.accelerator, demand, self._catalog)
        if first is None:  # offers are evaluated only if they have an engine
            raise ValueError(f"no engine runs on {offer.accelerator.id}")
        there = engine_on(on.accelerator, demand, self._catalog)
        if not there or there.engine.image_for(on.accelerator.id) != first.engine.image_for(offer.accelerator.id):
            return f"{first.engine.id} uses a different image for {on.accelerator.name}"
        if on.accelerator.bf16_native != offer.accelerator.bf16_native:
            return f"{on.accelerator.name} and {offer.accelerator.name} need different dtypes"
        return breaks_gpu_rule(on.accelerator, demand, asked=True)


def _why_not_sold(machine: MachineType, asked: CapacityStep) -> str | None:
    """Return why a step of the capacity list does not buy this machine, or None if it does."""
    if asked.machine_type not in {None, machine.name, machine.gce_machine_type}:
        return f"{machine.name} is not the requested {asked.machine_type}"
    return None if machine.is_sold_as(asked.kind) else f"{machine.name} is not sold as {asked.kind}"


def _group(offers: list[Offer], kind: CapacityKind) -> _EquivalentOffers:
    ordered = sorted(offers, key=lambda o: (_alone(o, kind), o.machine.name))
    return _EquivalentOffers(tuple(ordered), min(o.usd(kind) * o.taken / o.units for o in ordered))


def _alone(offer: Offer, kind: CapacityKind) -> float:
    return offer.usd(kind) * -(-offer.taken // offer.units)


def _is_asked(offer: Offer, demand: Demand, wanted: set[str]) -> bool:
    if wanted and offer.accelerator.id not in wanted:
        return False
    if offer.servers_per_accelerator > 1 and not demand.settings.share_gpu:
        return False
    # The memory an engine sees on a fraction of a GPU is undocumented, so fractions are used only if requested.
    return offer.machine.accelerator_fraction is None or bool(wanted)


def _most_certain(found: list[Candidate]) -> list[Candidate]:
    """Keep the most certain kind: one node before several, and several before an uncertain fit."""
    for keep in (
        [c for c in found if c.verdict is Verdict.FITS and c.offer.hosts == 1],
        [c for c in found if c.verdict is Verdict.FITS],
    ):
        if keep:
            return keep
    return found


def _preference(candidate: Candidate, settings: Settings) -> tuple[float, int, int, str]:
    offer = candidate.offer
    usd = candidate.alone(candidate.servers(settings) if settings.traffic else 1)
    return (usd, offer.count * offer.hosts, offer.servers_per_accelerator, offer.machine.name)


def _price(candidate: Candidate, settings: Settings) -> float:
    """Return the price that further offers must not exceed, for one server or for all that the traffic needs."""
    servers = candidate.servers(settings)
    return candidate.alone(servers) / (1 if settings.traffic else servers)


def _of_one_number(ordered: list[Candidate], demand: Demand) -> tuple[Candidate, ...]:
    """Keep candidates with as many servers as the cheapest: the solver uses one replica count per model."""
    settings = demand.settings
    if settings.traffic is None:
        return tuple(ordered)
    return tuple(c for c in ordered if c.servers(settings) == ordered[0].servers(settings))


def _batch_limits(load: sizing.Workload, demand: Demand) -> Iterator[sizing.Workload]:
    """Yield the batch limits to try, starting with the pinned defaults."""
    yield load
    if demand.settings.traffic is None or demand.choice.pooling:
        return
    for tokens in (load.batch_tokens, *LARGER_STEPS):
        for sequences in BATCHES:
            if (sequences, tokens) != (load.sequences, load.batch_tokens) and sequences >= load.concurrency:
                yield replace(load, max_num_seqs=sequences, batch_tokens=tokens)


def placed(offer: Offer, load: sizing.Workload, need: MemoryNeed, demand: Demand, engine: Engine) -> PlacedModel:
    """Return the inputs for predicting the performance of a model on an offer."""
    kind = demand.settings.capacity[0].kind
    usd = offer.usd(kind) if offer.price(kind) else None  # under a commitment held, the price that it leaves
    return PlacedModel(
        facts=demand.facts,
        geometry=demand.geometry,
        weights=demand.weights,
        accelerator=offer.accelerator,
        accelerators=offer.count * offer.hosts,
        share=(offer.machine.accelerator_fraction or 1.0) / offer.servers_per_accelerator,
        engine=EngineKind(engine.id),
        engine_version=engine.version,
        servers_per_accelerator=offer.servers_per_accelerator,
        load=load,
        need=need,
        is_pooling=demand.choice.pooling,
        usd_per_hour=None if usd is None else usd * offer.taken / offer.units,
        measured=demand.measured,
    )


def _cache_dtype(offer: Offer, demand: Demand, spec: EngineSpec) -> str:
    """Return the requested KV cache dtype, or the one the checkpoint declares if the card supports it."""
    asked = demand.settings.kv_cache_dtype
    if asked != "auto" or spec.cache_without_fp8 is None or not declares_fp8_cache(demand.facts):
        return asked
    return "fp8" if (offer.accelerator.compute_capability or 0) >= FP8_CACHE_SINCE else spec.cache_without_fp8


def _load(offer: Offer, demand: Demand, spec: EngineSpec) -> sizing.Workload:
    settings, ranks, draft = demand.settings, offer.tensor_parallel, demand.draft
    method = settings.speculative.method if settings.speculative else None
    drafts = settings.speculative.tokens if settings.speculative and method != "ngram" else 0
    load = sizing.Workload(
        engine=spec.memory,
        # The memory of other engines is not known by version.
        engine_version=settings.version_of(spec.kind) if spec.memory.async_since else None,
        tensor_parallel=ranks,
        pipeline_parallel=offer.hosts,
        expert_parallel=bool(demand.geometry.experts)
        and (settings.expert_parallel or needs_whole_experts(ranks, demand)),
        context=demand.context,
        concurrency=settings.concurrency,
        kv_cache_dtype=_cache_dtype(offer, demand, spec),
        memory_share_override=offer.memory_share,
        lora=_lora(demand),
        draft_tokens=drafts,
        draft_layers=demand.draft_layers if draft else 1 if drafts else 0,
        draft_bytes=draft.size_bytes if draft else 0,
        batch_tokens=max(sizing.MAX_NUM_BATCHED_TOKENS, demand.context if demand.choice.pooling else 0),
    )
    share = None if offer.memory_share else sizing.planned_share(demand.geometry, _device(offer), load)
    return load if share in {None, load.memory_share} else replace(load, memory_share_override=share)


def _lora(demand: Demand) -> LoraSlots | None:
    """Return the places for adapters: of those requested and of those that the model includes."""
    asked, own, listed = demand.settings.lora, modality_adapters(demand.facts), demand.adapters
    if asked is None and own is None:
        return None
    included = len(own.folders) if own else 0
    ranks = [own.rank if own else 0, (asked.rank or 0) if asked else 0, *(each.rank or 0 for each in listed)]
    return LoraSlots(
        slots=included + (asked.slot_count if asked else 0),
        rank=engine_rank(max(ranks) or DEFAULT_RANK) or RANKS[-1],
        in_memory=included + len(listed) if listed else 0,
        adapter_bytes=sum(each.size_bytes for each in listed),
    )


def _weights_do_not_fit(offer: Offer, demand: Demand, engine: EngineMemory) -> str | None:
    """Return why the weights alone do not fit, a quick check that rules out most offers for a large model."""
    budget = offer.visible_bytes * (offer.memory_share or engine.share)
    weights = demand.weights.size_bytes / (offer.tensor_parallel * offer.hosts)
    if weights <= budget:
        return None
    needs = f"needs {weights / GIB:.1f} GiB per accelerator for the weights alone"
    return f"{needs}, but only {budget / GIB:.1f} GiB are usable"


def _device(offer: Offer, kernel: ExpertKernel | None = None) -> sizing.Device:
    accelerator = offer.accelerator
    return sizing.Device(
        visible_bytes=offer.visible_bytes,
        is_tpu=accelerator.kind is AcceleratorKind.TPU,
        has_flash_attention=(accelerator.compute_capability or 0) >= 8.0,
        expert_kernel=kernel,
    )


def needed_bytes(need: MemoryNeed, demand: Demand) -> int:
    """Return the bytes that one accelerator needs for the requested concurrency."""
    sequence = need.kv_fixed_bytes + need.kv_bytes_per_token * need.context
    return need.total_bytes + sequence * demand.settings.concurrency


def does_not_fit(need: MemoryNeed, demand: Demand) -> str:
    """Return why the model does not fit, with the figures."""
    wanted = needed_bytes(need, demand)
    usable = f"but only {need.budget_bytes / GIB:.1f} GiB are usable"
    return f"needs {wanted / GIB:.1f} GiB per accelerator, {usable}"


def class_key(steps: Iterable[Step]) -> str:
    """Return the key of the capacity class for these steps; servers with equal keys share nodes."""
    held = tuple(steps)
    offer = held[0].offer
    parts = [names.slug(offer.machine.name)]
    if offer.servers_per_accelerator > 1:
        parts.append(f"x{offer.servers_per_accelerator}")
    if offer.is_slice:
        parts.append(str(offer.topology))
    parts += [step.asked.kind.value for step in held]
    said = [step.asked.reservation for step in held if step.asked.reservation]
    for step in held:
        if step.offer is not offer:
            said.append(step.offer.machine.name)
        if step.asked.zones:
            said.append(",".join(sorted(step.zones)))
    if said:
        parts.append(names.short_hash(*said, length=4))
    return names.shorten("-".join(parts), names.DNS_LABEL_MAX)
