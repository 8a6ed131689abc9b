# SPDX-License-Identifier: Apache-2.0
"""The resources of models on managed platforms instead of GKE. Composes their components; decides nothing.

They need no network, cluster or nodes; a stack of only such models has none. Does not own which platform registers
a model how (`pulumi_hubstack.platforms`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import pulumi

from hubstack import names
from hubstack.plan import ModelPlan, Plan
from pulumi_hubstack._options import renamed
from pulumi_hubstack.cloud_run_service import CloudRunService, CloudRunServiceArgs
from pulumi_hubstack.run_accounts import RunAccounts, RunAccountsArgs
from pulumi_hubstack.run_loader import RunLoader, RunLoaderArgs
from pulumi_hubstack.vertex_endpoint import VertexEndpoint, VertexEndpointArgs
from pulumi_hubstack.weights_bucket import WeightsBucket, WeightsBucketArgs

SERVICES = ("cloudresourcemanager", "iam", "logging", "monitoring", "storage")
"""Google APIs used by a stack without a cluster, before those of its platforms; the others depend on the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedParts:
    """Resources that managed models share."""

    plan: Plan
    google: pulumi.ResourceOptions
    """Options with the Google provider and dependencies."""
    hub_secret_id: str
    token: tuple[pulumi.Resource, ...]
    """The Hub token's secret; empty if no model here is gated."""
    hub_token: pulumi.Input[str] | None
    """Secret."""


class ManagedModel(NamedTuple):
    """A registered model."""

    server: pulumi.Resource
    address: pulumi.Output[str]
    """Address of its API."""


def create_service(parts: ManagedParts, model: ModelPlan) -> ManagedModel:
    """Register a model on Cloud Run."""
    run = model.cloud_run
    if run is None:  # the platform's seat in the planner plans it
        raise ValueError(f"{model.key} has no plan for Cloud Run")
    target = parts.plan.target
    accounts = RunAccounts(
        f"{model.key}-accounts",
        RunAccountsArgs(stack=target.stack, key=names.original_key(model)),
        renamed(parts.google, "{}-accounts", model.was),
    )
    bucket = WeightsBucket(
        f"{model.key}-weights",
        WeightsBucketArgs(
            bucket_name=parts.plan.buckets[model.key],
            region=target.region,
            readers={"server": accounts.server.member},
            writers={"loader": accounts.loader.member},
            labels=names.model_labels(target.stack, names.original_key(model), model.labels),
            own_weights=model.id if names.is_own(model.id) else None,
            kms_key=target.kms_key,
        ),
        renamed(parts.google, "{}-weights", model.was),
    )
    token = parts.token if model.weights.needs_token else ()
    loader = RunLoader(
        f"{model.key}-loader",
        RunLoaderArgs(
            target=target,
            model=model,
            job=run.loader,
            account=accounts.loader,
            bucket_name=bucket.name,
            hub_secret_id=parts.hub_secret_id,
            after=(bucket, *token),
        ),
        renamed(parts.google, "{}-loader", model.was),
    )
    service = CloudRunService(
        model.key,
        CloudRunServiceArgs(
            target=target,
            model=model,
            run=run,
            account_email=accounts.server.email,
            bucket_name=bucket.name,
            after=(bucket, loader),
        ),
        renamed(parts.google, "{}", model.was),
    )
    return ManagedModel(service, pulumi.Output.format("{0}{1}", service.uri, model.server.api_path))


def create_deployment(parts: ManagedParts, model: ModelPlan) -> ManagedModel:
    """Register a model on Vertex AI."""
    vertex = model.vertex
    if vertex is None:  # the platform's seat in the planner plans it
        raise ValueError(f"{model.key} has no plan for Vertex AI")
    args = VertexEndpointArgs(target=parts.plan.target, model=model, vertex=vertex, hub_token=parts.hub_token)
    deployment = VertexEndpoint(model.key, args, renamed(parts.google, "{}", model.was))
    return ManagedModel(deployment, deployment.endpoint)
