# SPDX-License-Identifier: Apache-2.0
"""The copy of one model from the Hub to its bucket: account, script, Job.

The Job's name carries the commit and the file list, so a new commit is a new Job beside the old folder. Pulumi
waits for the Job to end, so what depends on this component finds its weights.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan, Plan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:weights_loader:WeightsLoader"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLoaderArgs:
    """What a loader needs."""

    plan: Plan
    model: ModelPlan
    hub_secret_id: str
    """Read only for a gated model."""
    after: tuple[pulumi.Resource, ...]
    """What must be there first: namespace, bucket with grants, token."""


class WeightsLoader(pulumi.ComponentResource):
    """Kubernetes objects of the load."""

    def __init__(self, name: str, args: WeightsLoaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        plan, model = args.plan, args.model
        here = child(self, depends_on=list(args.after))
        needed = [
            register(f"{name}-account", manifests.service_account(plan, manifests.loader_account(model)), here),
            register(f"{name}-script", manifests.loader_config(plan, model), here),
        ]
        if model.weights.needs_token:
            needed.append(register(f"{name}-token", manifests.token_class(plan, model, args.hub_secret_id), here))
        self.job = register(
            f"{name}-job",
            manifests.loader_job(plan, model),
            child(
                self,
                depends_on=[*args.after, *needed],
                # Hours for the largest repositories; the default of ten minutes would end the wait in failure.
                custom_timeouts=pulumi.CustomTimeouts(create="6h", update="6h"),
            ),
        )
        self.register_outputs({})
