# SPDX-License-Identifier: Apache-2.0
"""The Plan: every decision as plain data, with its reasons.

Owns the output types of planning. Computes nothing: `hubstack.planner.planner` creates the Plan, `components` and
`hubstack.deploy.manifests` register it, `hubstack.review.report.report` prints it. Frozen, ordered by key,
JSON-serializable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hubstack.catalog.engine_metrics import EngineMetrics
from hubstack.catalog.prices import PriceUsed
from hubstack.files.jsonable import OMITTED_IF_NONE, plain
from hubstack.kinds import AcceleratorKind, CapacityKind, EngineKind, GpuDriver, PlatformKind
from hubstack.plan.batch import BatchPlan
from hubstack.plan.bill import Cost
from hubstack.plan.callers import CallersPlan
from hubstack.plan.gateway import GatewayPlan, TrafficPlan
from hubstack.plan.loading import LoadingPlan
from hubstack.plan.managed import CloudRunPlan, VertexPlan
from hubstack.plan.performance import Comparison, PerformancePlan
from hubstack.plan.provenance import Provenance
from hubstack.plan.settings import MonitoringPlan, SloPlan
from hubstack.plan.target import TargetPlan


class Verdict(StrEnum):
    """Whether an engine would start in the available memory."""

    FITS = "fits"
    UNCERTAIN = "uncertain"
    """Within half a GiB of the limit; engines vary by that much between starts."""
    DOES_NOT_FIT = "does not fit"


GKE_NAME = "Google Kubernetes Engine"
"""Google's name of the platform whose models run on the stack's own nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A decision with enough detail to verify it."""

    topic: str
    """Subject of the decision: `engine`, `accelerator`, `context`, `replicas` ..."""
    text: str
    """The explanation, with figures."""
    source: str | None = None
    """Source ID in the catalogue, `lock`, `request`, or a section of docs/concepts/sizing.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTerm:
    """One part of the memory of one accelerator."""

    name: str
    size_bytes: int
    how: str
    """The calculation, with its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """Memory that one accelerator (one tensor-parallel rank) needs."""

    terms: tuple[MemoryTerm, ...]
    """All terms except the KV cache: weights, activation, runtime ..."""
    visible_bytes: int
    """Memory of the card visible to the engine: less than the marketing figure."""
    budget_bytes: int
    """Visible memory times the share that the engine may use."""
    kv_bytes_per_token: int
    """KV cache per token and accelerator; 0 without one. For layers whose cache does not grow see
    `kv_fixed_bytes`."""
    kv_fixed_bytes: int
    """Cache per sequence and accelerator that does not grow with context: sliding windows and recurrent state."""
    kv_available_bytes: int
    """Budget minus terms; negative if the model does not fit."""
    kv_tokens: int
    """Tokens that fit in the KV cache; 0 without a cache."""
    context: int
    """Tokens of one sequence: prompt and response."""
    concurrency: int
    """Full-context sequences that fit at once (at least the requested number if the model fits)."""
    verdict: Verdict
    longest_context: int = 0
    """Longest context for which one sequence fits, up to the model's own limit."""

    @property
    def total_bytes(self) -> int:
        """Return the sum of the terms, without the KV cache."""
        return sum(term.size_bytes for term in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A shape that was evaluated and rejected."""

    machine_type: str
    accelerator_count: int
    why: str
    """The figure that ruled it out."""


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
    """Environment variable that contains the key."""
    args: tuple[str, ...] = ()
    """Flags with a reference to the variable, for engines that do not read it; Kubernetes substitutes its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedFile:
    """A small text file in the server's container."""

    name: str
    text: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """The serving container as plain data."""

    engine: EngineKind
    version: str | None
    """None if no source gives a version to pin."""
    image: str
    command: tuple[str, ...]
    """Replaces the image's entrypoint; empty only if the platform chooses the image."""
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    """Plain environment variables; never secrets."""
    port: int
    startup: Probe
    """Startup probe, which allows for slow loading; the other probes run only after it succeeds."""
    readiness: Probe
    liveness: Probe
    metrics_path: str | None
    api_path: str
    """Path prefix of the OpenAI-compatible API (`/v1`)."""
    open_paths: tuple[str, ...]
    """Path prefixes that a gateway exposes."""
    api_key: ApiKey
    """How the engine receives the API key of a gateway that requires one."""
    picker_metrics: str | None
    """Engine name under which the endpoint picker reads its metrics; None if it knows none of them."""
    served_model_name: str
    run_as_user: int
    """Non-root."""
    cpu_millicores: int
    memory_bytes: int
    accelerator_resource: str
    """`nvidia.com/gpu` or `google.com/tpu`."""
    accelerator_count: int
    """Accelerators requested by a pod; for TPUs, all chips of the node."""
    shm_bytes: int
    """Size of the memory-backed /dev/shm; 0 if one process needs none."""
    engine_args: tuple[str, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Those of `args` that the list gives with `engine_args:`; None if there are none."""
    files: tuple[MountedFile, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Files of the list, in `names.FILES_DIR`; None if there are none."""
    engine_env: tuple[str, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Names of those of `env` that the list gives with `env:`; None if there are none."""
    worker_args: tuple[str, ...] = ()
    """Command of the nodes after the first if a replica spans several; otherwise empty."""
    scratch_bytes: int
    """Size limit of the writable emptyDir at /tmp and caches."""
    load_seconds: int
    """Estimated time from container start to ready."""
    pre_stop_seconds: int
    """Delay before SIGTERM: the server keeps serving, because load balancers still send requests."""
    drain_seconds: int
    """Time for responses in progress, from then on."""
    termination_grace_seconds: int
    """Sum of both and of the engine's shutdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file to stage in the bucket."""

    path: str
    size_bytes: int | None
    sha256: str | None
    """None for small Git files: see `git_oid`."""
    git_oid: str | None = None
    """sha1 of `blob <size>\\0` + content. If both hashes are None, the loader gets them from the Hub at the
    commit."""
    generation: int | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Of own weights: the generation of the object, which the loader copies."""
    crc32c: str | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Of own weights: the object's CRC32C checksum, in base64."""
    md5: str | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Of own weights: the object's MD5 in hexadecimal; None if it was uploaded in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsPlan:
    """What is copied from the Hub, or another bucket, to the model's bucket, and to which folder."""

    repo_id: str
    """Repository on the Hub; or own weights, `gs://bucket/folder`."""
    commit: str
    prefix: str
    """Folder in the model's bucket: the commit, so a new commit is staged beside the old one."""
    files: tuple[WeightsFile, ...]
    """Sorted by path; empty if the lock lists no files (the loader then lists them on the Hub at the locked
    commit)."""
    patterns: tuple[str, ...]
    """fnmatch patterns that select files if `files` is empty."""
    total_bytes: int | None
    largest_file_bytes: int | None
    model_path: str
    """Path below the mount that the engine loads: the folder, or the GGUF file in it."""
    needs_token: bool
    """Whether the model is gated: the loader, never the server, reads a Hub token from Secret Manager."""
    loader_image: str
    exclude: tuple[str, ...] = ()
    """fnmatch patterns excluded from `patterns`: other copies of the same weights."""
    replaces: str | None = None
    """Commit that this one replaced in the lock; its folder is removed after the switch."""
    keep_replaced: bool = False
    """Whether to keep that folder, for a rollback without another copy."""


class CompanionRole(StrEnum):
    """What a server does with another repository's weights."""

    ADAPTER = "adapter"
    """Served under a name of its own (LoRA)."""
    DRAFT = "draft"
    """Proposes the tokens of speculative decoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionPlan:
    """A repository that is served with a model: an adapter, or the model that drafts for it."""

    name: str
    """Model name in requests for an adapter; `draft` otherwise."""
    role: CompanionRole
    id: str
    """Repository ID on the Hub."""
    revision: str
    commit: str
    license: str | None
    gated: bool
    rank: int | None = None
    """Largest rank of an adapter; None for a draft model."""
    weights: WeightsPlan
    """Files in the model's bucket, in a folder of their own."""
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Bounds of autoscaling."""

    min: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingTrigger:
    """A metric that replicas scale on."""

    name: str
    """`queue` or `kv-cache`."""
    query: str
    """PromQL for the sum over the model's replicas."""
    target: float
    """Target average per replica; above it, a replica is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPlan:
    """How a model's replicas scale with load; None for a model with a fixed or manually set number."""

    triggers: tuple[ScalingTrigger, ...]
    """The trigger that asks for the most replicas decides."""
    requests_per_replica: int
    """Concurrent requests per replica; with more in flight, a replica is added."""
    scales_to_zero: bool
    """Whether it scales to zero: requests then go through the interceptor, which holds them during a cold start."""
    idle_seconds: int
    """Idle seconds before scaling to zero."""
    activation_timeout_seconds: int
    """How long a request may wait for a cold start (new node and loading, with margins), in seconds."""
    settle_seconds: int
    """Seconds until a new replica is ready: replicas at most double within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """A step of a model's capacity list, verified to fit."""

    pool: str
    """Key of the pool."""
    kind: CapacityKind
    reservation: str | None
    accelerator: str
    """Catalogue id."""
    machine_type: str
    accelerator_count: int
    """Accelerators per replica: the same on every step, because the pod requests a fixed number."""
    zones: tuple[str, ...]
    verdict: Verdict
    needs_bytes: int
    """Memory needed on one accelerator: all terms, and the KV cache of the requested sequences."""
    budget_bytes: int
    """Usable memory of one accelerator."""
    usd_per_replica_hour: float | None
    """USD per hour for the replica's share of its nodes; None if no source gives a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """Everything decided for one model."""

    key: str
    """The entry's name: root of the logical names, and the model name in requests. Independent of list order."""
    was: tuple[str, ...] = ()
    """Former keys, oldest first; the first is the root of the physical names (`names.original_key`)."""
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
    """Accelerators per replica: GPUs, or TPU chips."""
    tensor_parallel: int
    """Ranks; on TPU7x, twice the number of chips."""
    tpu_topology: str | None
    capacity_class: str
    """Key of the CapacityClass it runs on; empty on platforms other than GKE."""
    platform: PlatformKind
    platform_name: str = GKE_NAME
    """Google's name of the platform."""
    has_nodes: bool = True
    """Whether it runs in pods on nodes of the stack's cluster."""
    has_bucket: bool = True
    """Whether the stack stores its weights."""
    cloud_run: CloudRunPlan | None = None
    """Set only on Cloud Run."""
    vertex: VertexPlan | None = None
    """Set only on Vertex AI."""
    servers_per_accelerator: int = 1
    """Servers per card; above 1 the card is shared in equal parts."""
    hosts: int = 1
    """Nodes per replica; above 1 it runs as a LeaderWorkerSet."""
    pipeline_parallel: int = 1
    """Pipeline stages, one per node."""
    expert_parallel: bool = False
    kv_cache_dtype: str = "auto"
    steps: tuple[StepPlan, ...] = ()
    """The capacity list, first choice first."""
    replicas: Replicas
    scaling: ScalingPlan | None = None
    max_surge: int = 0
    """Extra replicas during a rollout: 1 only if the pools have a spare slot."""
    need: MemoryNeed
    server: ServerPlan
    weights: WeightsPlan
    loading: LoadingPlan = field(default_factory=LoadingPlan)
    usd_per_replica_hour: float | None
    """USD per hour for the replica's share of its nodes on the first step; None if no source gives a price."""
    reasons: tuple[Reason, ...]
    rejected: tuple[Rejected, ...]
    """The next best shapes, up to three."""
    warnings: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    """Facts about its files for policies."""
    canary_of: str | None = None
    """Key of the primary if this is a canary; otherwise None."""
    canary_weight: int = 0
    """Percentage of the primary's requests sent here; 0 unless this is a canary."""
    slo: SloPlan | None = None
    """The service level that its alerts enforce."""
    performance: PerformancePlan | None = None
    """Predicted performance; None if the lock has too few facts about the model."""
    labels: Mapping[str, str] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The user's labels of this model, over those of the stack; None without any."""
    batch: BatchPlan | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Requests that it answers offline; None without any."""
    companions: tuple[CompanionPlan, ...] | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Repositories served with it, sorted by name; None without any."""
    team: str | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Key of the team that owns it."""

    @property
    def adapters(self) -> tuple[CompanionPlan, ...]:
        """The adapters, which requests name."""
        return tuple(each for each in self.companions or () if each.role is CompanionRole.ADAPTER)

    @property
    def needs_token(self) -> bool:
        """Whether any of its repositories is gated, so that its loader reads a Hub token."""
        return any(each.needs_token for each in (self.weights, *(other.weights for other in self.companions or ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """A GKE node pool."""

    key: str
    """Stable key: class, shape, capacity kind, and a hash of the fields whose change replaces the pool."""
    capacity_class: str
    accelerator: str
    accelerator_kind: AcceleratorKind
    gke_accelerator: str
    """Value of the accelerator label."""
    machine_type: str
    gce_machine_type: str
    """Compute Engine machine type of the node pool (`n1-standard-4` with a T4 attached)."""
    accelerators_per_node: int
    accelerator_fraction: float | None = None
    """Share of a card that a node has; None for whole cards."""
    servers_per_accelerator: int = 1
    """Above 1: GPU time-sharing with this many clients per card."""
    nodes_per_slice: int = 1
    """Above 1: a multi-host TPU slice, created and deleted as a whole."""
    tpu_topology: str | None
    """For single-host slices used only in labels, never in a placement policy."""
    capacity: CapacityKind
    reservation: str | None
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    """Nodes needed with every model at its maximum replicas, in total across zones."""
    boot_disk_gib: int
    boot_disk_type: str | None
    """Boot disk type if the machine requires one; with None, GKE chooses one for the machine series."""
    local_ssds: int = 0
    """Local SSDs bundled with the machine, which GKE always uses as ephemeral storage."""
    price: PriceUsed | None
    """USD per node; None if no source gives a price."""
    models: tuple[str, ...]
    """Keys, sorted."""
    gpu_driver: GpuDriver | None = field(default=None, metadata=OMITTED_IF_NONE)
    """The NVIDIA driver; None means GKE's latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityClass:
    """An ordered list of pools for one shape, implemented as a GKE ComputeClass."""

    key: str
    pools: tuple[str, ...]
    """Pool keys, first choice first."""


FORMAT = 1
"""Version of the plan's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The complete plan of one environment's stack."""

    target: TargetPlan
    models: tuple[ModelPlan, ...]
    """Sorted by key."""
    pools: tuple[PoolPlan, ...]
    """Sorted by key."""
    classes: tuple[CapacityClass, ...]
    cost: Cost
    monitoring: MonitoringPlan | None = None
    """None means no PodMonitoring, dashboards, alerts or budget."""
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    """Optional ways to reduce cost."""
    gateway: GatewayPlan | None = None
    """None if models are reachable only inside the cluster."""
    traffic: TrafficPlan | None = None
    """How the gateway routes to models; None without a gateway."""
    callers: CallersPlan | None = field(default=None, metadata=OMITTED_IF_NONE)
    """Who may call which models through the gateway; None without `hubstack:callers`."""
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    """Key of each model on GKE to the address of its API inside the cluster."""
    buckets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Key of each model whose weights the stack stores to its bucket's name."""
    max_system_nodes: int = 0
    """Maximum nodes of the pool for controllers and loads; 0 without a cluster."""
    engine_metrics: Mapping[EngineKind, EngineMetrics] = field(default_factory=dict[EngineKind, EngineMetrics])
    """Metrics of the engines in use, and of engines that share one with them; empty without monitoring."""

    def target_of(self, model: ModelPlan) -> TargetPlan:
        """Return the target of a model: the stack's, in the namespace of the model's team."""
        return self.target.of_team(model.team)

    def by_namespace(self) -> "tuple[Plan, ...]":
        """Return the part of the plan in each namespace: that of the stack, then those of teams."""
        if not self.target.teams:
            return (self,)
        keys = [None, *(team.key for team in self.target.teams)]
        return tuple(
            replace(self, target=self.target.of_team(key), models=tuple(m for m in self.models if m.team == key))
            for key in keys
        )

    @property
    def on_gke(self) -> tuple[ModelPlan, ...]:
        """Return the models that run on GKE nodes as Kubernetes objects."""
        return tuple(model for model in self.models if model.has_nodes)

    def model_json(self, key: str, comparison: Comparison | None = None) -> str:
        """Return a model and its share of the bill as sorted, indented JSON that ends with a newline.

        Args:
            key: of the model.
            comparison: the accelerators that it fits; omitted if None.
        """
        (model,) = (each for each in self.models if each.key == key)
        said = {"format": FORMAT, "model": plain(model), "cost": plain(self.cost.by_item().get(key, []))}
        if comparison is not None:
            said["comparison"] = plain(comparison)
        return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def to_json(self, refused: Sequence[str] = ()) -> str:
        """Return the plan as sorted, indented JSON that ends with a newline.

        Args:
            refused: why other models of the list could not be planned; omitted if empty.
        """
        said = {"format": FORMAT, **plain(self)} | ({"refused": list(refused)} if refused else {})
        return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
