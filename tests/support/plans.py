# SPDX-License-Identifier: Apache-2.0
"""A realistic Plan made by hand, so that tests of what follows the planner do not depend on it.

Of the planner only the engines' seats are asked.

Four models: `chat` (vLLM, one L4, spot then on-demand), `embed` (TEI, on the same L4 pools), `gated` (vLLM, four
H100, a reservation, needs the Hub token), `tpu` (vLLM for TPU, one v6e host).
"""

from dataclasses import replace
from typing import Any

from hubstack.catalog import load_catalog
from hubstack.catalog.gateway_images import COUNTERS, LIMITER, PROXY
from hubstack.kinds import AcceleratorKind, CapacityKind, EngineKind, PlatformKind
from hubstack.names import bucket_key, bucket_name, labels
from hubstack.plan import (
    CapacityClass,
    MemoryNeed,
    ModelPlan,
    Plan,
    PoolPlan,
    Probe,
    Replicas,
    ScalingPlan,
    ScalingTrigger,
    ServerPlan,
    Verdict,
    WeightsFile,
    WeightsPlan,
)
from hubstack.plan.bill import Cost
from hubstack.plan.callers import CallerPlan, CallersPlan, ProxyImage, TokenPrice
from hubstack.plan.gateway import GatewayAuth, GatewayPlan
from hubstack.plan.loading import LoadingPlan
from hubstack.plan.target import TargetPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.placement.system_pool import max_system_nodes
from hubstack.planner.serving.routing import endpoint_of, plan_traffic
from hubstack.planner.serving.slo import metrics_in_use

GIB = 1024**3
L4, H100, V6E = "g2-standard-8-spot-on-demand", "a3-highgpu-4g-reservation-1a2b", "ct6e-standard-8t-spot"


def make_plan(*, without: tuple[str, ...] = (), deletion_protection: bool = True) -> Plan:
    """Return the plan; `without` leaves out models, and with them pools that only they use."""
    models = tuple(model for model in MODELS if model.key not in without)
    used = {model.capacity_class for model in models}
    return Plan(
        target=TargetPlan(
            stack="test",
            project="acme-models-test",
            region="us-central1",
            namespace="models",
            deletion_protection=deletion_protection,
            release_channel="REGULAR",
            labels=labels("test"),
        ),
        models=models,
        pools=tuple(pool for pool in POOLS if pool.capacity_class in used),
        classes=tuple(one for one in CLASSES if one.key in used),
        cost=Cost(
            lines=(), usd_per_month_min=0, usd_per_month_max=1000, unpriced=(), not_counted=(), hours_per_month=730
        ),
    )


def with_gateway(plan: Plan, gateway: GatewayPlan | None) -> Plan:
    """Return the plan with a gateway, and how that finds its models."""
    by_key = gateway is not None and gateway.auth is GatewayAuth.API_KEYS
    return replace(
        plan,
        target=replace(plan.target, requires_api_key=by_key),
        gateway=gateway,
        traffic=plan_traffic(plan.on_gke, gateway) if gateway else None,
    )


def with_callers(plan: Plan, *callers: CallerPlan) -> Plan:
    """Return a plan with callers: by default one that may use every model, and one that may use one."""
    keys = tuple(model.key for model in plan.on_gke if model.canary_of is None)
    images = load_catalog().gateway_images
    proxy, limiter, counters = (
        ProxyImage(image=row.image, command=row.command, user=row.user)
        for row in (images[PROXY], images[LIMITER], images[COUNTERS])
    )
    research = CallerPlan(
        name="research",
        secret_id="hubstack-test-caller-research",
        readers=("group:research@example.com",),
        models=keys,
        requests_per_minute=600,
        tokens_per_minute=200_000,
        budget_units=500_000_000,
    )
    search = CallerPlan(name="search", secret_id="hubstack-test-caller-search", readers=(), models=keys[:1])
    price = TokenPrice(usd_per_million_input=0.02, usd_per_million_output=0.277)
    return replace(
        plan,
        callers=CallersPlan(
            callers=callers or (research, search),
            prices=dict.fromkeys(keys, price),
            unit_usd=1e-6,
            proxy=proxy,
            limiter=limiter,
            counters=counters,
            keys_image="python:3.12-slim-bookworm",
        ),
    )


def complete(plan: Plan) -> Plan:
    """Return the plan with everything that follows from its models, as the planner gives it."""
    target, nodes = plan.target, plan.on_gke
    stored = [model for model in plan.models if model.has_bucket]
    return replace(
        plan,
        endpoints={model.key: endpoint_of(model, target.namespace) for model in nodes},
        buckets={model.key: bucket_name(target.project, target.stack, bucket_key(model)) for model in stored},
        max_system_nodes=max_system_nodes(len(nodes)) if nodes else 0,
        engine_metrics=metrics_in_use(nodes, load_catalog().engine_metrics) if plan.monitoring else {},
    )


def renamed(model: ModelPlan, key: str) -> ModelPlan:
    """Return the same model under another key."""
    return replace(model, key=key)


def _need() -> MemoryNeed:
    return MemoryNeed(
        terms=(),
        visible_bytes=22 * GIB,
        budget_bytes=20 * GIB,
        kv_bytes_per_token=0,
        kv_fixed_bytes=0,
        kv_available_bytes=4 * GIB,
        kv_tokens=0,
        context=4096,
        concurrency=4,
        verdict=Verdict.FITS,
    )


def _server(engine: EngineKind, count: int, *, tpu: bool = False) -> ServerPlan:
    def probe(period: int, failures: int) -> Probe:
        return Probe(path="/health", port=8000, period_seconds=period, failure_threshold=failures)

    return ServerPlan(
        engine=engine,
        version="1",
        image=f"registry.example/{engine}:1",
        command=("serve",),
        args=("/weights", "--port", "8000"),
        env=(("HF_HUB_OFFLINE", "1"), ("HOME", "/scratch")),
        port=8000,
        startup=probe(10, 90),
        readiness=probe(5, 3),
        liveness=probe(15, 8),
        metrics_path="/metrics",
        api_path="/v1",
        served_model_name="acme/model",
        run_as_user=0 if tpu else 2000,
        cpu_millicores=6000,
        memory_bytes=24 * GIB,
        accelerator_resource="google.com/tpu" if tpu else "nvidia.com/gpu",
        accelerator_count=count,
        shm_bytes=2 * GIB * count if count > 1 else 0,
        scratch_bytes=8 * GIB,
        load_seconds=300,
        pre_stop_seconds=20,
        drain_seconds=95,
        termination_grace_seconds=120,
        **_of_seat(engine),
    )


def _of_seat(engine: EngineKind) -> dict[str, Any]:
    spec = spec_of(engine)
    return {"open_paths": spec.open_paths, "api_key": spec.api_key, "picker_metrics": spec.picker_metrics}


def with_engine(model: ModelPlan, engine: EngineKind) -> ModelPlan:
    """Return the model served by another engine."""
    return replace(model, server=replace(model.server, engine=engine, **_of_seat(engine)))


def _weights(repo_id: str, commit: str, *, gated: bool = False, total_gib: int = 16) -> WeightsPlan:
    return WeightsPlan(
        repo_id=repo_id,
        commit=commit,
        prefix=commit,
        files=(
            WeightsFile(path="config.json", size_bytes=700, sha256=None, git_oid="b" * 40),
            WeightsFile(path="model.safetensors", size_bytes=5 * GIB, sha256="c" * 64),
        ),
        patterns=("*.safetensors", "*.json"),
        total_bytes=total_gib * GIB,
        largest_file_bytes=5 * GIB,
        model_path="/weights",
        needs_token=gated,
        loader_image="python:3.12-slim-bookworm",
        exclude=("original/*",),
    )


def _model(
    key: str, engine: EngineKind, pool: PoolPlan, replicas: Replicas, *, gated: bool = False, total_gib: int = 16
) -> ModelPlan:
    commit = key[0].encode().hex() * 20
    count, is_tpu = pool.accelerators_per_node, pool.accelerator_kind is AcceleratorKind.TPU
    return ModelPlan(
        key=key,
        id=f"acme/{key}",
        revision="main",
        commit=commit,
        license="apache-2.0",
        gated=gated,
        accelerator=pool.accelerator,
        accelerator_name=pool.accelerator.upper(),
        accelerator_kind=pool.accelerator_kind,
        gke_accelerator=pool.gke_accelerator,
        machine_type=pool.machine_type,
        platform=PlatformKind.GKE,
        accelerator_count=count,
        tensor_parallel=count,
        tpu_topology=pool.tpu_topology,
        capacity_class=pool.capacity_class,
        replicas=replicas,
        need=_need(),
        server=_server(engine, count, tpu=is_tpu),
        weights=_weights(f"acme/{key}", commit, gated=gated, total_gib=total_gib),
        loading=LoadingPlan(seconds=60, slow_seconds=80, file_cache=total_gib <= 100),
        usd_per_replica_hour=1.0,
        reasons=(),
        rejected=(),
    )


def make_pool(
    capacity_class: str,
    capacity: CapacityKind,
    machine: str,
    accelerator: str,
    label: str,
    count: int,
    *,
    topology: str | None = None,
    reservation: str | None = None,
) -> PoolPlan:
    """Return a pool of up to three nodes."""
    return PoolPlan(
        key=f"{machine}-{capacity}-0a1b2c",
        capacity_class=capacity_class,
        accelerator=accelerator,
        accelerator_kind=AcceleratorKind.TPU if topology else AcceleratorKind.GPU,
        gke_accelerator=label,
        machine_type=machine,
        gce_machine_type=machine,
        accelerators_per_node=count,
        tpu_topology=topology,
        capacity=capacity,
        reservation=reservation,
        zones=("us-central1-a", "us-central1-b"),
        min_nodes=0,
        max_nodes=3,
        boot_disk_gib=200,
        boot_disk_type=None,
        price=None,
        models=(),
    )


POOLS = (
    make_pool(
        H100, CapacityKind.RESERVATION, "a3-highgpu-4g", "h100-80gb", "nvidia-h100-80gb", 4, reservation="team-a"
    ),
    make_pool(V6E, CapacityKind.SPOT, "ct6e-standard-8t", "v6e", "tpu-v6e-slice", 8, topology="2x4"),
    make_pool(L4, CapacityKind.ON_DEMAND, "g2-standard-8", "l4", "nvidia-l4", 1),
    make_pool(L4, CapacityKind.SPOT, "g2-standard-8", "l4", "nvidia-l4", 1),
)
RESERVED, TPU_SPOT, L4_ON_DEMAND, L4_SPOT = POOLS
CLASSES = (
    CapacityClass(key=H100, pools=(RESERVED.key,)),
    CapacityClass(key=V6E, pools=(TPU_SPOT.key,)),
    CapacityClass(key=L4, pools=(L4_SPOT.key, L4_ON_DEMAND.key)),
)
MODELS = (
    _model("chat", EngineKind.VLLM, L4_SPOT, Replicas(min=0, max=2)),
    _model("embed", EngineKind.TEI, L4_SPOT, Replicas(min=1, max=1), total_gib=1),
    _model("gated", EngineKind.VLLM, RESERVED, Replicas(min=1, max=2), gated=True, total_gib=140),
    _model("tpu", EngineKind.VLLM_TPU, TPU_SPOT, Replicas(min=1, max=1)),
)
CHAT, EMBED, GATED, TPU = MODELS
SCALING = ScalingPlan(
    triggers=(
        ScalingTrigger(name="queue", query="sum(waiting)", target=5),
        ScalingTrigger(name="kv-cache", query="sum(usage)", target=0.8),
    ),
    requests_per_replica=64,
    scales_to_zero=False,
    idle_seconds=900,
    activation_timeout_seconds=0,
    settle_seconds=300,
)
RESTING = replace(CHAT, scaling=replace(SCALING, scales_to_zero=True, activation_timeout_seconds=1500))
"""`chat`, scaled to zero while idle."""
BUSY = replace(GATED, scaling=SCALING)
"""`gated`, which always runs and grows."""


def with_models(*models: ModelPlan) -> Plan:
    """Return the plan with these models in the place of those of their key."""
    plan, other = make_plan(), {model.key: model for model in models}
    return replace(plan, models=tuple(other.get(model.key, model) for model in plan.models))
