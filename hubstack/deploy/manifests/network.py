# SPDX-License-Identifier: Apache-2.0
"""Network access in the models' namespace: everything is denied except what is listed here.

Owns every NetworkPolicy of the namespace except those for a gateway's proxies
(`hubstack.deploy.manifests.backends`). The controllers' namespaces are closed by
`hubstack.deploy.manifests.controllers`. IP ranges come from `hubstack.plan.addresses`; host names are matched by
GKE's FQDNNetworkPolicy, because the Hub's and Google's addresses change (GKE docs, "Control Pod egress traffic
using FQDN network policies": requires Dataplane V2, only allows, at most 50 addresses per policy). For what neither
can enforce, see docs/concepts/security.md.
"""

from hubstack.deploy.manifests.base import TEAM_LABEL, Object, network_policy, selector, server_name, tcp
from hubstack.deploy.manifests.callouts import BODY_ROUTER_NAME, PICKER_NAME
from hubstack.deploy.manifests.scaling import INTERCEPTOR_LABELS, scale_to_zero_models
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.addresses import DNS_ADDRESSES, METADATA_SERVERS
from hubstack.plan.loading import LoadingMethod
from hubstack.plan.target import TargetPlan
from hubstack.planner.serving.routing import CALLERS

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
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
SERVERS = {"matchLabels": {"app.kubernetes.io/name": "server"}}
_JOBS = {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
"""Selects pods of loaders, collectors and Google's Volume Populator: Kubernetes labels every Job's pods."""
_LOADERS = {"matchLabels": {"app.kubernetes.io/name": "loader"}}


def default_deny(target: TargetPlan) -> Object:
    """Return the policy that denies all ingress and egress in the namespace; the other policies add to it."""
    return network_policy(target, DEFAULT_DENY, {}, {"ingress": [], "egress": []})


def network_policies(plan: Plan) -> tuple[Object, ...]:
    """Return the allow policies, named as they are registered; `group_policy` is separate."""
    readers = _bucket_readers(plan)
    return (
        # Without servers there are no ports, and a rule without ports would open all of them.
        *([callers(plan)] if server_ports(plan) else []),
        network_policy(plan.target, "servers-egress", readers, {"egress": [*dns(), *metadata_servers()]}),
        network_policy(plan.target, "jobs-egress", _JOBS, {"egress": [*dns(), *metadata_servers()]}),
        named_hosts(plan.target.namespace, "servers-to-storage", readers, (STORAGE_HOST,)),
        named_hosts(plan.target.namespace, "jobs-to-storage", _JOBS, (STORAGE_HOST,)),
        named_hosts(plan.target.namespace, "loaders-to-hub", _LOADERS, (*HUB_HOSTS, *PACKAGE_HOSTS)),
        *([_callouts(plan)] if plan.gateway and not plan.callers else []),
    )


def callers(plan: Plan) -> Object:
    """Return the policy that lets clients' namespaces and Google's metrics collectors reach the servers' ports.

    Also admits the interceptor if a model scales to zero, and with a gateway the endpoint pickers, which read the
    servers' queues, or the callers' proxy. The name `same-namespace` is historical: the policy once
    admitted that namespace too.
    """
    collectors = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(COLLECTOR_NAMESPACES)}
    found: list[Object] = [
        {"namespaceSelector": {"matchLabels": client_labels(plan.target)}},
        {"namespaceSelector": {"matchExpressions": [collectors]}},
    ]
    if scale_to_zero_models(plan):
        keda = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: plan.target.keda_namespace}}}
        found.append(keda | {"podSelector": {"matchLabels": dict(INTERCEPTOR_LABELS)}})
    if plan.gateway:
        name = CALLERS if plan.callers else PICKER_NAME
        pods = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}
        if plan.callers and plan.target.team:  # the proxy is in the stack's own namespace, a picker is not
            pods = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: plan.target.team.home}}} | pods
        found.append(pods)
    return network_policy(
        plan.target, "same-namespace", SERVERS, {"ingress": [{"from": found, "ports": tcp(*server_ports(plan))}]}
    )


def client_labels(target: TargetPlan) -> dict[str, str]:
    """Return the labels of namespaces whose pods may call the models; those of a team's models name the team."""
    return {CLIENT_LABEL: "true", **({TEAM_LABEL: target.team.key} if target.team else {})}


def group_policy(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the policy that lets a multi-node model's pods reach each other; ranks choose their own ports."""
    each = [{"podSelector": {"matchLabels": selector(model)}}]
    return network_policy(
        target,
        f"{server_name(model)}-peers",
        {"matchLabels": selector(model)},
        {"ingress": [{"from": each}], "egress": [{"to": each}, *dns()]},
    )


def _bucket_readers(plan: Plan) -> Object:
    """Return the policy for servers that read a bucket; a server whose weights are on a disk has no egress."""
    on_disk = sorted(server_name(m) for m in plan.on_gke if m.loading.method is LoadingMethod.HYPERDISK_ML)
    if not on_disk:
        return SERVERS
    others = {"key": "app.kubernetes.io/instance", "operator": "NotIn", "values": on_disk}
    return {**SERVERS, "matchExpressions": [others]}


def _callouts(plan: Plan) -> Object:
    """Return the policy that lets callouts reach the control plane, and the picker the servers."""
    ports = server_ports(plan)
    names = {"key": "app.kubernetes.io/name", "operator": "In", "values": [BODY_ROUTER_NAME, PICKER_NAME]}
    return network_policy(
        plan.target,
        "callouts-egress",
        {"matchExpressions": [names]},
        {
            "egress": [
                control_plane(plan.target),
                *([{"to": [{"podSelector": SERVERS}], "ports": tcp(*ports)}] if ports else []),
            ],
        },
    )


def server_ports(plan: Plan) -> list[int]:
    """Return the ports of the stack's servers."""
    return sorted({model.server.port for model in plan.on_gke})


def control_plane(target: TargetPlan) -> Object:
    """Return the rule for egress to the Kubernetes API, whose address GKE takes from the nodes' subnet.

    The addresses of an existing cluster's are known: they may be elsewhere.
    """
    ranges = target.cluster.control_plane if target.cluster else (target.addresses.nodes_cidr,)
    return {"to": [{"ipBlock": {"cidr": cidr}} for cidr in ranges], "ports": tcp(443)}


def dns() -> list[Object]:
    """Return the rules for egress to the cluster's DNS, in pods or on the node."""
    pods = {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}]}
    system = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}, "podSelector": pods}
    peers = [system, *({"ipBlock": {"cidr": cidr}} for cidr in DNS_ADDRESSES)]
    return [{"to": peers, "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}]


def metadata_servers() -> list[Object]:
    """Return the rules for egress to the metadata server, from which pods get their identity."""
    return [{"to": [{"ipBlock": {"cidr": cidr}}], "ports": tcp(port)} for cidr, port in METADATA_SERVERS]


def named_hosts(namespace: str, name: str, pods: Object, hosts: tuple[str, ...]) -> Object:
    """Return an FQDNNetworkPolicy that lets pods reach hosts on port 443."""
    return {
        "apiVersion": FQDN_API,
        "kind": FQDN_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": pods,
            "egress": [{"matches": [{"name": host} for host in hosts], "ports": tcp(443)}],
        },
    }
