# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:network`: a network that exists, or the ranges of the stack's own.

Owns its keys, their rules, and the overlaps that can be seen in them. Sizes: GKE docs, "VPC-native clusters"; Cloud
Load Balancing docs, "Proxy-only subnets" (/26 or larger).
"""

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hubstack.inputs.setting_types import DISTINCT, LIST, form, refusal
from hubstack.plan.network import OWN, ExistingNetwork, Grants, Nat, NetworkPlan

SETTING = "hubstack:network"
EXAMPLE = '{"name":"shared","subnetwork":"models","nodes":"10.8.0.0/20"}'
_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_PROJECT = r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]"
_UNUSABLE = tuple(
    ipaddress.IPv4Network(each)
    for each in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "199.36.153.4/30", "199.36.153.8/30", "224.0.0.0/3")
)
"""This network, loopback, link-local (the metadata server), the addresses of Google's APIs, multicast and above
(VPC docs, "Prohibited IPv4 subnet ranges")."""
_GOOGLES = 2
"""Addresses that Google reserves at each end of a subnet range (VPC docs, "Unusable addresses in IPv4 subnet
ranges")."""


def _cidr(longest: int) -> AfterValidator:
    """Return a validator for an IPv4 range of at least a size."""

    def check(value: str) -> str:
        try:
            found = ipaddress.IPv4Network(value)
        except ValueError:
            near = _without_host(value)
            raise refusal(
                f"must be an IPv4 range such as 10.8.0.0/20, not `{value}`"
                + (f": did you mean {near}?" if near else "")
            ) from None
        if found.prefixlen > longest:
            raise refusal(f"is `{value}`, which is too small: /{longest} or larger")
        if any(found.overlaps(each) for each in _UNUSABLE):
            raise refusal(f"is `{value}`, which no VPC can use")
        return str(found)

    return AfterValidator(check)


def _without_host(value: str) -> str | None:
    try:
        found = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        return None
    is_usable = "/" in value and not any(found.overlaps(each) for each in _UNUSABLE)
    return str(found) if is_usable else None


class NetworkSettings(BaseModel):
    """The stack's network (docs/guides/existing-network.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, form(_NAME, "the name of a VPC")] | None = None
    """An existing VPC. Default: the stack creates its own."""
    subnetwork: Annotated[str, form(_NAME, "the name of a subnet")] | None = None
    """An existing subnet of that VPC, in the stack's region, with Private Google Access."""
    host_project: Annotated[str, form(_PROJECT, "a Google Cloud project ID")] | None = None
    """Host project of a Shared VPC. Default: the VPC is in the stack's project."""
    grants: Grants | None = Field(None, strict=False)
    """In a Shared VPC: `declared`, the stack grants GKE the use of the subnet, or `named`, the plan names the
    grants for the host project's owners. Default: `declared`."""
    pods_range: Annotated[str, form(_NAME, "the name of a secondary range")] | None = None
    """Name of the existing subnet's secondary range for pods. Default: `pods`."""
    services_range: Annotated[str, form(_NAME, "the name of a secondary range")] | None = None
    """Name of the existing subnet's secondary range for Services. Default: `services`."""
    nodes: Annotated[str, _cidr(29)] | None = None
    """Primary range of the subnet, which network policies name. Default: `10.0.0.0/20` for the stack's own;
    required for an existing one."""
    pods: Annotated[str, _cidr(21)] | None = None
    """Range for pods. Default: `10.16.0.0/14` for the stack's own network."""
    services: Annotated[str, _cidr(27)] | None = None
    """Range for Services. Default: `10.1.0.0/20` for the stack's own network."""
    proxies: Annotated[str, _cidr(26)] | None = None
    """Range of the proxy-only subnet, from which a gateway's proxies connect. Default: `10.2.0.0/23`."""
    proxy_subnetwork: Annotated[str, form("create|existing", "`create` or `existing`")] | None = None
    """Whether the proxy-only subnet is created, or one exists with the range `proxies`: a region of a VPC has one.
    Default: `create`."""
    nat: Nat | None = Field(None, strict=False)
    """How nodes reach the Hub and registries: `create` a Cloud NAT, use an `existing` one, or `none`. Default:
    `create` for the stack's own network, `existing` for an existing one."""
    taken: Annotated[tuple[Annotated[str, _cidr(32)], ...], LIST, DISTINCT] = ()
    """Ranges in use elsewhere that the stack's must not overlap: peered networks, on-premises, Private Service
    Connect."""

    def plan(self, project: str, region: str) -> NetworkPlan:
        """Return the network as part of a plan.

        Args:
            project: the stack's project.
            region: the stack's region.
        """
        nodes, proxies = self.nodes or OWN.nodes_cidr, self.proxies or OWN.proxies_cidr
        if self.name is None:
            return NetworkPlan(
                nodes_cidr=nodes,
                proxies_cidr=proxies,
                pods_cidr=self.pods or OWN.pods_cidr,
                services_cidr=self.services or OWN.services_cidr,
                nat=self.nat or Nat.CREATE,
            )
        host = self.host_project or project
        return NetworkPlan(
            nodes_cidr=nodes,
            proxies_cidr=proxies,
            pods_cidr=self.pods,
            services_cidr=self.services,
            pods_range=self.pods_range or OWN.pods_range,
            services_range=self.services_range or OWN.services_range,
            nat=self.nat or Nat.EXISTING,
            creates_proxy_subnet=self.proxy_subnetwork != "existing",
            existing=ExistingNetwork(
                project=host,
                name=self.name,
                subnetwork=self.subnetwork or "",
                region=region,
                is_shared=host != project,
            ),
            grants=self.grants or Grants.DECLARED,
        )


def network_problems(n: NetworkSettings, project: str, *, has_gateway: bool) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each key that conflicts with the others.

    Args:
        n: the setting.
        project: the stack's project.
        has_gateway: whether the stack has a proxy-only subnet.
    """
    if n.name is None:
        for key in ("subnetwork", "host_project", "grants", "pods_range", "services_range", "proxy_subnetwork"):
            if getattr(n, key) is not None:
                yield key, "applies to an existing network only", "add `name:`, the name of the VPC, or remove it"
        if n.nat is Nat.EXISTING:
            yield (
                "nat",
                "is `existing`, but the stack's own network has no NAT",
                "use `create` or `none`, or add `name:`",
            )
    else:
        if n.subnetwork is None:
            yield "subnetwork", "is missing: an existing network is used by one of its subnets", "add its name"
        if n.nodes is None:
            message = "is missing: network policies name the range of the nodes, and a plan asks no cloud for it"
            yield "nodes", message, "gcloud compute networks subnets describe SUBNET --region REGION prints it"
        if n.host_project == project:
            yield "host_project", "is the stack's own project", "remove it"
        if n.grants and n.host_project is None:
            yield "grants", "applies to a Shared VPC only", "add `host_project:`, or remove it"
        if n.proxy_subnetwork == "existing" and n.proxies is None:
            yield "proxies", "is missing: network policies name the range of the proxy-only subnet", "add its range"
    yield from _overlaps(n, has_gateway=has_gateway)


def _overlaps(n: NetworkSettings, *, has_gateway: bool) -> Iterator[tuple[str, str, str]]:
    plan = n.plan("", "")
    ranges = {"nodes": plan.nodes_cidr, "pods": plan.pods_cidr, "services": plan.services_cidr}
    if n.name and n.nodes is None:
        ranges["nodes"] = None
    if has_gateway or n.proxies:
        ranges["proxies"] = plan.proxies_cidr
    known = {key: ipaddress.IPv4Network(text) for key, text in ranges.items() if text}
    hint = "choose ranges that are apart; those that you do not set have defaults (docs/reference/settings.md)"
    for (key, one), (other, two) in combinations(known.items(), 2):
        if one.overlaps(two):
            at, to = (other, key) if getattr(n, other) else (key, other)
            yield at, f"is {known[at]}, which overlaps `{to}`, {known[to]}", hint
    for key, one in known.items():
        for taken in n.taken:
            if one.overlaps(ipaddress.IPv4Network(taken)):
                if getattr(n, key):
                    yield key, f"is {one}, which overlaps {taken}, a range in use", hint
                else:
                    yield "taken", f"contains {taken}, which overlaps `{key}`, {one}", hint


def address_problem(address: str, nodes_cidr: str) -> str | None:
    """Return why an internal address cannot be the gateway's in the subnet of the nodes, or None."""
    subnet = ipaddress.IPv4Network(nodes_cidr)
    if subnet[_GOOGLES] <= ipaddress.IPv4Address(address) < subnet[-_GOOGLES]:
        return None
    range_ = f"{subnet[_GOOGLES]} to {subnet[-_GOOGLES - 1]}"
    return f"must be a free address of the stack's subnet ({range_}), not `{address}`"
