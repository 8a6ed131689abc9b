# SPDX-License-Identifier: Apache-2.0
"""The interface between the planner and an engine: each `engines/<engine>.py` has one `EngineSpec`.

Owns the interface. Does not own the plain data of a release (image, port, paths, formats, architectures), which is
in the engine's row of catalog/engines.yaml.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubstack.catalog import Accelerator, Catalog, Engine, MachineType, Termination
from hubstack.hub.facts import ModelFacts
from hubstack.inputs.models import ModelRequest
from hubstack.kinds import EngineKind
from hubstack.names import MODEL_DIR
from hubstack.plan import ApiKey, MemoryNeed, Reason
from hubstack.plan.loading import LoadingPlan
from hubstack.planner.memory.workload import EngineMemory, Load
from hubstack.planner.model.geometry import Geometry
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a model cannot be served, and the request key that could change that."""

    why: str
    hint: str | None = None
    field: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """A model without a requested engine."""

    request: ModelRequest
    facts: ModelFacts
    geometry: Geometry
    chosen: ChosenFiles
    catalog: Catalog


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
    load: Load
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
    model_dir: str = MODEL_DIR
    """Folder of the model's files."""


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
    """Whether it serves a model whose request names no engine; None: it serves those that name it only."""
    turn: int = 0
    """When it is asked so: engines with a lower one are asked before it."""
    features: frozenset[str] = frozenset()
    """Keys of a request that it has flags for, of those that not every engine has (`choose_engine.FEATURES`)."""
    has_slots: bool = False
    """Whether it works on the sequences that were asked for and no more, rather than on a larger batch."""
    not_streamed: str | None = "the engine can only load files"
    """Why the Run:ai streamer cannot bring it the weights; None: it can."""
    old_driver_env: tuple[tuple[str, str], ...] = ()
    """With these variables it runs on a driver below the floor of its image; empty: no way is known."""
    open_paths: tuple[str, ...] = ("/v1",)
    """Path prefixes that a gateway leads to."""
    api_key: ApiKey
    """How it is told the key of a gateway that asks for one."""
    picker_metrics: str | None = None
    """Its name in the endpoint picker (llm-d-router v0.10, core-metrics-extractor); None: it reads none of its."""
    start_seconds: int
    """Allowance for what follows the load of the weights: compilation, graph capture, warm-up."""
    args: Callable[[Serving], tuple[str, ...]]
    """Flags of the container on one node; `arguments.of_row` where the catalogue's row has them all."""
    cannot: Callable[[Unassigned], str | None] = _can
    """Why it would not start with a model of a family that it knows; None: it would."""
    env: Callable[[int], Mapping[str, str]] = _no_env
    """Its own variables, given the seconds after which the startup probe gives up."""
    on_tpu: EngineKind | None = None
    """The engine that serves in its place on TPUs; None: it has none."""
    is_for_tpu: bool = False
    means_without_pooling: bool = False
    """Whether an embedder whose repository says nothing of pooling is answered with the mean of its tokens."""
    ranks_by_overrides: bool = False
    """Whether a language model ranks only by overrides that are known for a few (`rerankers`)."""
    needs_bf16: bool = False
    """Whether GPUs without bf16 are left to those who name them."""
    cache_without_fp8: str | None = None
    """The cache's dtype where a checkpoint declares 8 bits and the card has none; None: it reads none declared."""
    caveat: Callable[[Engine, Geometry], str | None] = _no_caveat
    """What a person should know of this engine with this architecture."""
    group: Callable[[tuple[str, ...], tuple[str, ...], int, int], NodeGroup] | None = None
    """How a replica over several nodes starts, by command and flags of one, nodes, stages; None: it needs one."""
