# SPDX-License-Identifier: Apache-2.0
"""The models served on managed platforms instead of GKE. Composes their components; decides nothing.

They need no network, cluster or nodes; a stack of only such models has none.
"""

from dataclasses import dataclass
from typing import NamedTuple

import pulumi

from hubstack import names
from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.managed import CloudRunPlan, VertexPlan
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


def services_of(plan: Plan) -> tuple[str, ...]:
    """Return the Google APIs that managed models use."""
    called = (
        ("run", any(model.cloud_run for model in plan.models)),
        ("aiplatform", any(model.vertex for model in plan.models)),
        ("secretmanager", any(is_gated_on_run(model) for model in plan.models)),
    )
    return tuple(name for name, is_called in called if is_called)


def is_gated_on_run(model: ModelPlan) -> bool:
    """Return whether the model's loader on Cloud Run reads the Hub token."""
    return model.cloud_run is not None and model.weights.needs_token


class ManagedModel(NamedTuple):
    """A registered model."""

    server: pulumi.Resource
    address: pulumi.Output[str]
    """Address of its API."""


def create_models(parts: ManagedParts) -> dict[str, ManagedModel]:
    """Register all models that do not run on nodes, by key."""
    made = {model.key: create_model(parts, model) for model in parts.plan.models}
    return {key: each for key, each in made.items() if each}


def create_model(parts: ManagedParts, model: ModelPlan) -> ManagedModel | None:
    """Register a model; return None if it runs on GKE."""
    if model.cloud_run:
        return _create_service(parts, model, model.cloud_run)
    return _create_deployment(parts, model, model.vertex) if model.vertex else None


def _create_service(parts: ManagedParts, model: ModelPlan, run: CloudRunPlan) -> ManagedModel:
    plan, target = parts.plan, parts.plan.target
    accounts = RunAccounts(
        f"{model.key}-accounts",
        RunAccountsArgs(stack=target.stack, key=names.original_key(model)),
        renamed(parts.google, "{}-accounts", model.was),
    )
    bucket = WeightsBucket(
        f"{model.key}-weights",
        WeightsBucketArgs(
            bucket_name=manifests.bucket_name(plan, model),
            region=target.region,
            readers={"server": accounts.server.member},
            writers={"loader": accounts.loader.member},
            labels=names.model_labels(target.stack, names.original_key(model), model.labels),
            kms_key=target.kms_key,
        ),
        renamed(parts.google, "{}-weights", model.was),
    )
    token = parts.token if model.weights.needs_token else ()
    loader = RunLoader(
        f"{model.key}-loader",
        RunLoaderArgs(
            plan=plan,
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
            plan=plan,
            model=model,
            run=run,
            account_email=accounts.server.email,
            bucket_name=bucket.name,
            after=(bucket, loader),
        ),
        renamed(parts.google, "{}", model.was),
    )
    return ManagedModel(service, pulumi.Output.format("{0}{1}", service.uri, model.server.api_path))


def _create_deployment(parts: ManagedParts, model: ModelPlan, vertex: VertexPlan) -> ManagedModel:
    args = VertexEndpointArgs(target=parts.plan.target, model=model, vertex=vertex, hub_token=parts.hub_token)
    deployment = VertexEndpoint(model.key, args, renamed(parts.google, "{}", model.was))
    return ManagedModel(deployment, deployment.endpoint)
