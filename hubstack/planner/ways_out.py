# SPDX-License-Identifier: Apache-2.0
"""What would give a place to a model that has none.

Owns the search: each change of one setting is tried, so that a hint names only what works. Does not own why the
model has no place (`hubstack.planner.no_place`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from hubstack.catalog import Catalog
from hubstack.inputs.models_schema import ON_DEMAND, Accelerators, CapacityStep, Replicas
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind
from hubstack.planner.engines import spec_of
from hubstack.planner.managed.managed import Finders, make_candidate_finders
from hubstack.planner.placement.candidates import Candidate
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.platforms import NODES

ACCELERATOR = "`accelerator:`"
_REGIONS = 5
"""Maximum regions named in one hint."""
_CARDS = 3
"""Maximum accelerators named in one hint."""
_MOST_REPLICAS = 1000
"""Maximum of `replicas.max`."""
_REMOVABLE = ("kv_cache_dtype", "expert_parallel", "share_gpu", "slo", "traffic")
"""Keys without which a model may have a place."""
_SHORTEST_CONTEXT = 1024
"""Minimum context that a hint suggests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Tries a demand with other settings."""

    demand: Demand
    finders: Finders
    catalog: Catalog
    target: StackSettings

    def fitting(self, finders: Finders | None = None, /, **changed: object) -> tuple[Candidate, ...]:
        """Return the places that the model would have with some settings changed."""
        request = self.demand.request.changed(**changed)
        context = request.settings.context if "context" in changed else None
        demand = replace(self.demand, request=request, context=context or self.demand.context)
        return (finders or self.finders)[request.settings.platform].find_candidates(demand).fitting

    def ways(self) -> Iterator[str]:
        """Yield the changes of one setting that give the model a place, those nearest to the request first."""
        yield from self._capacity()
        yield from self._accelerators()
        yield from self._traffic()
        yield from self._less()
        yield from self._removed()
        if self.demand.settings.platform is not NODES and self.fitting(platform=NODES):
            yield f"set `platform: {NODES}`"
        if self.target.zones and (fits := self.fitting(self._finders(zones=()))):
            yield f"add {_or(fits[0].steps[0].zones)} to `hubstack:zones`"

    def named(self, accelerators: Collection[str]) -> Iterator[str]:
        """Yield the accelerators of these to name, if one of them gives the model a place."""
        for each in sorted(accelerators):
            if self.fitting(accelerator=Accelerators(any=(each,))):
                yield f"set `accelerator: {each}`"

    def regions(self) -> Iterator[str]:
        """Yield a change of the region, with the nearest that have a place."""
        if self.target.zones or any(step.zones for step in self.demand.settings.capacity):
            return
        found: list[str] = []
        area = self.target.region.partition("-")[0]
        others = [region for region in self.catalog.all_regions() if region != self.target.region]
        for region in sorted(others, key=lambda each: (each.partition("-")[0] != area, each)):
            if self.fitting(self._finders(region=region)):
                found.append(region)
            if len(found) == _REGIONS:
                break
        if found:
            yield f"use a region that has room for it, such as {', '.join(found)}"

    def without(self) -> Iterator[str]:
        """Yield which settings to remove, if the model has a place without all of them."""
        said = [key for key in ("accelerator", "capacity") if key in self.demand.request.marks]
        free = {"accelerator": None, "capacity": ON_DEMAND}
        if self._is_for_tpu():
            said, free = [*said, "engine"], {**free, "engine": None}
        if said and self.fitting(**free):
            yield f"remove {' and '.join(f'`{key}:`' for key in said)}"

    def _finders(self, **changed: object) -> Finders:
        return make_candidate_finders(self.catalog, self.target.changed(**changed))

    def _capacity(self) -> Iterator[str]:
        steps, is_said = self.demand.settings.capacity, "capacity" in self.demand.request.marks
        if self.demand.settings.platform is not NODES:
            return
        for at, step in enumerate(steps):
            kinds = [kind for kind in CapacityKind if kind is not step.kind and self._fits_as(at, _as(step, kind))]
            if kinds:
                there = f"change `{step.kind}` in `capacity:` to" if is_said else "set `capacity:` to"
                yield f"{there} {_or([_word(kind) for kind in kinds])}"
            if step.zones and (fits := self._fits_as(at, step.model_copy(update={"zones": ()}))):
                yield f"change the zones of step {at + 1} of `capacity:` to {_or(fits[0].steps[at].zones)}"
            if step.machine_type and (fits := self._fits_as(at, step.model_copy(update={"machine_type": None}))):
                machine = fits[0].steps[at].offer.machine.gce_machine_type
                yield f"change the `machine_type` of step {at + 1} of `capacity:` to `{machine}`, or remove it"
            if len(steps) > 1 and self.fitting(capacity=(*steps[:at], *steps[at + 1 :])):
                yield f"remove step {at + 1} of `capacity:`"

    def _fits_as(self, at: int, step: CapacityStep) -> tuple[Candidate, ...]:
        steps = self.demand.settings.capacity
        changed = (*steps[:at], step, *steps[at + 1 :])
        return () if len(set(changed)) < len(changed) else self.fitting(capacity=changed)

    def _accelerators(self) -> Iterator[str]:
        if self.demand.settings.accelerators:
            fitting = self.fitting(accelerator=None)
            cards = list(dict.fromkeys(candidate.offer.accelerator.id for candidate in fitting))
            if cards:
                yield f"allow {_or([f'`{card}`' for card in cards[:_CARDS]])} in {ACCELERATOR}"

    def _traffic(self) -> Iterator[str]:
        settings, own = self.demand.settings, self.demand.geometry.max_context
        if settings.traffic is None:
            return
        most = Replicas(min=settings.replicas.min, max=_MOST_REPLICAS)
        if settings.replicas.is_bounded and (fits := self.fitting(replicas=most)) and fits[0].served:
            yield f"raise `replicas.max` to {fits[0].served.replicas}"
        tokens = settings.traffic.input_tokens + settings.traffic.output_tokens
        if self.demand.context < tokens <= (own or tokens) and self.fitting(context=tokens):
            yield f"raise `context:` to {tokens}"

    def _removed(self) -> Iterator[str]:
        settings = self.demand.settings
        removed = [key for key in _REMOVABLE if not settings.is_default(key)]
        removed += ["engine"] if self._is_for_tpu() else []
        for key in removed:
            if self.fitting(**{key: type(settings).model_fields[key].default}):
                yield f"remove `{key}:`"

    def _is_for_tpu(self) -> bool:
        """Return whether the engine is asked for that runs on TPUs only; another one was chosen for the model."""
        asked = self.demand.settings.engine
        return asked is not None and spec_of(asked.kind).is_for_tpu

    def _less(self) -> Iterator[str]:
        context, concurrency = self.demand.context, self.demand.settings.concurrency
        contexts = [n for n in _halves(context) if n >= _SHORTEST_CONTEXT]
        if contexts and self.fitting(context=contexts[-1]):
            yield f"lower `context:` to {next(n for n in contexts if self.fitting(context=n))}"
        fewer = _halves(concurrency)
        if fewer and self.fitting(concurrency=fewer[-1]):
            yield f"lower `concurrency:` to {next(n for n in fewer if self.fitting(concurrency=n))}"


def _halves(number: int) -> list[int]:
    """Return a half, a quarter and so on of a number, down to 1."""
    found: list[int] = []
    while number > 1:
        number //= 2
        found.append(number)
    return found


def _as(step: CapacityStep, kind: CapacityKind) -> CapacityStep:
    name = "NAME" if kind is CapacityKind.RESERVATION else None
    return step.model_copy(update={"kind": kind, "reservation": name})


def _word(kind: CapacityKind) -> str:
    return "`reservation: NAME`" if kind is CapacityKind.RESERVATION else f"`{kind}`"


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
