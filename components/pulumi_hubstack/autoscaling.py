# SPDX-License-Identifier: Apache-2.0
"""KEDA and its HTTP add-on: replicas follow the load, and requests are held during a cold start.

Installed only if a model's number of replicas may change; the add-on only if a model scales to zero. KEDA reads
metrics from managed Prometheus under its own service account, with the one role that this needs. Why KEDA:
docs/adr/0013.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import manifests
from hubstack.plan.target import TargetPlan
from pulumi_hubstack._charts import release
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:autoscaling:Autoscaling"  # noqa: S105  a type token
VIEWER_ROLE = "roles/monitoring.viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingArgs:
    """Inputs of autoscaling."""

    target: TargetPlan
    policies: tuple[manifests.Object, ...]
    """Network policies of KEDA's namespace."""
    interceptor_callers: manifests.Object | None = None
    """Network policy of the interceptor; None if no model scales to zero, and the interceptor is not installed."""
    activation_timeout_seconds: int = 0
    """The most seconds that a request may wait for a cold start."""
    operator_member: pulumi.Input[str]
    """IAM member of KEDA's operator."""
    after: tuple[pulumi.Resource, ...]
    """Resources to create first: the cluster and the models' namespace."""


class Autoscaling(pulumi.ComponentResource):
    """KEDA's namespace, network policies, IAM grant, Helm releases, and the authentication that scalers use."""

    ready: tuple[pulumi.Resource, ...]
    """Resources that scalers depend on."""

    def __init__(self, name: str, args: AutoscalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        target, after = args.target, list(args.after)
        namespace = register(
            f"{name}-namespace",
            manifests.chart_namespace(target.keda_namespace),
            child(self, depends_on=after),
        )
        grant = gcp.projects.IAMMember(
            f"{name}-monitoring",
            project=target.project,
            role=VIEWER_ROLE,
            member=args.operator_member,
            opts=child(self, depends_on=after),
        )
        closed = [
            register(f"{name}-{policy['metadata']['name']}", policy, child(self, depends_on=[namespace]))
            for policy in args.policies
        ]
        chart = manifests.keda_chart(target.keda_namespace, target.images)
        keda = release(f"{name}-keda", chart, self, [namespace, *closed])
        ready: list[pulumi.Resource] = [keda, grant]
        if args.interceptor_callers:
            # Its chart contains a ScaledObject, a kind that KEDA's CRDs define.
            guard = register(
                f"{name}-interceptor-callers",
                args.interceptor_callers,
                child(self, depends_on=[namespace]),
            )
            chart = manifests.http_add_on_chart(
                target.keda_namespace, args.activation_timeout_seconds, target.images
            )
            held = release(
                f"{name}-interceptor",
                chart,
                self,
                [guard, keda],
            )
            ready.append(held)
        ready += [
            register(f"{name}-{key}authentication", obj, child(self, depends_on=[*after, keda]))
            for key, obj in manifests.trigger_authentications(target).items()
        ]
        self.ready = tuple(ready)
        self.register_outputs({})
