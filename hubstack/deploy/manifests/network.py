# SPDX-License-Identifier: Apache-2.0
"""Who may speak to whom in the models' namespace: nothing, but for what is listed here.

Owns every NetworkPolicy of the namespace except those of a gateway's proxies
(`hubstack.deploy.manifests.backends`), and
the way to the interceptor, past which a neighbour could wake and ask any model. Addresses are the network's
(`hubstack.plan.addresses`); names of hosts are judged by GKE's own FQDNNetworkPolicy, since the Hub's and
Google's
addresses change (GKE docs "Control Pod egress traffic using FQDN network policies": needs Dataplane V2, only
allows, at most 50 addresses a policy). What neither kind can hold is said in docs/concepts/security.md.
"""

from hubstack.deploy.manifests.base import Object, network_policy, selector, server_name, tcp
from hubstack.deploy.manifests.callouts import BODY_ROUTER_NAME, PICKER_NAME
from hubstack.deploy.manifests.scaling import INTERCEPTOR_LABELS, INTERCEPTOR_PORT, resting
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.addresses import DNS_ADDRESSES, HEALTH_CHECK_RANGES, METADATA_SERVERS, NODES_RANGE, PROXY_RANGE
from hubstack.plan.loading import LoadingMethod

CLIENT_LABEL = "hubstack.dev/model-client"
"""A namespace with this label (`true`) may call the models."""
COLLECTOR_NAMESPACES = ("gmp-system", "gke-gmp-system")
"""Of Google's metrics collectors; which of the two GKE uses was not tried."""
HUB_HOSTS = (
    "huggingface.co", "cas-server.xethub.hf.co", "cas-server.xethub-eu.hf.co", "transfer.xethub.hf.co",
    "transfer.xethub-eu.hf.co", "us.aws.cdn.hf.co", "us.gcp.cdn.hf.co", "cdn-lfs-us-1.hf.co", "cdn-lfs-eu-1.hf.co",
)  # fmt: skip
"""Facts: gke.md 1.2. Whole names: a pattern's star stands for one label, and would open hosts that nobody named."""
PACKAGE_HOSTS = ("pypi.org", "files.pythonhosted.org")
"""From which a loader installs the Hub's client."""
STORAGE_HOST = "storage.googleapis.com"
FQDN_API, FQDN_KIND = "networking.gke.io/v1alpha1", "FQDNNetworkPolicy"
DEFAULT_DENY = "default-deny"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_SERVERS = {"matchLabels": {"app.kubernetes.io/name": "server"}}
_JOBS = {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
"""Of loaders, collectors and Google's Volume Populator: Kubernetes itself labels the pods of a Job."""
_LOADERS = {"matchLabels": {"app.kubernetes.io/name": "loader"}}


def default_deny(plan: Plan) -> Object:
    """No pod of the namespace is reached, and none reaches anything. What follows adds to it."""
    return network_policy(plan, DEFAULT_DENY, {}, {"ingress": [], "egress": []})


def network_policies(plan: Plan) -> tuple[Object, ...]:
    """Return what is allowed, each under the name by which it is registered; beside these `group_policy`."""
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
    """Let clients' namespaces and Google's metrics collectors reach the servers on their ports.

    Where a model rests also the interceptor, which holds its requests; with a gateway also the endpoint pickers,
    which read the servers' queues. It is called `same-namespace` since it once let in that as well.
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
    """Let the pods of a model that spans nodes speak to each other: ranks choose their ports as they run."""
    each = [{"podSelector": {"matchLabels": selector(model)}}]
    return network_policy(plan, f"{server_name(model)}-peers", {"matchLabels": selector(model)},
                   {"ingress": [{"from": each}], "egress": [{"to": each}, *_dns()]})  # fmt: skip


def interceptor_callers(plan: Plan) -> Object:
    """Let the interceptor be reached by those who may reach the servers, and by KEDA, which counts its requests."""
    sources: list[Object] = [{"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}}]
    if plan.gateway:
        sources += [{"ipBlock": {"cidr": cidr}} for cidr in (PROXY_RANGE, *HEALTH_CHECK_RANGES)]
    rules: list[Object] = [{"from": sources, "ports": tcp(INTERCEPTOR_PORT)}, {"from": [{"podSelector": {}}]}]
    made = network_policy(plan, "interceptor", {"matchLabels": dict(INTERCEPTOR_LABELS)}, {"ingress": rules})
    return {**made, "metadata": {**made["metadata"], "namespace": plan.target.keda_namespace}}


def _bucket_readers(plan: Plan) -> Object:
    """Servers that read their bucket; one whose weights are on a disk has no way out at all."""
    on_disk = sorted(server_name(m) for m in plan.on_gke if m.loading.method is LoadingMethod.HYPERDISK_ML)
    if not on_disk:
        return _SERVERS
    others = {"key": "app.kubernetes.io/instance", "operator": "NotIn", "values": on_disk}
    return {**_SERVERS, "matchExpressions": [others]}


def _callouts(plan: Plan) -> Object:
    """The control plane for both programs; the servers for the picker, whose rule costs the other nothing."""
    names = {"key": "app.kubernetes.io/name", "operator": "In", "values": [BODY_ROUTER_NAME, PICKER_NAME]}
    return network_policy(plan, "callouts-egress", {"matchExpressions": [names]}, {
        "egress": [
            {"to": [{"ipBlock": {"cidr": NODES_RANGE}}], "ports": tcp(443)},
            {"to": [{"podSelector": _SERVERS}], "ports": tcp(*_server_ports(plan))},
        ],
    })  # fmt: skip


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
