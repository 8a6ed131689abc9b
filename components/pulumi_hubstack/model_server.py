# SPDX-License-Identifier: Apache-2.0
"""The servers of one model: service account, Deployment, Service, disruption budget and scaler.

They depend on their weights: Pulumi waits for the load's Job before it creates the Deployment. The Deployment
starts with the plan's minimum number of replicas; afterwards the number is up to the scaler: KEDA, or with
autoscaling off `kubectl scale deployment KEY --replicas N`.
"""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:model_server:ModelServer"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServerArgs:
    """Inputs of a model's servers."""

    target: TargetPlan
    model: ModelPlan
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: namespace, weights, ComputeClass, the LeaderWorkerSet controller."""
    autoscaling: tuple[pulumi.Resource, ...] = ()
    """Resources that only the scaler depends on: KEDA."""


class ModelServer(pulumi.ComponentResource):
    """Kubernetes objects of the servers."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, model, after = args.target, args.model, list(args.after)
        here = child(self, depends_on=after)
        identity = register(
            f"{name}-account", manifests.service_account(target, manifests.server_name(model)), here
        )
        # A Service without a ready pod is not an error: a model may be scaled to zero.
        register(f"{name}-service", manifests.service(target, model), here)
        files = manifests.files_config(target, model)
        mounted = [register(f"{name}-files", files, here)] if files else []
        servers = child(
            self,
            depends_on=[*after, identity, *mounted],
            # Replicas change at run time; `pulumi up` must not reset them.
            ignore_changes=["spec.replicas"],
            custom_timeouts=pulumi.CustomTimeouts(create="3h", update="3h"),
        )
        if model.hosts > 1:
            workload = register(f"{name}-group", manifests.leader_worker_set(target, model), servers)
        else:
            workload = register(f"{name}-deployment", manifests.deployment(target, model), servers)
        register(f"{name}-budget", manifests.disruption_budget(target, model), here)
        if model.scaling is not None:
            self._create_scaler(name, args, workload)
        self.register_outputs({})

    def _create_scaler(self, name: str, args: ModelServerArgs, workload: pulumi.Resource) -> None:
        target, model = args.target, args.model
        needed = [*args.after, *args.autoscaling]
        if manifests.scales_to_zero(model):
            there = child(self, depends_on=needed)
            register(
                f"{name}-wake",
                manifests.activation_service(target, model),
                child(self, depends_on=list(args.after)),
            )
            needed.append(register(f"{name}-route", manifests.interceptor_route(target, model), there))
        # Deleted before its target and before KEDA, which must remove its finalizer.
        scaler = child(self, depends_on=[*needed, workload])
        register(f"{name}-scaler", manifests.scaled_object(target, model), scaler)
