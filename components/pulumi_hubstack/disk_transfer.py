# SPDX-License-Identifier: Apache-2.0
"""Fills Hyperdisk ML volumes: the nodes GKE's Volume Populator copies on, and a StorageClass per zone.

Registered only if a model uses such a disk. Nodes exist only during a copy; machines of the system pool cannot
attach these disks. Source: GKE docs, "About GKE Volume Populator"; docs/concepts/weights.md.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.deploy import manifests
from pulumi_hubstack._objects import register
from pulumi_hubstack._options import child, node_security

TOKEN = "hubstack:disk_transfer:DiskTransfer"  # noqa: S105  a type token
MACHINE_TYPE = "c3-standard-22"
"""From the machine family that Google's page lists first; availability per zone is not known here."""
POOL = "hyperdisk-transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTransferArgs:
    """Inputs of the disk transfer."""

    cluster_id: pulumi.Input[str]
    region: str
    zones: tuple[str, ...]
    """Zones of the volumes; each has a StorageClass."""
    max_nodes: int
    """Number of volumes filled at once."""
    throughput_mib: int
    """Provisioned throughput of a volume, MiB/s."""
    node_account_email: pulumi.Input[str]
    kubernetes: pulumi.ProviderResource
    kms_key: str | None = None
    """Key that encrypts the nodes' disks and the volumes; a change replaces the pool and the StorageClasses."""


class DiskTransfer(pulumi.ComponentResource):
    """A node pool, its ComputeClass, and the StorageClasses."""

    def __init__(self, name: str, args: DiskTransferArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        pool = self._create_pool(name, args)
        here = child(self, provider=args.kubernetes, depends_on=[pool])
        register(f"{name}-nodes-class", manifests.transfer_class(POOL), here)
        for zone in args.zones:
            obj = manifests.storage_class(zone, args.throughput_mib, args.kms_key)
            register(f"{name}-{zone}", obj, child(self, provider=args.kubernetes))
        self.register_outputs({})

    def _create_pool(self, name: str, args: DiskTransferArgs) -> gcp.container.NodePool:
        container = gcp.container
        label = names.CLASS_LABEL
        return container.NodePool(
            f"{name}-nodes",
            name=POOL,
            cluster=args.cluster_id,
            location=args.region,
            node_locations=list(args.zones),
            initial_node_count=0,
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=0, total_max_node_count=args.max_nodes, location_policy="ANY"
            ),
            management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            node_config=container.NodePoolNodeConfigArgs(
                machine_type=MACHINE_TYPE,
                labels={label: manifests.TRANSFER_CLASS},
                taints=[
                    container.NodePoolNodeConfigTaintArgs(
                        key=label, value=manifests.TRANSFER_CLASS, effect="NO_SCHEDULE"
                    )
                ],
                **node_security(args.node_account_email, args.kms_key),
            ),
            opts=child(self, ignore_changes=["initialNodeCount"]),
        )
