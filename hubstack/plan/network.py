# SPDX-License-Identifier: Apache-2.0
"""The network of a stack: its own, or one that exists; ranges, NAT, and what a Shared VPC's host project grants.

Owns the types. `hubstack.inputs.network` reads the user's settings.
"""

from dataclasses import dataclass
from enum import StrEnum

from hubstack.plan.addresses import NODES_RANGE, PODS_RANGE, PROXY_RANGE, SERVICES_RANGE


class Nat(StrEnum):
    """How nodes, which have no public address, reach the Hub and registries."""

    CREATE = "create"
    EXISTING = "existing"
    NONE = "none"


class Grants(StrEnum):
    """Who grants GKE the use of a Shared VPC: the stack, or the host project's owners."""

    DECLARED = "declared"
    NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingNetwork:
    """A VPC and a subnet that the stack uses and never changes."""

    project: str
    """Project of the network: the host project of a Shared VPC, or the stack's own."""
    name: str
    """Name of the VPC."""
    subnetwork: str
    """Name of the subnet."""
    region: str
    """Region of the subnet."""
    is_shared: bool
    """Whether the project is another one, whose owners let this one use the subnet."""

    @property
    def network_id(self) -> str:
        """Return the full name of the VPC, as GKE needs it across projects."""
        return f"projects/{self.project}/global/networks/{self.name}"

    @property
    def subnet_id(self) -> str:
        """Return the full name of the subnet."""
        return f"projects/{self.project}/regions/{self.region}/subnetworks/{self.subnetwork}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """Where a stack's nodes, pods and services have their addresses."""

    nodes_cidr: str = NODES_RANGE
    """Primary range of the subnet."""
    pods_cidr: str | None = PODS_RANGE
    """None: a range of an existing subnet whose addresses were not given."""
    services_cidr: str | None = SERVICES_RANGE
    """None, as for pods."""
    proxies_cidr: str = PROXY_RANGE
    """Addresses from which Google's proxies connect."""
    pods_range: str = "pods"
    """Name of the subnet's secondary range for pods."""
    services_range: str = "services"
    """Name of the subnet's secondary range for Services."""
    nat: Nat = Nat.CREATE
    """Whether a Cloud NAT is created, exists, or is not needed."""
    creates_proxy_subnet: bool = True
    """Whether a gateway creates the proxy-only subnet; otherwise one exists with `proxies_cidr`."""
    existing: ExistingNetwork | None = None
    """None: the stack makes its own."""
    grants: Grants = Grants.DECLARED
    """Who grants GKE the use of a Shared VPC's subnet."""


OWN = NetworkPlan()
"""The network of a stack that sets nothing."""
