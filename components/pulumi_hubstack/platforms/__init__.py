# SPDX-License-Identifier: Apache-2.0
"""The managed platforms, one module each: `RESOURCES` in `platforms/<platform>.py` registers a model there.

GKE has none: the models on its nodes share a cluster (`pulumi_hubstack.node_models`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from hubstack.kinds import PlatformKind
from hubstack.plan import ModelPlan, Plan
from pulumi_hubstack.managed_models import ManagedModel, ManagedParts


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformResources:
    """How a platform's models are registered."""

    service: str
    """Name of its Google API: `run` of `run.googleapis.com`."""
    reads_token: bool = False
    """Whether something on the platform reads the Hub token from Secret Manager."""
    create: Callable[[ManagedParts, ModelPlan], ManagedModel]
    """Registers a model, and returns its server and address."""


def resources_of(kind: PlatformKind) -> PlatformResources:
    """Return how the models of a managed platform are registered; module `cloud_run` is for `cloud-run`."""
    return import_module(f"{__name__}.{kind.replace('-', '_')}").RESOURCES


def create_models(parts: ManagedParts) -> dict[str, ManagedModel]:
    """Register all models that do not run on nodes, by key."""
    return {
        model.key: resources_of(model.platform).create(parts, model)
        for model in parts.plan.models
        if not model.has_nodes
    }


def services_of(plan: Plan) -> tuple[str, ...]:
    """Return the Google APIs that managed models use."""
    used = {model.platform for model in plan.models if not model.has_nodes}
    services = [resources_of(kind).service for kind in PlatformKind if kind in used]
    return (*services, *(["secretmanager"] if any(map(reads_token, plan.models)) else []))


def reads_token(model: ModelPlan) -> bool:
    """Return whether the model's loader on a managed platform reads the Hub token."""
    return not model.has_nodes and model.weights.needs_token and resources_of(model.platform).reads_token
