# SPDX-License-Identifier: Apache-2.0
"""Rules of reach: what can be had from the internet, and to whom it is given."""

import re
from collections.abc import Callable, Iterator, Mapping

from resources import RUN_SERVICE, UNKNOWN, Resource, Settings, is_google, is_object, listed, mapping

_EVERYONE = ("allUsers", "allAuthenticatedUsers")
_ANYWHERE = ("0.0.0.0/0", "::/0")


def no_public_endpoint(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    """Each kind of resource that opens a way from the internet."""
    kind = resource.type.rsplit(":", 1)[-1]
    look = (_OBJECTS if is_object(resource) else _GOOGLE).get(kind if is_object(resource) else resource.type)
    if look:
        yield from look(resource)


def _service(resource: Resource) -> Iterator[str]:
    spec, notes = mapping(resource.props, "spec"), mapping(resource.props, "metadata", "annotations")
    kinds = {notes.get("networking.gke.io/load-balancer-type"), notes.get("cloud.google.com/load-balancer-type")}
    if spec.get("type") == "LoadBalancer" and "Internal" not in kinds:
        yield "a Service of type LoadBalancer without the internal annotation has a public address"
    if spec.get("externalIPs"):
        yield "a Service with externalIPs"


def _run_service(resource: Resource) -> Iterator[str]:
    if resource.props.get("ingress", "INGRESS_TRAFFIC_ALL") == "INGRESS_TRAFFIC_ALL":  # the provider's default
        yield "a Cloud Run service that takes requests from the internet"


def _ingress(resource: Resource) -> Iterator[str]:
    notes, spec = mapping(resource.props, "metadata", "annotations"), mapping(resource.props, "spec")
    kind = notes.get("kubernetes.io/ingress.class") or spec.get("ingressClassName")
    if kind != "gce-internal":
        yield f"an Ingress of class {kind or 'gce'} has a public address"


def _gateway(resource: Resource) -> Iterator[str]:
    kind = str(mapping(resource.props, "spec").get("gatewayClassName", ""))
    # GKE's private classes are gke-l7-rilb and gke-l7-cross-regional-internal-managed-mc.
    if kind != UNKNOWN and not re.search(r"rilb|internal", kind):
        yield f"a Gateway of class {kind or 'unknown'} has a public address"


def _forwarding_rule(resource: Resource) -> Iterator[str]:
    scheme = str(resource.props.get("loadBalancingScheme", "EXTERNAL"))  # the provider's default
    if scheme.startswith("EXTERNAL"):
        yield f"a forwarding rule of the scheme {scheme}"


def _address(resource: Resource) -> Iterator[str]:
    if resource.props.get("addressType", "EXTERNAL") == "EXTERNAL":  # the provider's default
        yield "an external address"


def _firewall(resource: Resource) -> Iterator[str]:
    props = resource.props
    open_to = [one for one in listed(props, "sourceRanges") if one in _ANYWHERE]
    if open_to and props.get("direction", "INGRESS") == "INGRESS" and listed(props, "allows"):
        yield f"a firewall rule that lets in {', '.join(open_to)}"


def _control_plane(resource: Resource) -> Iterator[str]:
    props = resource.props
    by_address = mapping(props, "controlPlaneEndpointsConfig", "ipEndpointsConfig").get("enabled", True)
    is_private = mapping(props, "privateClusterConfig").get("enablePrivateEndpoint", False)
    if by_address and not is_private:
        yield "the control plane has a public address"


def _instance(resource: Resource) -> Iterator[str]:
    for card in listed(resource.props, "networkInterfaces"):
        if listed(card, "accessConfigs"):
            yield "a machine with a public address"


_Look = Callable[[Resource], Iterator[str]]
_OBJECTS: Mapping[str, _Look] = {"Service": _service, "Ingress": _ingress, "Gateway": _gateway}
_GOOGLE: Mapping[str, _Look] = {
    "gcp:compute/forwardingRule:ForwardingRule": _forwarding_rule,
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": _forwarding_rule,
    "gcp:compute/address:Address": _address, "gcp:compute/globalAddress:GlobalAddress": _address,
    "gcp:compute/firewall:Firewall": _firewall, "gcp:compute/instance:Instance": _instance,
    "gcp:container/cluster:Cluster": _control_plane, RUN_SERVICE: _run_service,
}  # fmt: skip


def no_public_grant(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    props = resource.props
    if resource.type == "gcp:storage/bucket:Bucket":
        if props.get("publicAccessPrevention") != "enforced":
            yield "the bucket does not refuse public access"
        if props.get("uniformBucketLevelAccess") is not True:
            yield "the bucket lets single objects have rules of their own"
    if props.get("invokerIamDisabled") is True:
        yield "the service answers callers without asking who they are"
    members = [props.get("member"), props.get("entity"), *listed(props, "members")]
    everyone = [one for one in members if one in _EVERYONE]
    if is_google(resource) and everyone:
        yield f"{props.get('role', 'a role')} is given to {', '.join(map(str, everyone))}"


def private_nodes(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    props = resource.props
    if resource.type == "gcp:container/cluster:Cluster":
        old = mapping(props, "privateClusterConfig").get("enablePrivateNodes")
        new = mapping(props, "networkConfig").get("defaultEnablePrivateNodes")
        if True not in {old, new}:
            yield "the cluster's nodes have public addresses"
    turned_off = mapping(props, "networkConfig").get("enablePrivateNodes") is False
    if resource.type == "gcp:container/nodePool:NodePool" and turned_off:
        yield "the pool's nodes have public addresses"
