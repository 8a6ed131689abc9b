# SPDX-License-Identifier: Apache-2.0
"""The LeaderWorkerSet controller, which GKE does not include. Installed only if a model spans nodes."""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._charts import release
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:group_controller:GroupController"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupControllerArgs:
    """Inputs of the controller."""

    target: TargetPlan
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the cluster with its system nodes."""


class GroupController(pulumi.ComponentResource):
    """The controller's namespace, its network policy and Helm release."""

    ready: pulumi.Resource
    """Resources that groups depend on: the CRD, and the webhook that completes their pods."""

    def __init__(self, name: str, args: GroupControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        namespace = register(
            f"{name}-namespace",
            manifests.chart_namespace(manifests.LWS_NAMESPACE),
            child(self, depends_on=list(args.after)),
        )
        policy = manifests.group_controller_policy(args.target)
        closed = register(f"{name}-{policy['metadata']['name']}", policy, child(self, depends_on=[namespace]))
        self.ready = release(f"{name}-lws", manifests.lws_chart(args.target.images), self, [namespace, closed])
        self.register_outputs({})
