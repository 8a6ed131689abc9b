# SPDX-License-Identifier: Apache-2.0
"""What someone else must do in a network that exists: the warnings of a plan."""

from collections.abc import Iterator

from hubstack.plan.network import Grants, Nat, NetworkPlan

_USERS = (
    "service-NUMBER@container-engine-robot.iam.gserviceaccount.com",
    "NUMBER@cloudservices.gserviceaccount.com",
)
"""GKE's and Google's agents of the stack's project (GKE docs, "Setting up clusters with Shared VPC")."""


def network_warnings(network: NetworkPlan) -> Iterator[str]:
    """Yield what the owners of a network must do before `pulumi up`."""
    found = network.existing
    if found and found.is_shared and network.grants is Grants.NAMED:
        yield (
            f"`hubstack:network`: in {found.project}, its owners must grant {' and '.join(_USERS)} the role "
            f"roles/compute.networkUser on the subnet {found.subnetwork}, and the first of them "
            "roles/container.hostServiceAgentUser on the project; NUMBER is that of the stack's project"
        )
    if network.nat is Nat.NONE:
        yield (
            "`hubstack:network`: without NAT, nodes reach the Hub and public registries only if the network routes "
            "there in another way; loaders and image pulls fail otherwise"
        )
