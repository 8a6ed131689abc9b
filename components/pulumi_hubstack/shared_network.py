# SPDX-License-Identifier: Apache-2.0
"""What GKE needs in the host project of a Shared VPC: the use of one subnet, and the right to manage its firewall.

Registered only if the stack declares the grants. Accounts and roles: GKE docs, "Setting up clusters with Shared
VPC", read 2026-11-30.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.network import ExistingNetwork
from pulumi_hubstack._options import child

TOKEN = "hubstack:shared_network:SharedNetwork"  # noqa: S105  a type token
USER, AGENT = "roles/compute.networkUser", "roles/container.hostServiceAgentUser"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedNetworkArgs:
    """Inputs of the grants."""

    network: ExistingNetwork
    """A network of another project."""
    project_number: pulumi.Input[str]
    """Number of the stack's project."""


class SharedNetwork(pulumi.ComponentResource):
    """The grants; each adds one member and removes no other."""

    def __init__(self, name: str, args: SharedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        number, used = args.project_number, args.network
        gke = pulumi.Output.concat(
            "serviceAccount:service-", number, "@container-engine-robot.iam.gserviceaccount.com"
        )
        apis = pulumi.Output.concat("serviceAccount:", number, "@cloudservices.gserviceaccount.com")
        for role, member in {"gke": gke, "apis": apis}.items():
            gcp.compute.SubnetworkIAMMember(
                f"{name}-{role}-user",
                project=used.project,
                region=used.region,
                subnetwork=used.subnetwork,
                role=USER,
                member=member,
                opts=child(self),
            )
        gcp.projects.IAMMember(f"{name}-gke-agent", project=used.project, role=AGENT, member=gke, opts=child(self))
        self.register_outputs({})
