# SPDX-License-Identifier: Apache-2.0
"""From a model's needs to a shape, and from shapes to node pools.

Owns the candidates, what an engine asks of tensor parallelism, the order of preference (price) and the
capacity classes. Each model is placed alone, so a new model moves no other. Does not own the arithmetic of
memory (`hubstack.sizing`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hubstack import names, sizing
from hubstack.architecture import Geometry
from hubstack.catalog import Accelerator, Catalog, Engine, MachineType
from hubstack.engine import EngineChoice
from hubstack.facts import ModelFacts
from hubstack.plan import (
    AcceleratorKind,
    CapacityClass,
    EngineKind,
    MemoryNeed,
    ModelPlan,
    PoolPlan,
    PriceUsed,
    Rejected,
    Verdict,
)
from hubstack.request import CapacityStep, ModelRequest
from hubstack.serving import Shape
from hubstack.target import Target
from hubstack.weights import WeightsSize, quantization_block, quantization_method

GIB = sizing.GIB
BOOT_DISK_GIB = 200
"""Images of 10 to 20 GB, unpacked, and their layers (facts: gke.md 3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The shape that was taken, and those that were not."""

    shape: Shape
    need: MemoryNeed
    load: sizing.Load
    engine: Engine
    kind: EngineKind
    price: PriceUsed | None
    """Of one node on the first capacity step."""
    rejected: tuple[Rejected, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What placement must know of a model."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    choice: EngineChoice
    weights: WeightsSize
    largest_file_bytes: int
    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    shape: Shape
    price: PriceUsed | None
    rank: float
    """USD an hour to compare by; the list price where the step itself has none."""
    need: MemoryNeed | None
    load: sizing.Load | None
    why_not: str | None
    engine: Engine
    kind: EngineKind


def place_model(demand: Demand, catalog: Catalog, target: Target) -> Placed | str:
    """Place one model on the cheapest shape that fits, or say why none does."""
    tried = sorted(
        _try_all(demand, catalog, target),
        key=lambda t: (t.rank, t.shape.count, t.shape.machine.name),
    )
    if not tried:
        return _why_nothing(demand, target)
    for verdict in (Verdict.FITS, Verdict.UNCERTAIN):
        taken = next((t for t in tried if t.need and not t.why_not and t.need.verdict is verdict), None)
        if taken and taken.need and taken.load:
            return Placed(
                shape=taken.shape, need=taken.need, load=taken.load, engine=taken.engine, kind=taken.kind,
                price=taken.price,
                rejected=_rejected(tried, taken), why=_why(taken, tried),
            )  # fmt: skip
    reasons = "; ".join(f"{t.shape.machine.name}: {_why_not(t)}" for t in tried[-3:])
    return f"fits none of {len(tried)} shapes in {target.region}; the largest: {reasons}"


def _try_all(demand: Demand, catalog: Catalog, target: Target) -> Iterator[_Tried]:
    wanted = {a.id for word in demand.request.accelerators if (a := catalog.accelerator(word))}
    for machine in catalog.machine_types.values():
        accelerator = catalog.accelerators[machine.accelerator]
        if wanted and accelerator.id not in wanted:
            continue
        engine, kind = _engine_on(accelerator, demand, catalog)
        if engine is None or machine.accelerator_fraction is not None:
            continue
        if not zones_of(accelerator.id, machine, catalog, target):
            continue
        shape = _shape(machine, accelerator, catalog)
        if shape is None:
            continue
        step = demand.request.capacity[0]
        row = catalog.price(machine.name, target.region)
        price = row.used(step.kind) if row else None
        why_not = _breaks_rule(shape, demand, kind, catalog, asked=bool(wanted))
        load, need = (None, None) if why_not else _size(shape, demand, kind)
        if need and need.verdict is Verdict.DOES_NOT_FIT:
            why_not = _does_not_fit(need, demand)
        rank = price.usd_per_hour if price else (row and row.on_demand) or float("inf")
        yield _Tried(
            shape=shape, price=price, rank=rank, need=need, load=load, why_not=why_not, engine=engine,
            kind=kind,
        )  # fmt: skip


def _engine_on(accelerator: Accelerator, demand: Demand, catalog: Catalog) -> tuple[Engine | None, EngineKind]:
    """Return the engine for this accelerator; None where it has none."""
    kind = demand.choice.kind
    if accelerator.kind is AcceleratorKind.TPU:
        if kind is not EngineKind.VLLM:
            return None, kind
        kind = EngineKind.VLLM_TPU
    elif demand.request.engine is EngineKind.VLLM_TPU:
        return None, kind
    engine = catalog.engines[kind.value]
    return (engine if engine.image_for(accelerator.id) else None), kind


def _shape(machine: MachineType, accelerator: Accelerator, catalog: Catalog) -> Shape | None:
    count = machine.accelerator_count
    if accelerator.kind is AcceleratorKind.GPU:
        return Shape(machine=machine, accelerator=accelerator, count=count, tensor_parallel=count)
    topology = next(
        (t for t in catalog.tpu_topologies if t.machine_type == machine.name and not t.is_multi_host), None
    )
    if topology is None:
        return None
    ranks = count * accelerator.devices_per_chip
    return Shape(machine=machine, accelerator=accelerator, count=count, tensor_parallel=ranks,
                 topology=topology.topology)  # fmt: skip


def zones_of(accelerator: str, machine: MachineType, catalog: Catalog, target: Target) -> tuple[str, ...]:
    """Return the zones of the target where the machine type is listed."""
    if target.region not in catalog.regions(machine.name):
        return ()
    zones = catalog.zones(accelerator, target.region)
    return tuple(zone for zone in zones if not target.zones or zone in target.zones)


def _breaks_rule(shape: Shape, demand: Demand, kind: EngineKind, catalog: Catalog, *, asked: bool) -> str | None:
    machine, accelerator = shape.machine, shape.accelerator
    for step in demand.request.capacity:
        if not machine.is_sold_as(step.kind):
            return f"{machine.name} is not sold as {step.kind}"
    if accelerator.host_cpu_arch not in {None, "x86_64"}:
        return f"its hosts are {accelerator.host_cpu_arch}, and the engine images are for x86_64"
    if kind in {EngineKind.TEI, EngineKind.LLAMA_CPP} and shape.count > 1:
        return f"{kind} uses one accelerator, not {shape.count}"
    if accelerator.kind is AcceleratorKind.TPU:
        broken = _breaks_tpu_rule(shape, demand, catalog, asked=asked)
    else:
        broken = _breaks_gpu_rule(accelerator, demand, asked=asked)
    return broken or _breaks_parallel_rule(shape.tensor_parallel, demand, kind) or _lacks_memory(shape, demand)


def _breaks_gpu_rule(accelerator: Accelerator, demand: Demand, *, asked: bool) -> str | None:
    engine = demand.choice.engine
    capability = accelerator.compute_capability or 0
    floor = engine.min_compute_capability or 0
    if capability < floor:
        return f"compute capability {capability} is below {floor}, the floor of {engine.id}"
    method = quantization_method(demand.facts)
    needed = (engine.quantization.get(method) if method else None) or 0
    if capability < needed:
        return f"compute capability {capability}: `{method}` needs {needed}"
    image = engine.image_row(accelerator.id)
    if image and image.is_experimental and not asked:
        return f"{engine.id}'s image for it is experimental: taken only where the request names it"
    if not accelerator.bf16_native and demand.choice.kind is EngineKind.VLLM and not asked:
        return "it has no bf16, the dtype of today's models: taken only where the request names it"
    bf16_only = demand.geometry.model_type.startswith(("gemma2", "gemma3", "gemma4"))
    if not accelerator.bf16_native and bf16_only and demand.choice.kind is EngineKind.VLLM:
        return "it has no bf16, and Gemma overflows in fp16"
    return None


def _breaks_tpu_rule(shape: Shape, demand: Demand, catalog: Catalog, *, asked: bool) -> str | None:
    geometry, engine = demand.geometry, catalog.engines[EngineKind.VLLM_TPU.value]
    untested = geometry.state_layers or geometry.latent or geometry.cross_tokens
    named = asked or demand.request.engine is EngineKind.VLLM_TPU
    rules = (
        (
            shape.accelerator.devices_per_chip > 1,
            "it asks for a privileged pod, which hubstack does not give",
        ),
        (not engine.runs_on(geometry.name, shape.accelerator.id), f"{geometry.name} runs on other TPUs only"),
        (quantization_method(demand.facts), "quantized checkpoints are untested on vLLM for TPU"),
        (demand.choice.pooling, "embedding and ranking are planned on GPUs only"),
        (untested, "its cache layout is not on the tested list of vLLM for TPU"),
        (not named, "a TPU is taken only where the request names it"),
    )
    return next((why for broken, why in rules if broken), None)


def _breaks_parallel_rule(ranks: int, demand: Demand, kind: EngineKind) -> str | None:
    """Say which dimension the ranks do not divide (vLLM refuses to start)."""
    geometry = demand.geometry
    if ranks == 1 or kind not in {EngineKind.VLLM, EngineKind.VLLM_TPU}:
        return None
    heads, kv_heads = geometry.heads or ranks, geometry.kv_heads or ranks
    if heads % ranks:
        return f"{ranks} ranks do not divide {heads} attention heads"
    if max(kv_heads, ranks) % min(kv_heads, ranks):
        return f"{ranks} ranks and {kv_heads} key-value heads do not divide"
    width = geometry.moe_ffn if geometry.experts and geometry.moe_ffn else geometry.intermediate
    if width and width % ranks:
        return f"{ranks} ranks do not divide the feed-forward width {width:,}"
    block = quantization_block(demand.facts)
    if width and block and (width // ranks) % block:
        return f"{width:,} / {ranks} ranks is no multiple of the quantization block of {block}"
    return None


def _lacks_memory(shape: Shape, demand: Demand) -> str | None:
    share = shape.machine.allocatable_memory_bytes * shape.count / shape.machine.accelerator_count * 0.8
    wanted = demand.largest_file_bytes + 4 * GIB
    if share < wanted:
        return f"{share / GIB:.1f} GiB of host memory is below the {wanted / GIB:.1f} that loading needs"
    return None


def _size(shape: Shape, demand: Demand, kind: EngineKind) -> tuple[sizing.Load, MemoryNeed]:
    accelerator = shape.accelerator
    device = sizing.Device(
        visible_bytes=accelerator.memory_bytes_visible,
        is_tpu=accelerator.kind is AcceleratorKind.TPU,
        has_flash_attention=(accelerator.compute_capability or 0) >= 8.0,
    )
    load = sizing.Load(
        engine=kind, tensor_parallel=shape.tensor_parallel, context=demand.context,
        concurrency=demand.request.concurrency,
        batch_tokens=max(sizing.MAX_NUM_BATCHED_TOKENS, demand.context if demand.choice.pooling else 0),
    )  # fmt: skip
    return load, sizing.size_model(demand.weights, demand.geometry, device, load)


def _does_not_fit(need: MemoryNeed, demand: Demand) -> str:
    sequence = need.kv_fixed_bytes + need.kv_bytes_per_token * need.context
    wanted = need.total_bytes + sequence * demand.request.concurrency
    return f"needs {wanted / GIB:.1f} GiB on each accelerator, may use {need.budget_bytes / GIB:.1f}"


def _why_not(tried: _Tried) -> str:
    if tried.why_not:
        return tried.why_not
    near = "too near the line to be sure" if tried.need and tried.need.verdict is Verdict.UNCERTAIN else "fits"
    return f"{near}, ${tried.rank:,.2f} an hour" if tried.rank < float("inf") else f"{near}; no price is known"


def _rejected(tried: list[_Tried], taken: _Tried) -> tuple[Rejected, ...]:
    """Return the three nearest: the cheaper ones that failed last, then the dearer ones that would do."""
    at = tried.index(taken)
    cheaper = [t for t in tried[:at] if t.need is not None][-2:]
    dearer = [t for t in tried[at + 1 :] if t.need is not None and not t.why_not]
    return tuple(
        Rejected(machine_type=t.shape.machine.name, accelerator_count=t.shape.count, why=_why_not(t))
        for t in (cheaper + dearer)[:3]
    )


def _why(taken: _Tried, tried: list[_Tried]) -> str:
    failed = sum(1 for t in tried[: tried.index(taken)] if t.why_not or t.need)
    name = f"{taken.shape.count} x {taken.shape.accelerator.name}"
    price = f"${taken.price.usd_per_hour:,.2f} an hour {taken.price.basis}" if taken.price else "no price known"
    place = "the cheapest of all shapes" if not failed else f"the cheapest that fits; {failed} cheaper do not"
    return f"{name} ({taken.shape.machine.name}, {price}): {place}"


def _why_nothing(demand: Demand, target: Target) -> str:
    wanted = ", ".join(demand.request.accelerators) or "accelerator"
    where = f"{', '.join(target.zones)}" if target.zones else target.region
    return f"has no place: no machine type with {wanted} that {demand.choice.kind} runs on is listed in {where}"


def class_key(shape: Shape, capacity: Iterable[CapacityStep]) -> str:
    """Return the key of the pools for a shape bought in this order."""
    steps = tuple(capacity)
    words = "-".join(step.kind.value for step in steps)
    reservations = [step.reservation for step in steps if step.reservation]
    tail = f"-{names.short_hash(*reservations, length=4)}" if reservations else ""
    return names.shorten(f"{names.slug(shape.machine.name)}-{words}{tail}", names.DNS_LABEL_MAX)


def pool_key(capacity_class: str, shape: Shape, step: CapacityStep) -> str:
    """Return a pool's key: the shape, the way it is bought, and a hash of all whose change replaces a pool.

    With the hash in the name a change makes a new pool first and deletes the old one last
    (docs/identity.md; facts: gke.md 5.1 "Replacement order").
    """
    digest = names.short_hash(
        capacity_class, shape.machine.name, str(shape.count), shape.topology or "", step.kind.value,
        step.reservation or "", length=6,
    )  # fmt: skip
    return names.shorten(f"{names.slug(shape.machine.name)}-{step.kind.value}-{digest}", names.NODE_POOL_MAX)


def plan_pools(
    models: Iterable[tuple[ModelPlan, Shape, tuple[CapacityStep, ...]]], catalog: Catalog, target: Target
) -> tuple[tuple[PoolPlan, ...], tuple[CapacityClass, ...]]:
    """Return the pools and classes that the placed models share."""
    groups: dict[str, list[tuple[ModelPlan, Shape, tuple[CapacityStep, ...]]]] = {}
    for model in models:
        groups.setdefault(model[0].capacity_class, []).append(model)
    pools: list[PoolPlan] = []
    classes: list[CapacityClass] = []
    for key, members in sorted(groups.items()):
        shape, steps = members[0][1], members[0][2]
        keys = tuple(pool_key(key, shape, step) for step in steps)
        classes.append(CapacityClass(key=key, pools=keys))
        pools += [
            _pool(pool, key, shape, step, [member[0] for member in members], (catalog, target))
            for pool, step in zip(keys, steps, strict=True)
        ]
    return tuple(sorted(pools, key=lambda pool: pool.key)), tuple(classes)


def _pool(
    key: str, capacity_class: str, shape: Shape, step: CapacityStep, models: list[ModelPlan],
    place: tuple[Catalog, Target],
) -> PoolPlan:  # fmt: skip
    catalog, target = place
    per_node = shape.machine.accelerator_count // shape.count
    wanted = sum(model.replicas.max for model in models)
    row = catalog.price(shape.machine.name, target.region)
    return PoolPlan(
        key=key,
        capacity_class=capacity_class,
        accelerator=shape.accelerator.id,
        accelerator_kind=shape.accelerator.kind,
        gke_accelerator=shape.accelerator.gke_label,
        machine_type=shape.machine.name,
        gce_machine_type=shape.machine.gce_machine_type,
        accelerators_per_node=shape.machine.accelerator_count,
        tpu_topology=shape.topology,
        capacity=step.kind,
        reservation=step.reservation,
        zones=zones_of(shape.accelerator.id, shape.machine, catalog, target),
        min_nodes=0,
        max_nodes=-(-wanted // per_node),
        boot_disk_gib=BOOT_DISK_GIB,
        boot_disk_type=shape.machine.boot_disk_type,
        price=row.used(step.kind) if row else None,
        models=tuple(sorted(model.key for model in models)),
    )
