# SPDX-License-Identifier: Apache-2.0
"""The controller of LeaderWorkerSets, which GKE does not bring. There only where a model spans nodes."""

from dataclasses import dataclass

import pulumi

from hubstack.deploy import manifests
from pulumi_hubstack._charts import release
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:group_controller:GroupController"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupControllerArgs:
    """What the controller needs."""

    after: tuple[pulumi.Resource, ...]
    """What must be there first: the cluster with its system nodes."""


class GroupController(pulumi.ComponentResource):
    """Namespace and release."""

    ready: pulumi.Resource
    """What a group waits for: its kind, and the webhook that completes its pods."""

    def __init__(self, name: str, args: GroupControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        namespace = register(
            f"{name}-namespace",
            manifests.chart_namespace(manifests.LWS_NAMESPACE),
            child(self, depends_on=list(args.after)),
        )
        self.ready = release(f"{name}-lws", manifests.lws_chart(), self, [namespace])
        self.register_outputs({})
