# SPDX-License-Identifier: Apache-2.0
"""The interface between the planner and an engine: each `engines/<engine>.py` has one `EngineSpec`.

Owns the interface. Does not own the plain data of a release (image, port, paths, formats, architectures), which is
in the engine's row of catalog/engines.yaml.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubstack import names
from hubstack.catalog import Accelerator, Catalog, Engine, MachineType, Termination
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.models_schema import Settings
from hubstack.kinds import EngineKind
from hubstack.names import MODEL_DIR
from hubstack.plan import ApiKey, CompanionPlan, MemoryNeed, Reason
from hubstack.plan.loading import LoadingPlan
from hubstack.planner.memory.workload import EngineMemory, Workload
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a model cannot be served, and the request key that could change that."""

    why: str
    hint: str | None = None
    field: str = "id"
    is_secret: bool = False
    """Whether the line of the request may contain a secret, so that no message shows it."""


def no_more_paths(facts: ModelFacts) -> tuple[str, ...]:  # noqa: ARG001  the default of a spec's `more_paths`
    """Return no paths."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """A model without a requested engine."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    chosen: ChosenFiles
    catalog: Catalog

    def engine(self, kind: EngineKind) -> Engine:
        """Return an engine at the version that the model asks for."""
        return self.catalog.engine_at(kind, self.request.settings.version_of(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """The chosen engine, and the properties that affect its flags."""

    engine: Engine
    kind: EngineKind
    pooling: bool = False
    """Whether the model embeds, ranks or classifies rather than generates text."""
    ranks: bool = False
    """Whether the model scores pairs of texts."""
    remote_code: bool = False
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The accelerators of one replica."""

    machine: MachineType
    accelerator: Accelerator
    count: int
    """GPUs or TPU chips that the replica uses on each node."""
    tensor_parallel: int
    topology: str | None = None
    pipeline_parallel: int = 1
    """Pipeline stages, one per node."""
    hosts: int = 1
    """Nodes of one replica; `count` is per node."""
    servers_per_accelerator: int = 1
    """Above 1, servers time-share the GPU and each may use that part of it."""
    fraction: float | None = None
    """Fraction of a GPU that the machine has; None for whole GPUs."""

    @property
    def host_share(self) -> float:
        """Share of a node's CPU and memory that belongs to one server."""
        return self.count / self.machine.accelerator_count / self.servers_per_accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A placed model, as input for its container."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    choice: EngineChoice
    shape: Shape
    need: MemoryNeed
    load: Workload
    """The workload that sizing assumed; flags pin it."""
    load_bytes: int
    model_path: str
    """Path passed to the engine: the mounted folder, or the GGUF file in it."""
    format: WeightsFormat
    is_mistral: bool
    """Whether the checkpoint uses Mistral's format."""
    loading: LoadingPlan
    limits: Termination
    """How long the platforms let a server shut down."""
    companions: tuple[CompanionPlan, ...] = ()
    """The repositories that are served with it."""
    model_dir: str = MODEL_DIR
    """Folder of the model's files."""

    @property
    def settings(self) -> Settings:
        """The settings of the request."""
        return self.request.settings

    @property
    def name(self) -> str:
        """The name by which the server knows its model."""
        return names.served_name(self.facts.id, self.request.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """How the containers of one multi-node replica start."""

    command: tuple[str, ...]
    """Replaces the image's entry point on leader and workers."""
    args: tuple[str, ...]
    """Arguments of the leader, which serves requests."""
    worker_args: tuple[str, ...] = ()
    """Arguments of the workers; empty if there are none."""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemory:
    """Host memory of an engine's processes in bytes, each from a measurement named at the engine."""

    process_bytes: int
    rank_bytes: int
    image_bytes: int = 0
    """More for a model that sees: the largest image that it allows is processed at startup."""


Answer = str | Refusal | None
"""Why an engine serves a model, a refusal if none can, or None to leave the model to the next engine."""


def _can(_model: Unassigned) -> None:
    return None


def _no_env(_window_seconds: int) -> dict[str, str]:
    return {}


def _no_caveat(_engine: Engine, _geometry: Geometry) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What the planner needs to know about one engine."""

    kind: EngineKind
    memory: EngineMemory
    takes: Callable[[Unassigned], Answer] | None = None
    """Decides whether the engine serves a model without a requested engine; None if it must be requested."""
    turn: int = 0
    """Priority of that decision: engines with lower numbers come first."""
    features: frozenset[str] = frozenset()
    """Optional settings that the engine supports, of `choose_engine.FEATURES`."""
    has_slots: bool = False
    """Whether the engine has exactly as many slots as the requested concurrency, rather than a larger batch."""
    not_streamed: str | None = "the engine can only load files"
    """Why the engine cannot use the Run:ai streamer; None if it can."""
    old_driver_env: tuple[tuple[str, str], ...] = ()
    """Environment variables that allow a driver older than the image requires; empty if none are known."""
    open_paths: tuple[str, ...] = ("/v1",)
    """Path prefixes that a gateway routes to the engine."""
    more_paths: Callable[[ModelFacts], tuple[str, ...]] = no_more_paths
    """Further prefixes for a model."""
    has_texts_api: bool = False
    """Whether it ranks at /rerank and classifies at /predict, with its own bodies, not at /v1/rerank, /classify."""
    has_chat_templates: bool = False
    """Whether it renders chats without a template in the repository."""
    sees_with: str | None = None
    """The flag without which it reads no image; None if it always does."""
    api_key: ApiKey
    """How the engine receives the gateway's API key, if the gateway requires one."""
    picker_metrics: str | None = None
    """The engine's name in the endpoint picker (llm-d-router v0.10); None if the picker does not support it."""
    host: HostMemory | None = None
    """What its processes need of host memory; None if it is small or was not measured."""
    compiles_kernels: bool = False
    """Whether it compiles kernels at startup that its image lacks (FlashInfer), as many at once as MAX_JOBS."""
    start_seconds: int
    """Assumed seconds after the weights are loaded, for compilation, graph capture and warm-up."""
    args: Callable[[Serving], tuple[str, ...]]
    """Returns the container's flags on one node; `arguments.of_row` if the catalogue row has all of them."""
    cannot: Callable[[Unassigned], str | None] = _can
    """Returns why the engine cannot start with a model of a supported family, or None."""
    env: Callable[[int], Mapping[str, str]] = _no_env
    """Returns environment variables for the engine, given the startup probe's limit in seconds."""
    negates_flags: bool = False
    """Whether every switch has a negative flag, `--no-FLAG`."""
    flag_variables: str | None = None
    """Prefix of variables that set flags, before the flag in capitals; None if there are none."""
    on_tpu: EngineKind | None = None
    """The engine that replaces it on TPUs, if any."""
    is_for_tpu: bool = False
    means_without_pooling: bool = False
    """Whether the engine averages token embeddings if the repository does not define pooling."""
    ranks_by_overrides: bool = False
    """Whether language models need known overrides to rerank (`rerankers`)."""
    needs_bf16: bool = False
    """Whether GPUs without native bf16 are used only if requested."""
    cache_without_fp8: str | None = None
    """KV cache dtype if a checkpoint declares 8 bits but the GPU lacks them; None if the engine ignores that."""
    caveat: Callable[[Engine, Geometry], str | None] = _no_caveat
    """Returns a warning about this engine with this architecture, or None."""
    group: Callable[[tuple[str, ...], tuple[str, ...], int, int], NodeGroup] | None = None
    """Returns how a multi-node replica starts, from command, flags, nodes and stages; None for one node only."""

    def process_bytes(self, ranks: int, geometry: Geometry) -> int:
        """Return what a server's processes need of host memory, without the buffer of a streamer or a compiler."""
        if self.host is None:
            return 0
        image = self.host.image_bytes if geometry.vision_parameters else 0
        return self.host.process_bytes + ranks * self.host.rank_bytes + image
