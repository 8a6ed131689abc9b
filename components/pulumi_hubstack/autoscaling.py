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
from hubstack.plan import Plan
from pulumi_hubstack._charts import release
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child

TOKEN = "hubstack:autoscaling:Autoscaling"  # noqa: S105  a type token
VIEWER_ROLE = "roles/monitoring.viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingArgs:
    """Inputs of autoscaling."""

    plan: Plan
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
        plan, after = args.plan, list(args.after)
        namespace = register(
            f"{name}-namespace",
            manifests.chart_namespace(plan.target.keda_namespace),
            child(self, depends_on=after),
        )
        grant = gcp.projects.IAMMember(
            f"{name}-monitoring",
            project=plan.target.project,
            role=VIEWER_ROLE,
            member=args.operator_member,
            opts=child(self, depends_on=after),
        )
        closed = [
            register(f"{name}-{policy['metadata']['name']}", policy, child(self, depends_on=[namespace]))
            for policy in manifests.keda_policies(plan)
        ]
        keda = release(f"{name}-keda", manifests.keda_chart(plan.target.keda_namespace), self, [namespace, *closed])
        ready: list[pulumi.Resource] = [keda, grant]
        if manifests.scale_to_zero_models(plan):
            # Its chart contains a ScaledObject, a kind that KEDA's CRDs define.
            guard = register(
                f"{name}-interceptor-callers",
                manifests.interceptor_callers(plan),
                child(self, depends_on=[namespace]),
            )
            held = release(f"{name}-interceptor", manifests.http_add_on_chart(plan), self, [guard, keda])
            ready.append(held)
        ready.append(
            register(
                f"{name}-authentication",
                manifests.trigger_authentication(plan),
                child(self, depends_on=[*after, keda]),
            )
        )
        self.ready = tuple(ready)
        self.register_outputs({})
