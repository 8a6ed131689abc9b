# SPDX-License-Identifier: Apache-2.0
"""Network access in the models' namespace: everything is denied except what is listed here.

Owns every NetworkPolicy of the namespace except those for a gateway's proxies
(`hubstack.deploy.manifests.backends`), and access to the interceptor, through which another namespace could start
and call any model. IP ranges come from `hubstack.plan.addresses`; host names are matched by GKE's
FQDNNetworkPolicy, because the Hub's and Google's addresses change (GKE docs, "Control Pod egress traffic using FQDN
network policies": requires Dataplane V2, only allows, at most 50 addresses per policy). For what neither can
enforce, see docs/concepts/security.md.
"""

from hubstack.deploy.manifests.base import Object, network_policy, selector, server_name, tcp
from hubstack.deploy.manifests.callouts import BODY_ROUTER_NAME, PICKER_NAME
from hubstack.deploy.manifests.scaling import INTERCEPTOR_LABELS, INTERCEPTOR_PORT, resting
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.addresses import DNS_ADDRESSES, HEALTH_CHECK_RANGES, METADATA_SERVERS, NODES_RANGE, PROXY_RANGE
from hubstack.plan.loading import LoadingMethod

CLIENT_LABEL = "hubstack.dev/model-client"
"""A namespace with this label set to `true` may call the models."""
COLLECTOR_NAMESPACES = ("gmp-system", "gke-gmp-system")
"""Namespaces of Google's metrics collectors; which of the two GKE uses was not tested."""
HUB_HOSTS = (
    "huggingface.co",
    "cas-server.xethub.hf.co",
    "cas-server.xethub-eu.hf.co",
    "transfer.xethub.hf.co",
    "transfer.xethub-eu.hf.co",
    "us.aws.cdn.hf.co",
    "us.gcp.cdn.hf.co",
    "cdn-lfs-us-1.hf.co",
    "cdn-lfs-eu-1.hf.co",
)
"""Hosts of the Hub and its storage (github.com/huggingface/hub-docs, 2026-08-22). Full names only: a wildcard
matches any one label and would allow unlisted hosts."""
PACKAGE_HOSTS = ("pypi.org", "files.pythonhosted.org")
"""Hosts from which a loader installs huggingface_hub."""
STORAGE_HOST = "storage.googleapis.com"
FQDN_API, FQDN_KIND = "networking.gke.io/v1alpha1", "FQDNNetworkPolicy"
DEFAULT_DENY = "default-deny"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_SERVERS = {"matchLabels": {"app.kubernetes.io/name": "server"}}
_JOBS = {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
"""Selects pods of loaders, collectors and Google's Volume Populator: Kubernetes labels every Job's pods."""
_LOADERS = {"matchLabels": {"app.kubernetes.io/name": "loader"}}


def default_deny(plan: Plan) -> Object:
    """Return the policy that denies all ingress and egress in the namespace; the other policies add to it."""
    return network_policy(plan, DEFAULT_DENY, {}, {"ingress": [], "egress": []})


def network_policies(plan: Plan) -> tuple[Object, ...]:
    """Return the allow policies, named as they are registered; `group_policy` is separate."""
    readers = _bucket_readers(plan)
    return (
        callers(plan),
        network_policy(plan, "servers-egress", readers, {"egress": [*_dns(), *_metadata()]}),
        network_policy(plan, "jobs-egress", _JOBS, {"egress": [*_dns(), *_metadata()]}),
        _named_hosts(plan, "servers-to-storage", readers, (STORAGE_HOST,)),
        _named_hosts(plan, "jobs-to-storage", _JOBS, (STORAGE_HOST,)),
        _named_hosts(plan, "loaders-to-hub", _LOADERS, (*HUB_HOSTS, *PACKAGE_HOSTS)),
        *([_callouts(plan)] if plan.gateway else []),
    )


def callers(plan: Plan) -> Object:
    """Return the policy that lets clients' namespaces and Google's metrics collectors reach the servers' ports.

    Also admits the interceptor if a model scales to zero, and with a gateway the endpoint pickers, which read the
    servers' queues. The name `same-namespace` is historical: the policy once admitted that namespace too.
    """
    collectors = {"key": _NAMESPACE_LABEL, "operator": "In", "values": list(COLLECTOR_NAMESPACES)}
    found: list[Object] = [
        {"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}},
        {"namespaceSelector": {"matchExpressions": [collectors]}},
    ]
    if resting(plan):
        keda = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: plan.target.keda_namespace}}}
        found.append(keda | {"podSelector": {"matchLabels": dict(INTERCEPTOR_LABELS)}})
    if plan.gateway:
        found.append({"podSelector": {"matchLabels": {"app.kubernetes.io/name": PICKER_NAME}}})
    return network_policy(
        plan, "same-namespace", _SERVERS, {"ingress": [{"from": found, "ports": tcp(*_server_ports(plan))}]}
    )


def group_policy(plan: Plan, model: ModelPlan) -> Object:
    """Return the policy that lets a multi-node model's pods reach each other; ranks choose their own ports."""
    each = [{"podSelector": {"matchLabels": selector(model)}}]
    return network_policy(
        plan,
        f"{server_name(model)}-peers",
        {"matchLabels": selector(model)},
        {"ingress": [{"from": each}], "egress": [{"to": each}, *_dns()]},
    )


def interceptor_callers(plan: Plan) -> Object:
    """Return the policy that lets the servers' clients, and KEDA's request counter, reach the interceptor."""
    sources: list[Object] = [{"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}}]
    if plan.gateway:
        sources += [{"ipBlock": {"cidr": cidr}} for cidr in (PROXY_RANGE, *HEALTH_CHECK_RANGES)]
    rules: list[Object] = [{"from": sources, "ports": tcp(INTERCEPTOR_PORT)}, {"from": [{"podSelector": {}}]}]
    made = network_policy(plan, "interceptor", {"matchLabels": dict(INTERCEPTOR_LABELS)}, {"ingress": rules})
    return {**made, "metadata": {**made["metadata"], "namespace": plan.target.keda_namespace}}


def _bucket_readers(plan: Plan) -> Object:
    """Return the policy for servers that read a bucket; a server whose weights are on a disk has no egress."""
    on_disk = sorted(server_name(m) for m in plan.on_gke if m.loading.method is LoadingMethod.HYPERDISK_ML)
    if not on_disk:
        return _SERVERS
    others = {"key": "app.kubernetes.io/instance", "operator": "NotIn", "values": on_disk}
    return {**_SERVERS, "matchExpressions": [others]}


def _callouts(plan: Plan) -> Object:
    """Return the policy that lets callouts reach the control plane, and the picker the servers."""
    names = {"key": "app.kubernetes.io/name", "operator": "In", "values": [BODY_ROUTER_NAME, PICKER_NAME]}
    return network_policy(
        plan,
        "callouts-egress",
        {"matchExpressions": [names]},
        {
            "egress": [
                {"to": [{"ipBlock": {"cidr": NODES_RANGE}}], "ports": tcp(443)},
                {"to": [{"podSelector": _SERVERS}], "ports": tcp(*_server_ports(plan))},
            ],
        },
    )


def _server_ports(plan: Plan) -> list[int]:
    return sorted({model.server.port for model in plan.on_gke})


def _dns() -> list[Object]:
    pods = {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}]}
    system = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: "kube-system"}}, "podSelector": pods}
    peers = [system, *({"ipBlock": {"cidr": cidr}} for cidr in DNS_ADDRESSES)]
    return [{"to": peers, "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}]


def _metadata() -> list[Object]:
    return [{"to": [{"ipBlock": {"cidr": cidr}}], "ports": tcp(port)} for cidr, port in METADATA_SERVERS]


def _named_hosts(plan: Plan, name: str, pods: Object, hosts: tuple[str, ...]) -> Object:
    return {
        "apiVersion": FQDN_API,
        "kind": FQDN_KIND,
        "metadata": {"name": name, "namespace": plan.target.namespace},
        "spec": {
            "podSelector": pods,
            "egress": [{"matches": [{"name": host} for host in hosts], "ports": tcp(443)}],
        },
    }
