# SPDX-License-Identifier: Apache-2.0
"""Rules about exposure: what is reachable from the internet, and who has access."""

import re
from collections.abc import Callable, Iterator, Mapping

from resources import RUN_SERVICE, UNKNOWN, Resource, Settings, is_google, is_object, listed, mapping

_EVERYONE = ("allUsers", "allAuthenticatedUsers")
_ANYWHERE = ("0.0.0.0/0", "::/0")


def no_public_endpoint(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    """Check each kind of resource that can be reached from the internet."""
    kind = resource.type.rsplit(":", 1)[-1]
    look = (_OBJECTS if is_object(resource) else _GOOGLE).get(kind if is_object(resource) else resource.type)
    if look:
        yield from look(resource)


def _service(resource: Resource) -> Iterator[str]:
    spec, notes = mapping(resource.props, "spec"), mapping(resource.props, "metadata", "annotations")
    kinds = {notes.get("networking.gke.io/load-balancer-type"), notes.get("cloud.google.com/load-balancer-type")}
    if spec.get("type") == "LoadBalancer" and "Internal" not in kinds:
        yield "a LoadBalancer Service without the internal annotation has a public address"
    if spec.get("externalIPs"):
        yield "the Service has externalIPs"


def _run_service(resource: Resource) -> Iterator[str]:
    if resource.props.get("ingress", "INGRESS_TRAFFIC_ALL") == "INGRESS_TRAFFIC_ALL":  # the provider's default
        yield "the Cloud Run service accepts requests from the internet"


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
        yield f"the forwarding rule's scheme {scheme} is public"


def _address(resource: Resource) -> Iterator[str]:
    if resource.props.get("addressType", "EXTERNAL") == "EXTERNAL":  # the provider's default
        yield "the address is external"


def _firewall(resource: Resource) -> Iterator[str]:
    props = resource.props
    open_to = [one for one in listed(props, "sourceRanges") if one in _ANYWHERE]
    if open_to and props.get("direction", "INGRESS") == "INGRESS" and listed(props, "allows"):
        yield f"the firewall rule admits {', '.join(open_to)}"


def _control_plane(resource: Resource) -> Iterator[str]:
    props = resource.props
    by_address = mapping(props, "controlPlaneEndpointsConfig", "ipEndpointsConfig").get("enabled", True)
    is_private = mapping(props, "privateClusterConfig").get("enablePrivateEndpoint", False)
    if by_address and not is_private:
        yield "the control plane has a public address"


def _instance(resource: Resource) -> Iterator[str]:
    for card in listed(resource.props, "networkInterfaces"):
        if listed(card, "accessConfigs"):
            yield "the machine has a public address"


_Look = Callable[[Resource], Iterator[str]]
_OBJECTS: Mapping[str, _Look] = {"Service": _service, "Ingress": _ingress, "Gateway": _gateway}
_GOOGLE: Mapping[str, _Look] = {
    "gcp:compute/forwardingRule:ForwardingRule": _forwarding_rule,
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": _forwarding_rule,
    "gcp:compute/address:Address": _address,
    "gcp:compute/globalAddress:GlobalAddress": _address,
    "gcp:compute/firewall:Firewall": _firewall,
    "gcp:compute/instance:Instance": _instance,
    "gcp:container/cluster:Cluster": _control_plane,
    RUN_SERVICE: _run_service,
}


def no_public_grant(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    props = resource.props
    if resource.type == "gcp:storage/bucket:Bucket":
        if props.get("publicAccessPrevention") != "enforced":
            yield "the bucket does not enforce public access prevention"
        if props.get("uniformBucketLevelAccess") is not True:
            yield "the bucket allows per-object ACLs"
    if props.get("invokerIamDisabled") is True:
        yield "the service accepts unauthenticated requests"
    members = [props.get("member"), props.get("entity"), *listed(props, "members")]
    everyone = [one for one in members if one in _EVERYONE]
    if is_google(resource) and everyone:
        yield f"{props.get('role', 'a role')} is granted to {', '.join(map(str, everyone))}"


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
