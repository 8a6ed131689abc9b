# SPDX-License-Identifier: Apache-2.0
"""Network access in the controllers' namespaces (KEDA, LeaderWorkerSet): everything is denied but what is listed.

The control plane calls a controller's webhooks and metrics API from an address that no plan knows, directly or
through GKE's proxy pods. Those ports are therefore open to every source inside the network: what listens there
serves TLS, and KEDA's metrics API admits only what the API server forwards. Selectors and ports are those of the
charts in `hubstack.deploy.manifests.charts`.
"""

from hubstack.deploy.manifests.base import MODELS_LABEL, Object, policy_in, tcp
from hubstack.deploy.manifests.charts import CONTROL_PLANE_PORT, KEDA_ACCOUNT, LWS_NAMESPACE
from hubstack.deploy.manifests.network import (
    CLIENT_LABEL,
    NAMESPACE_LABEL,
    SERVERS,
    control_plane,
    dns,
    metadata_servers,
    named_hosts,
    server_ports,
)
from hubstack.deploy.manifests.scaling import INTERCEPTOR_LABELS, INTERCEPTOR_PORT, scale_to_zero_models
from hubstack.plan import Plan
from hubstack.plan.addresses import HEALTH_CHECK_RANGES
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import CALLERS

METRICS_HOST = "monitoring.googleapis.com"
"""Where KEDA's operator queries managed Prometheus."""
LWS_WEBHOOK_PORT = 9443
_OPERATOR = {"matchLabels": {"app.kubernetes.io/name": KEDA_ACCOUNT}}
_INTERCEPTOR = {"matchLabels": dict(INTERCEPTOR_LABELS)}


def keda_policies(plan: Plan) -> tuple[Object, ...]:
    """Return the policies of KEDA's namespace, named as they are registered; `interceptor_callers` is separate."""
    namespace = plan.target.keda_namespace
    found = [
        _controllers(plan.target, namespace, CONTROL_PLANE_PORT),
        policy_in(namespace, "operator-identity", _OPERATOR, {"egress": metadata_servers()}),
        named_hosts(namespace, "operator-to-metrics", _OPERATOR, (METRICS_HOST,)),
    ]
    if scale_to_zero_models(plan):
        # A cluster has one KEDA: in one that is shared, it serves the models of every stack, on any port.
        is_shared = plan.target.cluster is not None
        peers = (
            [{MODELS_LABEL: "true"}]
            if is_shared
            else [{NAMESPACE_LABEL: space} for space in plan.target.namespaces]
        )
        servers: Object = {
            "to": [{"namespaceSelector": {"matchLabels": label}, "podSelector": SERVERS} for label in peers]
        }
        if not is_shared:
            servers["ports"] = tcp(*server_ports(plan))
        found.append(policy_in(namespace, "interceptor-to-servers", _INTERCEPTOR, {"egress": [servers]}))
    return tuple(found)


def group_controller_policy(target: TargetPlan) -> Object:
    """Return the policy of the LeaderWorkerSet controller's namespace."""
    return _controllers(target, LWS_NAMESPACE, LWS_WEBHOOK_PORT)


def interceptor_callers(plan: Plan) -> Object:
    """Return the policy that lets the servers' clients reach the interceptor, which starts and calls any model."""
    sources: list[Object] = [{"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}}]
    if plan.callers:
        models = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: plan.target.namespace}}}
        sources.append(models | {"podSelector": {"matchLabels": {"app.kubernetes.io/name": CALLERS}}})
    elif plan.gateway:
        sources += [
            {"ipBlock": {"cidr": cidr}} for cidr in (plan.target.addresses.proxies_cidr, *HEALTH_CHECK_RANGES)
        ]
    rules: list[Object] = [{"from": sources, "ports": tcp(INTERCEPTOR_PORT)}, {"from": [{"podSelector": {}}]}]
    return policy_in(plan.target.keda_namespace, "interceptor", _INTERCEPTOR, {"ingress": rules})


def _controllers(target: TargetPlan, namespace: str, called: int) -> Object:
    """Return the policy for all pods of a namespace: each other, DNS and the Kubernetes API."""
    each_other: list[Object] = [{"podSelector": {}}]
    return policy_in(
        namespace,
        "controllers",
        {},
        {
            "ingress": [{"from": each_other}, {"ports": tcp(called)}],
            "egress": [{"to": each_other}, *dns(), control_plane(target)],
        },
    )
