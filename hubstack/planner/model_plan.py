# SPDX-License-Identifier: Apache-2.0
"""A placed model as the plan shows it: server, weights, capacity steps and reasons.

Owns how choices become a `ModelPlan`, once, and the texts that explain them and the rejected alternatives. Does not
own any choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from hubstack import names
from hubstack.catalog import Termination
from hubstack.hub.facts import FileFacts
from hubstack.hub.lock import other_repository
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.models_schema import Settings
from hubstack.inputs.settings import StackSettings
from hubstack.names import COMPANIONS, MODEL_DIR
from hubstack.plan import (
    CompanionPlan,
    ModelPlan,
    Reason,
    Rejected,
    Replicas,
    ScalingPlan,
    ServerPlan,
    StepPlan,
    Verdict,
    WeightsFile,
    WeightsPlan,
)
from hubstack.plan.managed import CloudRunPlan, VertexPlan
from hubstack.plan.provenance import Provenance
from hubstack.plan.settings import SloPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import EngineChoice, Serving, Shape
from hubstack.planner.model.adapters import modality_adapters
from hubstack.planner.model.companions import Companion
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat
from hubstack.planner.performance.predict import RequestedTraffic, predict
from hubstack.planner.performance.traffic import level_of
from hubstack.planner.placement.candidates import Candidate, Candidates, Evaluated, Step, needed_bytes, placed
from hubstack.planner.placement.engine_rules import Demand
from hubstack.planner.placement.offers import UNKNOWN_USD, Offer, host_memory_bytes
from hubstack.planner.placement.pools import BOOT_DISK_GIB, pool_key
from hubstack.planner.provenance import scan_word
from hubstack.planner.serving.batch import plan_batch
from hubstack.planner.serving.choose_loading import Loadable, Loading
from hubstack.planner.serving.container import plan_server, shm_bytes

LOADER_IMAGE = "python:3.12-slim-bookworm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A model with its candidates, before it is placed."""

    demand: Demand
    chosen: ChosenFiles
    candidates: Candidates
    context_why: str


@dataclass(frozen=True, kw_only=True)
class PlacedDraft:
    """A model on its chosen machine: what each platform plans from."""

    draft: Draft
    taken: Candidate
    loading: Loading
    """How the server loads the weights."""
    limits: Termination
    """How long the platforms let a server shut down."""
    moved: str | None = None
    """The model's earlier place and why it moves, if it does."""
    model_dir: str = MODEL_DIR
    """Folder of the model's files in the server's container."""

    @property
    def request(self) -> ModelRequest:
        """The model as requested."""
        return self.draft.demand.request

    @property
    def settings(self) -> Settings:
        """The settings of the request."""
        return self.request.settings

    @property
    def replicas(self) -> Replicas:
        """As requested, or as many as the traffic needs."""
        return Replicas(min=self.settings.replicas.min, max=self.taken.servers(self.settings))

    @property
    def step_count(self) -> int:
        """Number of capacity steps."""
        return len(self.taken.steps)

    @property
    def hosts(self) -> int:
        """Nodes of one replica."""
        return self.taken.offer.hosts

    @property
    def places(self) -> int:
        """Places in a pool that one replica takes: accelerators, or one part of a shared one."""
        offer = self.taken.offer
        return 1 if offer.servers_per_accelerator > 1 else offer.count * offer.hosts

    @property
    def choice(self) -> EngineChoice:
        """The engine that runs on the machine."""
        return replace(self.draft.demand.choice, engine=self.taken.engine, kind=self.taken.kind)

    @cached_property
    def weights(self) -> WeightsPlan:
        """The files that are staged for it."""
        return _weights(self.draft.demand, self.draft.chosen, self.model_dir)

    @cached_property
    def companions(self) -> tuple[CompanionPlan, ...]:
        """The repositories that are staged and served with it."""
        return tuple(_companion(each, self.settings) for each in self.draft.demand.companions)

    @cached_property
    def server(self) -> ServerPlan:
        """Its container on a node."""
        demand, chosen = self.draft.demand, self.draft.chosen
        return plan_server(
            Serving(
                request=self.request,
                facts=demand.facts,
                geometry=demand.geometry,
                choice=self.choice,
                shape=_shape(self.taken.offer),
                need=self.taken.need,
                load=self.taken.load,
                load_bytes=demand.weights.size_bytes,
                model_path=self.weights.model_path,
                format=chosen.format,
                is_mistral=chosen.is_mistral,
                model_dir=self.model_dir,
                loading=self.loading.plan,
                companions=self.companions,
                limits=self.limits,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """What a platform decides of a model's plan."""

    placed: PlacedDraft
    platform_name: str
    """Google's name of the platform."""
    server: ServerPlan
    capacity_class: str = ""
    """Key of the pools' class; empty if it does not run on nodes of the stack's cluster."""
    has_bucket: bool = True
    """Whether the stack stores its weights."""
    is_priced: bool = True
    """Whether the catalogue has the platform's prices; without, the plan shows none."""
    why: str | None = None
    """Why it gets this machine; None for the reason of GKE nodes."""
    cloud_run: CloudRunPlan | None = None
    vertex: VertexPlan | None = None
    slo: SloPlan | None = None
    scaling: ScalingPlan | None = None
    max_surge: int = 0
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


def assemble(hosting: Hosting, reasons: tuple[Reason, ...] = ()) -> ModelPlan:
    """Return the plan of one model.

    Args:
        hosting: the model on its platform.
        reasons: further reasons, after those of the platform.
    """
    model = hosting.placed
    draft, taken, request = model.draft, model.taken, model.request
    demand, offer, facts, choice = draft.demand, taken.offer, draft.demand.facts, model.choice
    steps = tuple(_step(step, taken, demand, hosting) for step in taken.steps)
    plan = ModelPlan(
        key=request.key,
        was=request.was,
        id=facts.id,
        revision=facts.revision,
        commit=facts.commit,
        license=facts.license_name or facts.license,
        gated=facts.gated is not None,
        accelerator=offer.accelerator.id,
        accelerator_name=offer.accelerator.name,
        accelerator_kind=offer.accelerator.kind,
        gke_accelerator=offer.accelerator.gke_label,
        machine_type=offer.machine.name,
        accelerator_count=offer.count * offer.hosts,
        platform=request.settings.platform,
        platform_name=hosting.platform_name,
        has_nodes=bool(hosting.capacity_class),
        has_bucket=hosting.has_bucket,
        cloud_run=hosting.cloud_run,
        vertex=hosting.vertex,
        tensor_parallel=offer.tensor_parallel,
        tpu_topology=offer.topology,
        capacity_class=hosting.capacity_class,
        servers_per_accelerator=offer.servers_per_accelerator,
        hosts=offer.hosts,
        pipeline_parallel=offer.hosts,
        expert_parallel=taken.load.expert_parallel,
        kv_cache_dtype=request.settings.kv_cache_dtype,
        labels=request.settings.labels or None,
        team=request.settings.team,
        companions=model.companions or None,
        steps=steps,
        replicas=model.replicas,
        scaling=hosting.scaling,
        max_surge=hosting.max_surge,
        need=taken.need,
        server=hosting.server,
        weights=model.weights if hosting.has_bucket else _not_staged(model.weights),
        loading=model.loading.plan,
        usd_per_replica_hour=steps[0].usd_per_replica_hour,
        reasons=(
            *choice.reasons,
            *_names(request),
            *_canary(request),
            Reason(topic="weights", text=demand.weights.how, source="lock"),
            *_companions(demand, taken),
            Reason(topic="context", text=draft.context_why, source="lock and request"),
            _accelerator_reason(draft, taken, hosting.why),
            *_traffic(request, taken),
            model.loading.reason,
            *hosting.reasons,
            *reasons,
        ),
        rejected=_rejected(draft.candidates.tried, taken, with_prices=hosting.is_priced),
        warnings=(
            *choice.warnings,
            *_companion_warnings(demand),
            *_warnings(demand, taken),
            *_loading_warnings(model.loading, taken),
            *((model.moved,) if model.moved else ()),
            *hosting.warnings,
        ),
        provenance=Provenance(
            weights_format=str(draft.chosen.format),
            scan=scan_word(facts.security),
            runs_remote_code=choice.remote_code,
        ),
        canary_of=request.canary_of,
        canary_weight=request.canary_weight,
        slo=hosting.slo,
        performance=predict(
            placed(offer, taken.load, taken.need, demand, taken.engine),
            _asked(request, taken),
            hosting.slo.seconds if hosting.slo else None,
        ),
    )
    if request.settings.batch is None or request.canary_of:
        return plan
    batch, reason = plan_batch(plan, request.settings.batch)
    return replace(plan, batch=batch, reasons=(*plan.reasons, reason))


def _accelerator_reason(draft: Draft, taken: Candidate, why: str | None) -> Reason:
    price = taken.offer.price(draft.demand.settings.capacity[0].kind)
    source = price.source if price and why is None else None
    return Reason(topic="accelerator", text=why or _why(draft, taken), source=source)


def _not_staged(weights: WeightsPlan) -> WeightsPlan:
    """Return the weights of a model that its platform fetches itself."""
    return replace(weights, files=(), patterns=(), exclude=(), prefix="", model_path="", loader_image="")


def _asked(request: ModelRequest, taken: Candidate) -> RequestedTraffic | None:
    settings = request.settings
    if settings.traffic is None or taken.served is None:
        return None
    return RequestedTraffic(
        traffic=settings.traffic,
        level=level_of(settings.slo),
        served=taken.served,
        replicas_min=settings.replicas.min,
    )


def _traffic(request: ModelRequest, taken: Candidate) -> Iterator[Reason]:
    traffic, served = request.settings.traffic, taken.served
    if traffic is None or served is None:
        return
    tokens = f"{traffic.input_tokens:,} + {traffic.output_tokens:,} tokens"
    replicas = f"{served.replicas} replica{'s' if served.replicas > 1 else ''}"
    text = (
        f"{traffic.requests_per_second:g} requests/s of {tokens}: {replicas}, each serving up to "
        f"{served.rate:.3g} requests/s, {served.batch:.0f} at once (limits: {taken.load.sequences} sequences, "
        f"{taken.load.batch_tokens:,} tokens per step)"
    )
    yield Reason(topic="traffic", text=text, source="docs/concepts/traffic.md")


def loadable(draft: Draft, taken: Candidate, target: StackSettings) -> Loadable:
    """Return what determines how the placed model loads its weights."""
    demand, offer, chosen = draft.demand, taken.offer, draft.chosen
    memory = host_memory_bytes(offer.machine, offer.host_share)
    adapters = taken.load.lora.host_bytes * offer.tensor_parallel if taken.load.lora else 0
    network = offer.machine.network_gbit_per_s
    bucket = names.bucket_name(target.project, target.stack, names.bucket_key(demand.request))
    return Loadable(
        engine=taken.kind,
        format=chosen.format,
        size_bytes=chosen.weights_bytes or demand.weights.size_bytes,
        largest_file_bytes=demand.largest_file_bytes,
        pooling=demand.choice.pooling,
        chat_template=bool(demand.settings.chat_template) and not demand.settings.is_template_mounted,
        has_folders=any("/" in file.path for file in chosen.weights),
        is_mistral=chosen.is_mistral,
        has_adapters=modality_adapters(demand.facts) is not None,
        ranks=offer.tensor_parallel,
        hosts=offer.hosts,
        free_memory_bytes=memory
        - shm_bytes(offer.tensor_parallel, memory)
        - spec_of(taken.kind).process_bytes(offer.tensor_parallel, demand.geometry)
        - adapters,
        adapter_bytes=adapters,
        machine_types=tuple(step.offer.machine.name for step in taken.steps),
        zones=tuple(step.zones for step in taken.steps),
        boot_disk_gib=BOOT_DISK_GIB,
        network_bytes_per_second=int(network * 1e9 / 8 * offer.host_share) if network else None,
        bucket_uri=f"gs://{bucket}/{demand.facts.commit}",
    )


def _shape(offer: Offer) -> Shape:
    return Shape(
        machine=offer.machine,
        accelerator=offer.accelerator,
        count=offer.count,
        tensor_parallel=offer.tensor_parallel,
        topology=offer.topology,
        pipeline_parallel=offer.hosts,
        hosts=offer.hosts,
        servers_per_accelerator=offer.servers_per_accelerator,
        fraction=offer.machine.accelerator_fraction,
    )


def _step(step: Step, taken: Candidate, demand: Demand, hosting: Hosting) -> StepPlan:
    offer, has_nodes = step.offer, bool(hosting.capacity_class)
    return StepPlan(
        pool=pool_key(taken.key, step, 0 if offer.is_slice else None) if has_nodes else "",
        kind=step.asked.kind,
        reservation=step.asked.reservation,
        accelerator=offer.accelerator.id,
        machine_type=offer.machine.name,
        accelerator_count=offer.count * offer.hosts,
        zones=step.zones if has_nodes else (),
        verdict=step.need.verdict,
        needs_bytes=needed_bytes(step.need, demand),
        budget_bytes=step.need.budget_bytes,
        usd_per_replica_hour=replica_usd(step) if hosting.is_priced else None,
    )


def replica_usd(step: Step) -> float | None:
    """Return USD per hour of a replica's share of its nodes; None if the catalogue has no price."""
    price = step.offer.price(step.asked.kind)
    return price.usd_per_hour * step.offer.taken / step.offer.units if price else None


def _names(request: ModelRequest) -> Iterator[Reason]:
    if request.was:
        text = f"renamed: resources created as `{request.was[0]}` keep that name; clients may use any of"
        yield Reason(topic="name", text=f"{text} {', '.join(names.entry_keys(request))}", source="request")


def _canary(request: ModelRequest) -> Iterator[Reason]:
    canary = request.settings.canary
    if request.canary_of and canary:
        revision = f"revision `{request.revision}`" if canary.revision else ""
        engine = f"{canary.engine.kind} {canary.engine.version or ''}".strip() if canary.engine else ""
        what = " on ".join(part for part in (revision, engine) if part)
        text = f"{what} gets {request.canary_weight} % of the requests to `{request.canary_of}`"
        yield Reason(topic="canary", text=text, source="request")


def _companion(companion: Companion, settings: Settings) -> CompanionPlan:
    """Return the plan of an adapter or a draft model, whose files are in a folder of the model's bucket."""
    facts, files = companion.facts, companion.files
    weights = WeightsPlan(
        repo_id=facts.id,
        commit=facts.commit,
        prefix=f"{COMPANIONS}/{facts.commit}",
        files=tuple(_weights_file(file) for file in files),
        patterns=(),
        total_bytes=sum(file.size_bytes for file in files),
        largest_file_bytes=max(file.size_bytes for file in files),
        model_path=f"/{COMPANIONS}/{facts.commit}",
        needs_token=facts.gated is not None,
        loader_image=LOADER_IMAGE,
    )
    return CompanionPlan(
        name=companion.name,
        role=companion.role,
        id=facts.id,
        revision=facts.revision,
        commit=facts.commit,
        license=facts.license_name or facts.license,
        gated=facts.gated is not None,
        rank=companion.rank,
        weights=weights,
        provenance=Provenance(
            weights_format=str(companion.format),
            scan=scan_word(facts.security),
            runs_remote_code=facts.custom_code and settings.trust_remote_code,
        ),
    )


def _companions(demand: Demand, taken: Candidate) -> Iterator[Reason]:
    lora, draft = taken.load.lora, demand.draft
    if lora and demand.adapters:
        listed = ", ".join(f"{each.name} (rank {each.rank})" for each in demand.adapters)
        held = (
            f"{lora.slots} on the accelerator at once, all in host memory ({lora.host_bytes / 1e9:,.2f} GB a rank)"
        )
        text = f"{listed}: slots of rank {lora.rank}, {held}"
        yield Reason(topic="adapters", text=text, source="docs/guides/adapters.md")
    if draft:
        text = f"{draft.facts.id} drafts tokens: {draft.size_bytes / 1e9:,.2f} GB, plus its own KV cache"
        yield Reason(topic="draft", text=text, source="docs/guides/speculative.md")


def _companion_warnings(demand: Demand) -> Iterator[str]:
    for companion in demand.companions:
        yield from companion.warnings
        if companion.facts.security.scans_done is False:
            yield f"the Hub had not finished its security scan of `{companion.facts.id}` when it was locked"
        asked = companion.facts.asked_id
        if asked and (text := other_repository(asked, companion.facts)):
            yield text


def _warnings(demand: Demand, taken: Candidate) -> Iterator[str]:
    if text := other_repository(demand.request.id, demand.facts):
        yield text
    for step in taken.steps:
        if step.need.verdict is not Verdict.FITS:
            on = "" if step.offer is taken.offer else f" on {step.offer.machine.name}"
            yield f"it may not start{on}: {'; '.join(taken.doubts)}"
            break
    for step in taken.steps:
        name, where = step.asked.reservation, ", ".join(step.zones)
        if name and not (step.asked.machine_type and step.asked.zones):
            guess = f"{step.offer.machine.name} in {where}"
            yield f"reservation {name} is assumed to hold {guess}: set `machine_type:` and `zone:` if it does not"
    if taken.offer.is_slice:
        yield "on several TPU hosts, vLLM for TPU 0.27.0 is tested with pipeline parallelism only"
    if taken.offer.machine.accelerator_fraction is not None:
        yield "the memory an engine sees on a fraction of a GPU is undocumented: a proportional part is assumed"
    if caveat := spec_of(taken.kind).caveat(taken.engine, demand.geometry):
        yield caveat


def _loading_warnings(loading: Loading, taken: Candidate) -> Iterator[str]:
    zone = loading.plan.zone
    for name in [step.asked.reservation for step in taken.steps if step.asked.reservation and zone]:
        yield f"its weights are on a disk in {zone}, so reservation {name} must be in that zone too (set `zone:`)"


def _why(draft: Draft, taken: Candidate) -> str:
    offer, tried = taken.offer, draft.candidates.tried
    price = offer.price(draft.demand.settings.capacity[0].kind)
    hour = f"${price.usd_per_hour:,.2f} an hour {price.basis}" if price else "price unknown"
    name = f"{offer.count} x {offer.accelerator.name} ({offer.machine.name}, {hour})"
    if offer.hosts > 1:
        return f"{offer.hosts} nodes of {name}: {_why_no_single_node(draft)}"
    if offer.servers_per_accelerator > 1:
        return f"1/{offer.servers_per_accelerator} of {name}: `share_gpu:` is set"
    cheapest = draft.candidates.fitting[0]
    if taken is not cheapest:
        return (
            f"{name}: sharing nodes with other models makes the whole stack cheaper than "
            f"{cheapest.offer.machine.name}, the cheapest option for this model alone"
        )
    if draft.demand.settings.traffic:
        return f"{name}: the cheapest for its traffic"
    failed = sum(1 for each in tried if each.why_not and each.usd < taken.alone())
    place = f"the cheapest option{f' that fits ({failed} cheaper ruled out)' if failed else ' of all'}"
    return f"{name}: {place}"


def _why_no_single_node(draft: Draft) -> str:
    """Return what the largest single node lacks, and which larger nodes are not sold as requested."""
    kind = draft.demand.settings.capacity[0].kind
    single = [each for each in draft.candidates.tried if each.offer.is_whole_node]
    if not single:
        return "no single node was an option"
    largest = max(single, key=lambda each: each.offer.accelerator_bytes)
    why = f"the largest single node, {largest.offer.machine.name}, {_says_why_not(largest)}"
    larger = [
        o.machine.name for o in draft.candidates.unsold if o.accelerator_bytes > largest.offer.accelerator_bytes
    ]
    return f"{why} (larger, but not sold as {kind}: {', '.join(larger)})" if larger else why


def _says_why_not(tried: Evaluated) -> str:
    """Return why an offer was not chosen, as the end of a sentence about its machine."""
    if tried.doubts:
        return f"is not certain to fit: {tried.doubts[0]}"
    why = tried.why_not or "was not the cheapest"
    return why if why.startswith("needs ") else f"is ruled out: {why}"


def _rejected(tried: tuple[Evaluated, ...], taken: Candidate, *, with_prices: bool) -> tuple[Rejected, ...]:
    """Return the three closest alternatives: cheaper ones that do not fit, then more expensive ones that do.

    Without prices, those that were rejected by theirs are left out.
    """
    usd, mine = taken.alone(), taken.offer
    failed = [t for t in tried if t.why_not and t.usd <= usd]
    cheaper = ([t for t in failed if t.memory_was_computed] or failed)[-2:]
    seen, more_expensive = {mine.alike}, list[Evaluated]()
    for each in tried:
        if not each.why_not and each.usd >= usd and each.offer.alike not in seen:
            seen.add(each.offer.alike)
            more_expensive.append(each)
    closest = (
        Rejected(machine_type=t.offer.machine.name, accelerator_count=t.offer.count * t.offer.hosts, why=why_not(t))
        for t in (cheaper + more_expensive)[:3]
    )
    return tuple(each for each in closest if with_prices or "$" not in each.why)


def why_not(tried: Evaluated) -> str:
    """Return why an offer was not chosen, with the deciding figure."""
    if tried.why_not:
        return tried.why_not
    near = f"not certain to fit ({tried.doubts[0]})" if tried.doubts else "fits"
    alone = "" if tried.offer.taken % tried.offer.units == 0 else f" for the whole of {tried.offer.machine.name}"
    return f"{near}, ${tried.usd:,.2f} an hour{alone}" if tried.usd < UNKNOWN_USD else f"{near}; price unknown"


def _weights(demand: Demand, chosen: ChosenFiles, model_dir: str) -> WeightsPlan:
    facts = demand.facts
    files = tuple(
        _weights_file(file) for file in sorted((*chosen.weights, *chosen.side), key=lambda file: file.path)
    )
    # A list without config.json is incomplete. The loader then fetches the list from the Hub at the locked commit
    # and verifies the files against the Hub's hashes.
    whole = chosen.format is WeightsFormat.GGUF or any(
        file.path in {"config.json", "params.json"} for file in chosen.side
    )
    single = chosen.format is WeightsFormat.GGUF and chosen.weights
    return WeightsPlan(
        repo_id=facts.id,
        commit=facts.commit,
        prefix=facts.commit,
        files=files if chosen.weights and whole else (),
        patterns=chosen.patterns,
        exclude=chosen.copies if chosen.weights and whole else chosen.exclude,
        total_bytes=sum(file.size_bytes for file in (*chosen.weights, *chosen.side))
        if chosen.weights
        else demand.weights.size_bytes,
        largest_file_bytes=demand.largest_file_bytes,
        model_path=f"{model_dir}/{chosen.weights[0].path}" if single else model_dir,
        needs_token=facts.gated is not None,
        loader_image=LOADER_IMAGE,
        replaces=facts.replaced if facts.replaced != facts.commit else None,
        keep_replaced=demand.settings.keep_previous,
    )


def _weights_file(file: FileFacts) -> WeightsFile:
    return WeightsFile(
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        git_oid=file.git_oid,
        generation=file.generation,
        crc32c=file.crc32c,
        md5=file.md5,
    )
