# SPDX-License-Identifier: Apache-2.0
"""What engines require of accelerators, tensor parallelism and hosts, apart from accelerator memory.

Owns these rules and the figures in their messages. Does not own which offers are evaluated
(`hubstack.planner.placement.candidates`).
"""

from dataclasses import dataclass
from functools import cached_property

from hubstack.catalog import Accelerator, Catalog, Engine
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.measured import Measurement
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.models_schema import Settings
from hubstack.kinds import AcceleratorKind
from hubstack.plan import CompanionRole
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import EngineChoice, EngineSpec
from hubstack.planner.memory import sizing
from hubstack.planner.model.companions import Companion
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import WeightsSize, quantization_block, quantization_method
from hubstack.planner.placement.card_rules import lacks_kernel
from hubstack.planner.placement.offers import Offer, host_memory_bytes

GIB = sizing.GIB


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What placement needs to know about a model."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    choice: EngineChoice
    weights: WeightsSize
    largest_file_bytes: int
    context: int
    measured: tuple[Measurement, ...] = ()
    """The stack's measurements."""
    companions: tuple[Companion, ...] = ()
    """The repositories that are served with it."""

    @cached_property
    def adapters(self) -> tuple[Companion, ...]:
        """The adapters, which requests name."""
        return tuple(each for each in self.companions if each.role is CompanionRole.ADAPTER)

    @cached_property
    def draft(self) -> Companion | None:
        """The model that drafts, if it is of another repository."""
        return next((each for each in self.companions if each.role is CompanionRole.DRAFT), None)

    @cached_property
    def draft_layers(self) -> int:
        """Layers of the draft model's cache, counted in layers of the model's own."""
        own, other = self.geometry, self.draft.geometry if self.draft else None
        if other is None:
            return 0
        width = own.latent or 2 * (own.kv_heads or 0) * (own.head_dim or 0)
        drafted = (other.layers or 1) * (other.latent or 2 * (other.kv_heads or 0) * (other.head_dim or 0))
        return max(-(-drafted // width), 1) if width else other.layers or 1

    @cached_property
    def block(self) -> int | None:
        """Number of weights that share a quantization scale."""
        return quantization_block(self.facts)

    @property
    def settings(self) -> Settings:
        """The settings of the request."""
        return self.request.settings

    @cached_property
    def method(self) -> str | None:
        """The engine's name for the quantization method."""
        return quantization_method(self.facts)


@dataclass(frozen=True, slots=True)
class Runs:
    """An engine that runs on an accelerator."""

    spec: EngineSpec
    engine: Engine
    """The engine's catalogue row."""


def engine_on(accelerator: Accelerator, demand: Demand, catalog: Catalog) -> Runs | None:
    """Return the engine for this accelerator, or None if there is none."""
    spec = spec_of(demand.choice.kind)
    if accelerator.kind is AcceleratorKind.TPU:
        if spec.on_tpu is None:
            return None
        spec = spec_of(spec.on_tpu)
        pinned = demand.settings.engine
        is_other = pinned is None or pinned.kind is not spec.kind
        if is_other and ((pinned and pinned.version) or demand.settings.engine_args):
            return None  # another engine, of which the list names no version, and whose flags were not checked
    elif _requests_tpu(demand):
        return None
    engine = catalog.engine_at(spec.kind, demand.settings.version_of(spec.kind))
    return Runs(spec, engine) if engine.image_for(accelerator.id) else None


def _requests_tpu(demand: Demand) -> bool:
    asked = demand.settings.engine_kind
    return asked is not None and spec_of(asked).is_for_tpu


def breaks_rule(offer: Offer, demand: Demand, runs: Runs) -> str | None:
    """Return why an offer is ruled out, by rules that do not depend on the machine around the accelerators."""
    accelerator, asked = offer.accelerator, bool(demand.settings.accelerators)
    if accelerator.host_cpu_arch not in {None, "x86_64"}:
        return f"its nodes are {accelerator.host_cpu_arch}, but the engine images are built for x86_64"
    if not runs.engine.has_tensor_parallel and offer.count * offer.hosts > 1:
        return f"{runs.engine.id} runs on one accelerator, not {offer.count * offer.hosts}"
    if offer.hosts > 1 and runs.spec.group is None:
        return f"{runs.engine.id} is planned on a single node only"
    if accelerator.kind is AcceleratorKind.TPU:
        broken = _breaks_tpu_rule(offer, demand, runs.engine, asked=asked)
    else:
        broken = breaks_gpu_rule(accelerator, demand, asked=asked)
    return broken or _breaks_parallel_rule(offer, demand, runs.engine)


def breaks_gpu_rule(accelerator: Accelerator, demand: Demand, *, asked: bool) -> str | None:
    """Return what the engine lacks on a GPU, or None."""
    engine = demand.choice.engine
    capability = accelerator.compute_capability or 0
    floor = engine.min_compute_capability or 0
    if capability < floor:
        return f"compute capability {capability} is below {engine.id}'s minimum of {floor}"
    method = demand.method
    needed = (engine.quantization.get(engine.method_of(method)) if method else None) or 0
    if capability < needed:
        return f"compute capability {capability}: `{method}` needs {needed}"
    lacks = lacks_kernel(accelerator, engine, demand.facts, demand.geometry, demand.settings.kv_cache_dtype)
    if lacks:
        return lacks
    image = engine.image_row(accelerator.id)
    if image and image.is_experimental and not asked:
        return f"{engine.id}'s image for it is experimental: used only if you name it in `accelerator:`"
    needs_bf16 = spec_of(demand.choice.kind).needs_bf16
    return _breaks_bf16(demand, asked=asked) if needs_bf16 and not accelerator.bf16_native else None


def _breaks_bf16(demand: Demand, *, asked: bool) -> str | None:
    if not asked:
        return "it has no native bf16, which current models need: used only if you name it in `accelerator:`"
    family, release = demand.geometry.model_type, demand.choice.engine.release
    if family.startswith(("gemma2", "gemma3", "gemma4")) or (release and family in release.refuses_float16):
        return f"it has no native bf16, and `{family}` models overflow in fp16"
    return None


def _breaks_tpu_rule(offer: Offer, demand: Demand, engine: Engine, *, asked: bool) -> str | None:
    geometry = demand.geometry
    untested = geometry.state_layers or geometry.latent or geometry.cross_tokens
    named = asked or _requests_tpu(demand)
    rules = (
        (
            offer.accelerator.devices_per_chip > 1,
            "it requires privileged pods, which hubstack does not create",
        ),
        (not engine.runs_on(geometry.name, offer.accelerator.id), f"{geometry.name} does not run on this TPU"),
        (demand.method, "quantized checkpoints are untested on vLLM for TPU"),
        (demand.choice.pooling, "embedding and reranking models are planned on GPUs only"),
        (untested, "its cache layout is not on vLLM for TPU's list of tested models"),
        (not named, "a TPU is used only if you name it in `accelerator:`"),
    )
    return next((why for broken, why in rules if broken), None)


def _breaks_parallel_rule(offer: Offer, demand: Demand, engine: Engine) -> str | None:
    """Return which model dimension is not divisible by the ranks (vLLM refuses to start), or None."""
    geometry, ranks = demand.geometry, offer.tensor_parallel
    if not engine.has_tensor_parallel:
        return None
    if offer.hosts > (geometry.layers or 1):
        return f"{offer.hosts} pipeline stages exceed its {geometry.layers} layers"
    heads, kv_heads = geometry.heads or ranks, geometry.kv_heads or ranks
    if heads % ranks:
        return f"its {heads} attention heads are not divisible by {ranks} ranks"
    if max(kv_heads, ranks) % min(kv_heads, ranks):
        return f"its {kv_heads} key-value heads cannot be split evenly across {ranks} ranks"
    # Experts that cannot be split are placed whole on the ranks.
    return None if geometry.experts or ranks == 1 else _breaks_width(ranks, demand)


def needs_whole_experts(ranks: int, demand: Demand) -> bool:
    """Return whether a mixture of experts can only be split across the ranks by expert parallelism."""
    return bool(demand.geometry.experts) and ranks > 1 and _breaks_width(ranks, demand) is not None


def _breaks_width(ranks: int, demand: Demand) -> str | None:
    geometry, block = demand.geometry, demand.block
    width = geometry.moe_ffn if geometry.experts and geometry.moe_ffn else geometry.intermediate
    if width and width % ranks:
        return f"its feed-forward width {width:,} is not divisible by {ranks} ranks"
    if width and block and (width // ranks) % block:
        return f"{width:,} / {ranks} ranks is not a multiple of its quantization block of {block}"
    return None


def lacks_memory(offer: Offer, demand: Demand, floor: Offer | None = None) -> str | None:
    """Return why host memory is too small, or None.

    Loading needs room for the largest file, and the engine for its processes; a fallback step (`floor` given) also
    needs what the first step's pods request.
    """
    share = _host_memory(offer)
    processes = spec_of(demand.choice.kind).process_bytes(offer.tensor_parallel, demand.geometry)
    loading = max(demand.largest_file_bytes + 4 * GIB, _host_memory(floor) if floor else 0)
    if share >= max(processes, loading):
        return None
    what = "the engine" if processes > loading else "loading"
    wanted = max(processes, loading) / GIB
    return f"{what} needs {wanted:.1f} GiB of host memory, but the server gets {share / GIB:.1f} GiB"


def _host_memory(offer: Offer) -> int:
    return host_memory_bytes(offer.machine, offer.host_share)
