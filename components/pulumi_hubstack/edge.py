# SPDX-License-Identifier: Apache-2.0
"""Resources around the models: the gateway, monitoring and the service perimeter. Decides nothing."""

from collections.abc import Iterable, Mapping

import pulumi
import pulumi_gcp as gcp

from hubstack.deploy import manifests
from hubstack.deploy import monitoring as observability
from hubstack.deploy.callers.pods import callers_objects
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayAuth
from pulumi_hubstack._options import child
from pulumi_hubstack.callers import Callers, CallersArgs
from pulumi_hubstack.foundation import Foundation, Project, enable_api
from pulumi_hubstack.gateway import Gateway, GatewayArgs
from pulumi_hubstack.observability import Observability, ObservabilityArgs


def build_gateway(
    parent: pulumi.Resource,
    plan: Plan,
    base: Foundation,
    servers: Mapping[str, pulumi.Resource],
    secrets: Mapping[GatewayAuth, pulumi.Input[str] | None],
) -> Gateway | None:
    """Register the gateway; return None if the stack has none.

    Args:
        parent: parent of all registered resources.
        plan: the plan of the stack.
        base: the foundation.
        servers: servers by model key.
        secrets: secret inputs for gateways that need them.
    """
    nodes, asked = base.nodes, plan.gateway
    if nodes is None or asked is None or plan.traffic is None:
        return None
    if nodes.network is None:
        raise ValueError("the gateway's network is unknown: set `hubstack:network`")
    by_key = asked.auth is GatewayAuth.API_KEYS
    after = (*nodes.namespaces.values(), *(nodes.autoscaling if manifests.scale_to_zero_models(plan) else ()))
    providers = [base.project.provider, nodes.kubernetes]
    options = child(parent, providers=providers, depends_on=list(base.project.apis))
    reader = base.project.member(manifests.SYNC_ACCOUNT)
    proxy: tuple[pulumi.Resource, ...] = ()
    if plan.callers:
        told_apart = CallersArgs(
            target=plan.target,
            callers=plan.callers,
            objects=callers_objects(plan),
            secret_reader=reader,
            after=after,
        )
        proxy = Callers("callers", told_apart, options).ready
    args = GatewayArgs(
        target=plan.target,
        gateway=asked,
        traffic=plan.traffic,
        models=plan.on_gke,
        activation_timeout_seconds=manifests.max_activation_timeout(plan),
        network_id=nodes.network.network_id,
        subnet_id=nodes.network.subnet_id,
        secret_reader=reader,
        team_readers={
            team.key: base.project.member(manifests.SYNC_ACCOUNT, team.namespace)
            for team in plan.target.teams or ()
        },
        secret_value=secrets[GatewayAuth.API_KEYS if by_key else GatewayAuth.IAP],
        servers=servers,
        proxy=proxy,
        after=after,
    )
    return Gateway("gateway", args, options)


def build_observability(parent: pulumi.Resource, plan: Plan, base: Foundation) -> Observability | None:
    """Register the stack's monitoring; return None if there is none."""
    monitoring, nodes, project = plan.monitoring, base.nodes, base.project
    if monitoring is None or not (nodes or monitoring.billing_account):
        return None  # Cloud Run and Vertex AI have their own charts
    apis: list[pulumi.Resource] = list(project.apis)
    if monitoring.billing_account:  # only a stack with a budget needs this API
        apis.append(enable_api(parent, project.provider, "billingbudgets", project.apis[0]))
    after: tuple[pulumi.Resource, ...] = tuple(nodes.namespaces.values()) if nodes else ()
    args = ObservabilityArgs(
        target=plan.target,
        monitoring=monitoring,
        pod_monitorings=observability.pod_monitorings(plan),
        dashboards=observability.list_dashboards(plan),
        alerts=observability.list_alerts(plan),
        project_number=project.known_number(),
        after=after,
    )
    providers = [project.provider, *([nodes.kubernetes] if nodes else [])]
    return Observability("observability", args, child(parent, providers=providers, depends_on=[*apis, *after]))


def build_perimeter(
    parent: pulumi.Resource, plan: Plan, project: Project, after: Iterable[pulumi.Resource]
) -> pulumi.Resource | None:
    """Add the project to its service perimeter, after all other resources; return None if there is none."""
    asked = plan.target.security
    if asked is None or asked.perimeter is None:
        return None
    return gcp.accesscontextmanager.ServicePerimeterResource(
        "perimeter",
        perimeter_name=asked.perimeter,
        resource=pulumi.Output.concat("projects/", project.known_number()),
        opts=child(parent, provider=project.provider, depends_on=[*project.apis, *after]),
    )
