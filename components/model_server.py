# SPDX-License-Identifier: Apache-2.0
"""The servers of one model: account, Deployment, Service and disruption budget.

They wait for their weights by what they depend on: Pulumi ends a load's Job before it makes the Deployment. The
number of replicas is the plan's smallest when the Deployment is made, and from then on whoever scales it decides:
`kubectl scale deployment KEY --replicas N`, also from zero.
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components._options import child
from hubstack import manifests, multi_host
from hubstack.plan import ModelPlan, Plan

TOKEN = "hubstack:model_server:ModelServer"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServerArgs:
    """What a server needs."""

    plan: Plan
    model: ModelPlan
    after: tuple[pulumi.Resource, ...]
    """What must be there first: namespace, weights, capacity class."""


class ModelServer(pulumi.ComponentResource):
    """Kubernetes objects of the servers."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        plan, model, after = args.plan, args.model, list(args.after)
        account = manifests.service_account(plan, manifests.server_name(model))
        service = manifests.service(plan, model)
        budget = manifests.disruption_budget(plan, model)
        identity = kubernetes.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=account["metadata"],
            automount_service_account_token=account["automountServiceAccountToken"],
            opts=child(self, depends_on=after),
        )
        kubernetes.core.v1.Service(
            f"{name}-service", metadata=service["metadata"], spec=service["spec"],
            # A Service without a ready pod is no failure: a model may rest at zero replicas.
            opts=child(self, depends_on=after),
        )  # fmt: skip
        servers = child(
            self,
            depends_on=[*after, identity],
            # Replicas are scaled while the stack runs; `pulumi up` must not undo that.
            ignore_changes=["spec.replicas"],
            custom_timeouts=pulumi.CustomTimeouts(create="3h", update="3h"),
        )
        if model.hosts > 1:
            group = multi_host.leader_worker_set(plan, model)
            kubernetes.apiextensions.CustomResource(
                f"{name}-group", api_version=group["apiVersion"], kind=group["kind"], metadata=group["metadata"],
                spec=group["spec"], opts=servers,
            )  # fmt: skip
        else:
            deployment = manifests.deployment(plan, model)
            kubernetes.apps.v1.Deployment(
                f"{name}-deployment", metadata=deployment["metadata"], spec=deployment["spec"], opts=servers
            )
        kubernetes.policy.v1.PodDisruptionBudget(
            f"{name}-budget", metadata=budget["metadata"], spec=budget["spec"],
            opts=child(self, depends_on=after),
        )  # fmt: skip
        self.register_outputs({})
