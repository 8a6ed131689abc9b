# SPDX-License-Identifier: Apache-2.0
"""Copies one model from the Hub to its bucket, and its adapters and draft model: service account, scripts and Jobs.

The Job's name includes the commit and the file list, so a new commit gets a new Job, and its folder is added beside
the old one. Pulumi waits for the Job to finish, so what depends on this component finds its weights.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_loader:WeightsLoader"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLoaderArgs:
    """Inputs of a loader."""

    target: TargetPlan
    model: ModelPlan
    hub_secret_id: str
    """The Hub token's secret; read only for a gated model."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the namespace, the bucket with its grants, and the token."""


class WeightsLoader(pulumi.ComponentResource):
    """The Kubernetes objects of the load."""

    def __init__(self, name: str, args: WeightsLoaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, model = args.target, args.model
        here = child(self, depends_on=list(args.after))
        needed = [
            register(f"{name}-account", manifests.service_account(target, manifests.loader_account(model)), here),
            register(f"{name}-script", manifests.loader_config(target, model), here),
        ]
        if model.needs_token:
            needed.append(register(f"{name}-token", manifests.token_class(target, model, args.hub_secret_id), here))
        # The largest repositories take hours; the default of ten minutes would fail the wait.
        patience = pulumi.CustomTimeouts(create="6h", update="6h")
        after = [*args.after, *needed]
        self.job = register(
            f"{name}-job",
            manifests.loader_job(target, model),
            child(self, depends_on=after, custom_timeouts=patience),
        )
        # A canary uses its model's companions, in the bucket that they share.
        for each, load in ({} if model.canary_of else manifests.companion_loads(model)).items():
            script = register(f"{name}-{each}-script", manifests.loader_config(target, load), here)
            register(
                f"{name}-{each}-job",
                manifests.companion_job(target, load),
                child(self, depends_on=[*after, script], custom_timeouts=patience),
            )
        self.register_outputs({})
