# SPDX-License-Identifier: Apache-2.0
"""The copy of one model from the Hub to its bucket: account, script, Job.

The Job's name carries the commit and the file list, so a new commit is a new Job beside the old folder. Pulumi
waits for the Job to end, so what depends on this component finds its weights.
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components._options import child
from hubstack import manifests
from hubstack.plan import ModelPlan, Plan

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
        plan, model, after = args.plan, args.model, list(args.after)
        account = manifests.service_account(plan, manifests.loader_account(model))
        config, job = manifests.loader_config(plan, model), manifests.loader_job(plan, model)
        needed: list[pulumi.Resource] = [
            kubernetes.core.v1.ServiceAccount(
                f"{name}-account",
                metadata=account["metadata"],
                automount_service_account_token=account["automountServiceAccountToken"],
                opts=child(self, depends_on=after),
            ),
            kubernetes.core.v1.ConfigMap(
                f"{name}-script",
                metadata=config["metadata"],
                immutable=config["immutable"],
                data=config["data"],
                opts=child(self, depends_on=after),
            ),
        ]
        if model.weights.needs_token:
            token = manifests.token_class(plan, model, args.hub_secret_id)
            needed.append(
                kubernetes.apiextensions.CustomResource(
                    f"{name}-token",
                    api_version=token["apiVersion"],
                    kind=token["kind"],
                    metadata=token["metadata"],
                    spec=token["spec"],
                    opts=child(self, depends_on=after),
                )
            )
        self.job = kubernetes.batch.v1.Job(
            f"{name}-job",
            metadata=job["metadata"],
            spec=job["spec"],
            opts=child(
                self,
                depends_on=[*after, *needed],
                # Hours for the largest repositories; the default of ten minutes would end the wait in failure.
                custom_timeouts=pulumi.CustomTimeouts(create="6h", update="6h"),
            ),
        )
        self.register_outputs({})
