# SPDX-License-Identifier: Apache-2.0
"""The network: one VPC, one subnet with ranges for pods and services, and NAT for egress; no ingress.

Or a VPC and a subnet that exist: then only NAT, if it is asked for.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack.plan.network import OWN, ExistingNetwork, Nat, NetworkPlan
from pulumi_hubstack._options import child

TOKEN = "hubstack:network:Network"  # noqa: S105  a type token


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """Inputs of a network."""

    region: str
    """A change replaces the network and everything in it."""
    deletion_protection: bool = True
    """Protects the VPC and the subnet in Pulumi, since they contain everything else."""
    flow_logs: bool = False
    """Whether the subnet logs its connections."""
    plan: NetworkPlan = OWN
    """Ranges and NAT, or the network that exists."""


class Network(pulumi.ComponentResource):
    """A VPC with a subnet, router and NAT; of an existing VPC only the NAT, if any."""

    network_id: pulumi.Output[str]
    """ID of the VPC."""
    subnet_id: pulumi.Output[str]
    """ID of the subnet with the ranges of nodes, pods and services."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        existing = args.plan.existing
        if existing:
            self.network_id = pulumi.Output.from_input(existing.network_id)
            self.subnet_id = pulumi.Output.from_input(existing.subnet_id)
        else:
            self._create(name, args)
        if args.plan.nat is Nat.CREATE:
            self._create_nat(name, args, existing)
        self.register_outputs({"network_id": self.network_id, "subnet_id": self.subnet_id})

    def _create(self, name: str, args: NetworkArgs) -> None:
        plan = args.plan
        vpc = gcp.compute.Network(
            f"{name}-vpc",
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=child(self, protect=args.deletion_protection),
        )
        secondary = {plan.pods_range: plan.pods_cidr, plan.services_range: plan.services_cidr}
        subnet = gcp.compute.Subnetwork(
            f"{name}-subnet",
            network=vpc.id,
            region=args.region,
            ip_cidr_range=plan.nodes_cidr,
            # Reach buckets and the registry without a public address.
            private_ip_google_access=True,
            secondary_ip_ranges=[
                gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name=range_name, ip_cidr_range=cidr)
                for range_name, cidr in secondary.items()
            ],
            # Half of all packets, VPC's default, summed over five minutes instead of five seconds: smaller logs.
            log_config=gcp.compute.SubnetworkLogConfigArgs(
                aggregation_interval="INTERVAL_5_MIN", flow_sampling=0.5, metadata="INCLUDE_ALL_METADATA"
            )
            if args.flow_logs
            else None,
            opts=child(self, protect=args.deletion_protection),
        )
        self.network_id, self.subnet_id = vpc.id, subnet.id

    def _create_nat(self, name: str, args: NetworkArgs, existing: ExistingNetwork | None) -> None:
        # A router is in the project of its network.
        project = existing.project if existing and existing.is_shared else None
        router = gcp.compute.Router(
            f"{name}-router", network=self.network_id, region=args.region, project=project, opts=child(self)
        )
        gcp.compute.RouterNat(
            f"{name}-nat",
            router=router.name,
            region=args.region,
            project=project,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                gcp.compute.RouterNatSubnetworkArgs(name=self.subnet_id, source_ip_ranges_to_nats=["ALL_IP_RANGES"])
            ],
            log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=child(self),
        )
