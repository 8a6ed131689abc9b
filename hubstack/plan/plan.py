# SPDX-License-Identifier: Apache-2.0
"""The Plan: everything decided, as plain data with its reasons.

Owns the types that leave planning. Nothing here computes; `hubstack.planner.planner` fills it, `components` and
`hubstack.deploy.manifests` register what it says, `hubstack.review.report.report` prints it. Frozen, ordered by
key, JSON-ready.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hubstack.catalog.prices import PriceUsed
from hubstack.files.jsonable import plain
from hubstack.kinds import AcceleratorKind, CapacityKind, EngineKind, PlatformKind
from hubstack.plan.bill import Cost
from hubstack.plan.gateway import GatewayPlan, TrafficPlan
from hubstack.plan.loading import LoadingPlan
from hubstack.plan.managed import CloudRunPlan, VertexPlan
from hubstack.plan.performance import PerformancePlan
from hubstack.plan.provenance import Provenance
from hubstack.plan.settings import MonitoringPlan, SloPlan
from hubstack.plan.target import TargetPlan


class Verdict(StrEnum):
    """Whether an engine would start in the memory that is there."""

    FITS = "fits"
    UNCERTAIN = "uncertain"
    """Within half a GiB of the line: engines differ by that from boot to boot."""
    DOES_NOT_FIT = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One decision, said so that it can be checked."""

    topic: str
    """What was decided: `engine`, `accelerator`, `context`, `replicas` ..."""
    text: str
    """Why, with the figures."""
    source: str | None = None
    """Catalogue source id, `lock`, `request`, or a section of docs/concepts/sizing.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTerm:
    """One part of the memory of one accelerator."""

    name: str
    size_bytes: int
    how: str
    """The arithmetic, with its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """What one accelerator (one tensor-parallel rank) must hold."""

    terms: tuple[MemoryTerm, ...]
    """Without the KV cache: weights, activation, runtime ..."""
    visible_bytes: int
    """What the engine sees of the card: less than the marketing figure."""
    budget_bytes: int
    """visible x the share that the engine may use."""
    kv_bytes_per_token: int
    """Per accelerator; 0 without a KV cache. For layers whose cache does not grow see `kv_fixed_bytes`."""
    kv_fixed_bytes: int
    """Per sequence and accelerator: sliding windows and recurrent state, which do not grow with context."""
    kv_available_bytes: int
    """budget - terms; may be negative where the model does not fit."""
    kv_tokens: int
    """Tokens of cache that fit; 0 without a KV cache."""
    context: int
    """Tokens of one sequence: prompt and answer."""
    concurrency: int
    """Sequences of full context that fit at once (at least the asked ones when it fits)."""
    verdict: Verdict
    longest_context: int = 0
    """Longest context of which one sequence fits, at most the model's own limit."""

    @property
    def total_bytes(self) -> int:
        """Sum of the terms, without KV."""
        return sum(term.size_bytes for term in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A shape that was looked at and not taken."""

    machine_type: str
    accelerator_count: int
    why: str
    """The figure that rejected it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """HTTP probe of the serving container."""

    path: str
    port: int
    period_seconds: int
    failure_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """How an engine takes an API key."""

    variable: str
    """Environment variable that holds it."""
    args: tuple[str, ...] = ()
    """Flags that name the variable, for an engine that does not read it by itself; Kubernetes puts its value in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """The serving container as plain data."""

    engine: EngineKind
    version: str | None
    """None where the sources give no version that could be pinned."""
    image: str
    command: tuple[str, ...]
    """Replaces the image's entry point; empty only where the platform chooses the image."""
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    """Plain settings only; never a secret."""
    port: int
    startup: Probe
    """Allows for a slow load; the others run only after it has passed."""
    readiness: Probe
    liveness: Probe
    metrics_path: str | None
    api_path: str
    """Path prefix of the OpenAI-compatible API (`/v1`)."""
    open_paths: tuple[str, ...]
    """Path prefixes that a gateway leads to."""
    api_key: ApiKey
    """How the engine is told the key of a gateway that asks for one."""
    picker_metrics: str | None
    """Whose metrics the endpoint picker reads from it; None: it knows none of them."""
    served_model_name: str
    run_as_user: int
    """Non-root."""
    cpu_millicores: int
    memory_bytes: int
    accelerator_resource: str
    """`nvidia.com/gpu` or `google.com/tpu`."""
    accelerator_count: int
    """TPU: all chips of the node."""
    shm_bytes: int
    """Memory-backed /dev/shm; 0 where one process needs none."""
    worker_args: tuple[str, ...] = ()
    """Of the nodes after the first where one replica spans several; empty otherwise."""
    scratch_bytes: int
    """Size limit of the writable emptyDir at /tmp and caches."""
    load_seconds: int
    """Estimated time from container start to ready."""
    pre_stop_seconds: int
    """Before the server hears that it has to go; it answers on, since balancers still send."""
    drain_seconds: int
    """For the answers that have begun, from then on."""
    termination_grace_seconds: int
    """Both, and the engine's own end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file to stage in the bucket."""

    path: str
    size_bytes: int | None
    sha256: str | None
    """None for small git files: see `git_oid`."""
    git_oid: str | None = None
    """sha1 of `blob <size>\\0` + content; the loader asks the Hub at the commit where both hashes are None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsPlan:
    """What is copied from the Hub to the bucket, and where to."""

    repo_id: str
    commit: str
    prefix: str
    """Folder in the model's bucket: the commit, so that a new commit stages beside the old one."""
    files: tuple[WeightsFile, ...]
    """Sorted by path; empty where the lock lists no files (then the Hub is asked at the locked commit)."""
    patterns: tuple[str, ...]
    """fnmatch patterns that choose the files where `files` is empty."""
    total_bytes: int | None
    largest_file_bytes: int | None
    model_path: str
    """Path under the mount that the engine is given: the folder, or the GGUF file in it."""
    needs_token: bool
    """Gated: the loader reads a Hub token from Secret Manager. The server never does."""
    loader_image: str
    exclude: tuple[str, ...] = ()
    """fnmatch patterns that `patterns` must not reach: other copies of the same weights."""
    replaces: str | None = None
    """Commit that this one took the place of in the lock, whose folder is removed after the switch."""
    keep_replaced: bool = False
    """Keep that folder: a way back without staging it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Bounds of autoscaling."""

    min: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingTrigger:
    """One figure that replicas follow."""

    name: str
    """`queue` or `kv-cache`."""
    query: str
    """PromQL: the sum over the model's replicas."""
    target: float
    """Of each replica on average; above it another one is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPlan:
    """How a model's replicas follow its load; None on a model whose number is fixed or set by hand."""

    triggers: tuple[ScalingTrigger, ...]
    """The one that asks for most replicas decides."""
    requests_per_replica: int
    """Requests that a replica works on at once: beyond them the requests in flight ask for another one."""
    rests: bool
    """Whether it goes to zero replicas: then requests come through the interceptor, which holds them meanwhile."""
    idle_seconds: int
    """Without a request, before it rests."""
    hold_seconds: int
    """How long a request waits for a resting model: node start and load, with their allowances."""
    settle_seconds: int
    """Time that a new replica takes to be of use: replicas are at most doubled within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One step of a model's capacity list, proven to fit."""

    pool: str
    """Key of the pool."""
    kind: CapacityKind
    reservation: str | None
    accelerator: str
    """Catalogue id."""
    machine_type: str
    accelerator_count: int
    """Accelerators that one replica uses: the same on every step, as a pod's request is."""
    zones: tuple[str, ...]
    verdict: Verdict
    needs_bytes: int
    """On one accelerator: all terms, and the cache of the sequences asked for."""
    budget_bytes: int
    """What may be used of one accelerator."""
    usd_per_replica_hour: float | None
    """The replica's share of its nodes; None where no source gives a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """Everything decided for one model."""

    key: str
    """The entry's name: root of the logical names, and what clients ask for. Never its place in the list."""
    was: tuple[str, ...] = ()
    """Former keys, oldest first; the first is the root of the physical names (`names.made_as`)."""
    id: str
    revision: str
    commit: str
    license: str | None
    gated: bool
    accelerator: str
    """Catalogue id."""
    accelerator_name: str
    accelerator_kind: AcceleratorKind
    gke_accelerator: str
    """Value of the accelerator label."""
    machine_type: str
    accelerator_count: int
    """Accelerators that one replica uses: GPUs, or TPU chips."""
    tensor_parallel: int
    """Ranks; on TPU7x twice the chips."""
    tpu_topology: str | None
    capacity_class: str
    """Key of the CapacityClass whose pools it runs on; empty on other platforms than GKE."""
    platform: PlatformKind
    platform_name: str = "Google Kubernetes Engine"
    """Google's name of it."""
    has_nodes: bool = True
    """Whether it runs in pods on nodes of the stack's cluster."""
    has_bucket: bool = True
    """Whether the stack keeps its weights."""
    cloud_run: CloudRunPlan | None = None
    """On the platform of that name only."""
    vertex: VertexPlan | None = None
    """Likewise."""
    servers_per_accelerator: int = 1
    """Above 1 the card is shared, and each server may use that part of it."""
    hosts: int = 1
    """Nodes of one replica; above 1 a LeaderWorkerSet."""
    pipeline_parallel: int = 1
    """Stages; one node holds one stage."""
    expert_parallel: bool = False
    kv_cache_dtype: str = "auto"
    steps: tuple[StepPlan, ...] = ()
    """The capacity list, first choice first."""
    replicas: Replicas
    scaling: ScalingPlan | None = None
    max_surge: int = 0
    """Replicas above the asked number during a rollout: 1 only where the pools have a place that is left over."""
    need: MemoryNeed
    server: ServerPlan
    weights: WeightsPlan
    loading: LoadingPlan = field(default_factory=LoadingPlan)
    usd_per_replica_hour: float | None
    """The replica's share of its nodes on the first capacity step; None where no source gives a price."""
    reasons: tuple[Reason, ...]
    rejected: tuple[Rejected, ...]
    """The next best shapes, at most three."""
    warnings: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    """What a policy must know of its files."""
    canary_of: str | None = None
    """Key of the model whose other commit this is; None for a model of its own."""
    canary_weight: int = 0
    """Of 100 requests to the primary's names, how many come here; 0 for a model of its own."""
    slo: SloPlan | None = None
    """What its alerts hold it to."""
    performance: PerformancePlan | None = None
    """What one replica serves; None where the lock does not say enough of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """One GKE node pool."""

    key: str
    """Stable: the class, the shape, the capacity kind, and a hash of the fields whose change would replace it."""
    capacity_class: str
    accelerator: str
    accelerator_kind: AcceleratorKind
    gke_accelerator: str
    """Value of the accelerator label."""
    machine_type: str
    gce_machine_type: str
    """What the node pool asks Compute Engine for (`n1-standard-4` with a T4 attached)."""
    accelerators_per_node: int
    accelerator_fraction: float | None = None
    """Share of one card that a node has; None for whole cards."""
    servers_per_accelerator: int = 1
    """Above 1: GKE's time-sharing, with this many clients on each card."""
    nodes_per_slice: int = 1
    """Above 1: a multi-host TPU slice, which comes and goes whole."""
    tpu_topology: str | None
    """Of single-host slices only for labels; never put in a placement policy."""
    capacity: CapacityKind
    reservation: str | None
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    """Nodes that hold every model at its most replicas, in total over the zones."""
    boot_disk_gib: int
    boot_disk_type: str | None
    """Where the machine is known to need one; None lets GKE choose what the machine series takes."""
    local_ssds: int = 0
    """Bundled with the machine: GKE makes the node's ephemeral storage of them, told or not."""
    price: PriceUsed | None
    """Per node; None where no source gives one."""
    models: tuple[str, ...]
    """Keys, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityClass:
    """An ordered list of pools for one shape: a GKE ComputeClass."""

    key: str
    pools: tuple[str, ...]
    """Pool keys, first choice first."""


FORMAT = 1
"""Version of the plan's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One environment's whole stack, decided."""

    target: TargetPlan
    models: tuple[ModelPlan, ...]
    """Sorted by key."""
    pools: tuple[PoolPlan, ...]
    """Sorted by key."""
    classes: tuple[CapacityClass, ...]
    cost: Cost
    monitoring: MonitoringPlan | None = None
    """None: no PodMonitoring, dashboard, alert or budget."""
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    """What would cost less; nothing is wrong without it."""
    gateway: GatewayPlan | None = None
    """None: models are reached inside the cluster only."""
    traffic: TrafficPlan | None = None
    """How the gateway finds a model; None without a gateway."""

    @property
    def on_gke(self) -> tuple[ModelPlan, ...]:
        """The models that have nodes and Kubernetes objects."""
        return tuple(model for model in self.models if model.has_nodes)

    def model_json(self, key: str) -> str:
        """Return one model and its part of the bill as sorted, indented JSON that ends with a newline."""
        (model,) = (each for each in self.models if each.key == key)
        said = {"format": FORMAT, "model": plain(model), "cost": plain(self.cost.by_item().get(key, []))}
        return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def to_json(self, refused: Sequence[str] = ()) -> str:
        """Return the plan as sorted, indented JSON that ends with a newline.

        Args:
            refused: why other models of the list have no plan; given only where there are any.
        """
        said = {"format": FORMAT, **plain(self)} | ({"refused": list(refused)} if refused else {})
        return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
