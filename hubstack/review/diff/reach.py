# SPDX-License-Identifier: Apache-2.0
"""Describes access to a stack as sentences read from its graph, so that changes are visible.

Owns the list of what opens a stack. It reads what is declared; firewalls, organization policies and grants made
elsewhere are not in a graph.
"""

from collections.abc import Callable, Iterator, Mapping

from hubstack.review.diff.network_words import pod_words, rule_words, rules_of
from hubstack.review.diff.paths import UNKNOWN
from hubstack.review.diff.resources import match_resources
from hubstack.review.diff.state import Data, State

_PUBLIC = ("allusers", "allauthenticatedusers")
WIDE = "anyone on the internet"


def compare_reach(base: State, head: State) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the new and the removed access sentences; a mere rename yields none."""
    present = {urn: head.all_resources[now]["name"] for now, urn in match_resources(base, head).items()}
    before, after = set(_sentences(base, present)), set(_sentences(head, {}))
    return tuple(sorted(after - before)), tuple(sorted(before - after))


def _sentences(state: State, present: Mapping[str, str]) -> Iterator[str]:
    """Yield sentences with current resource names, also for resources that were matched by an alias."""
    for urn, resource in state.resources.items():
        inputs: Data = resource.get("inputs", {})
        kind, name = resource["type"], present.get(urn, resource["name"])
        if kind.endswith(("IAMMember", "IamMember")):
            yield from _grant(kind, name, inputs)
        elif kind.endswith(("IAMBinding", "IamBinding")):
            for member in inputs.get("members") or ():
                yield from _grant(kind, name, {**inputs, "member": member})
        elif kind.endswith(("IAMPolicy", "IamPolicy")):
            yield f"all access to {kind.split(':')[1].split('/', maxsplit=1)[0]} is set by {name}"
        elif kind.endswith((":RoleBinding", ":ClusterRoleBinding")):
            yield from _binding(name, inputs)
        elif found := _READERS.get(kind):
            yield from found(name, inputs)
        elif kind.endswith((":Gateway", ":Ingress")):
            yield from _gateway(name, inputs)


def _grant(kind: str, name: str, inputs: Data) -> Iterator[str]:
    member, role = str(inputs.get("member", "")), str(inputs.get("role", ""))
    what = kind.split(":")[1].split("/", maxsplit=1)[0]
    if member.lower() in _PUBLIC:
        yield f"{WIDE} has {role} on {what} ({name})"
    else:
        whom = f" ({member})" if member and member != UNKNOWN else ""
        yield f"{role} on {what} for {name}{whom}"


def _binding(name: str, inputs: Data) -> Iterator[str]:
    role: Data = inputs.get("roleRef") or {}
    for subject in inputs.get("subjects") or ():
        whom = f"{subject.get('kind')} {subject.get('namespace', '')}/{subject.get('name')}"
        yield f"{role.get('kind')} {role.get('name')} in the cluster for {whom} ({name})"


def _address(name: str, inputs: Data) -> Iterator[str]:
    if inputs.get("addressType", "EXTERNAL") == "EXTERNAL":
        yield f"the address {name} is external"


def _firewall(name: str, inputs: Data) -> Iterator[str]:
    if inputs.get("direction", "INGRESS") == "INGRESS" and inputs.get("allows"):
        sources = sorted(str(each) for each in inputs.get("sourceRanges") or ["0.0.0.0/0"])
        who = WIDE if {"0.0.0.0/0", "::/0"} & set(sources) else ", ".join(sources)
        yield f"the firewall rule {name} lets in {who}"


def _forwarding(name: str, inputs: Data) -> Iterator[str]:
    if str(inputs.get("loadBalancingScheme", "EXTERNAL")).startswith("EXTERNAL"):
        yield f"{WIDE} can reach the forwarding rule {name}"


def _gateway(name: str, inputs: Data) -> Iterator[str]:
    spec: Data = inputs.get("spec", {})
    kind = str(spec.get("gatewayClassName") or spec.get("ingressClassName") or "")
    hosts = sorted({str(each.get("hostname") or "any name") for each in spec.get("listeners", ())})
    protocols = sorted({str(each.get("protocol")) for each in spec.get("listeners", ())})
    who = WIDE if "external" in kind or not kind else "anyone in the network"
    called = f"{name} ({kind or 'class unknown'})"
    yield f"{who} can reach the gateway {called} for {', '.join(hosts)} by {', '.join(protocols)}"


def _block(inputs: Data, name: str) -> Data:
    return inputs.get(name) or {}


def _service(name: str, inputs: Data) -> Iterator[str]:
    kind = inputs.get("spec", {}).get("type")
    if kind in {"LoadBalancer", "NodePort"}:
        notes: Data = inputs.get("metadata", {}).get("annotations") or {}
        internal = notes.get("networking.gke.io/load-balancer-type") == "Internal" or kind == "NodePort"
        yield f"{'anyone in the network' if internal else WIDE} can reach the Service {name} ({kind})"


def _cluster(name: str, inputs: Data) -> Iterator[str]:
    endpoints = _block(inputs, "controlPlaneEndpointsConfig")
    if _block(endpoints, "ipEndpointsConfig").get("enabled", True):
        is_private = _block(inputs, "privateClusterConfig").get("enablePrivateEndpoint")
        yield f"the control plane of {name} has an IP endpoint{' in the network' if is_private else ''}"
    if _block(endpoints, "dnsEndpointConfig").get("allowExternalTraffic"):
        yield f"the control plane of {name} has a DNS endpoint, guarded by IAM"
    if not _block(inputs, "privateClusterConfig").get("enablePrivateNodes"):
        yield f"the nodes of {name} have public IP addresses"


def _bucket(name: str, inputs: Data) -> Iterator[str]:
    if inputs.get("publicAccessPrevention") != "enforced":
        yield f"the bucket {name} can be made public"


def _run(name: str, inputs: Data) -> Iterator[str]:
    ingress = inputs.get("ingress", "INGRESS_TRAFFIC_ALL")
    if ingress == "INGRESS_TRAFFIC_ALL":
        yield f"the Cloud Run service {name} accepts requests from the internet"
    if inputs.get("invokerIamDisabled"):
        yield f"the Cloud Run service {name} does not authenticate callers"


def _policy(name: str, inputs: Data) -> Iterator[str]:
    spec: Data = inputs.get("spec", {})
    pods, types = pod_words(spec.get("podSelector", {})), spec.get("policyTypes", ["Egress"])
    for direction, verb in (("Ingress", "lets in"), ("Egress", "lets out to")):
        if direction in types:
            rules = [rule_words(*rule) for rule in rules_of(spec, direction)]
            yield from (f"the network policy {name} {verb} {rule}, for {pods}" for rule in rules or ["no one"])


_READERS: Mapping[str, Callable[[str, Data], Iterator[str]]] = {
    "gcp:cloudrunv2/service:Service": _run,
    "gcp:compute/address:Address": _address,
    "gcp:compute/firewall:Firewall": _firewall,
    "gcp:compute/forwardingRule:ForwardingRule": _forwarding,
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": _forwarding,
    "gcp:container/cluster:Cluster": _cluster,
    "gcp:storage/bucket:Bucket": _bucket,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:networking.gke.io/v1alpha1:FQDNNetworkPolicy": _policy,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": _policy,
}
