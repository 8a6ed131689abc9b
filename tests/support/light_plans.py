# SPDX-License-Identifier: Apache-2.0
"""Plans made by hand of models beside GKE: `run` and the gated `vault` on Cloud Run, `garden` on Vertex AI."""

from dataclasses import replace

from hubstack.kinds import Ingress, PlatformKind
from hubstack.plan import ModelPlan, Plan, Replicas
from hubstack.plan.managed import CloudRunPlan, JobPlan, VertexPlan
from tests.support.plans import CHAT, make_plan

SERVICE = CloudRunPlan(
    accelerator="nvidia-l4",
    vcpu=4,
    memory_gib=16,
    concurrency=64,
    timeout_seconds=420,
    startup_period_seconds=10,
    startup_failure_threshold=90,
    ingress=Ingress.INTERNAL,
    invokers=("group:apps@example.com",),
    usd_per_instance_hour=1.0,
    price_source="run-sku",
    price_as_of="2026-08",
    loader=JobPlan(vcpu=4, memory_gib=16, timeout_seconds=21600),
)


def _on_run(key: str, *, gated: bool = False) -> ModelPlan:
    commit = "7" * 40
    weights = replace(
        CHAT.weights,
        repo_id=f"acme/{key}",
        commit=commit,
        prefix=commit,
        needs_token=gated,
        model_path=f"/weights/{commit}",
    )
    return replace(
        CHAT,
        key=key,
        id=f"acme/{key}",
        commit=commit,
        gated=gated,
        platform=PlatformKind.CLOUD_RUN,
        platform_name="Cloud Run",
        has_nodes=False,
        cloud_run=SERVICE,
        capacity_class="",
        weights=weights,
    )


RUN, VAULT = _on_run("run"), _on_run("vault", gated=True)
GARDEN = replace(
    CHAT,
    key="garden",
    id="acme/garden",
    platform=PlatformKind.VERTEX,
    platform_name="Vertex AI",
    has_nodes=False,
    has_bucket=False,
    capacity_class="",
    replicas=Replicas(min=1, max=2),
    weights=replace(CHAT.weights, needs_token=True),
    vertex=VertexPlan(
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        machine_type="g2-standard-12",
        accept_eula=True,
        needs_token=True,
    ),
)
LIGHT = (GARDEN, RUN, VAULT)


def light_plan(*models: ModelPlan) -> Plan:
    """Return a stack of models beside GKE only."""
    return replace(make_plan(), models=models or LIGHT, pools=(), classes=())
