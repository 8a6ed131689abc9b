# SPDX-License-Identifier: Apache-2.0
"""A node pool of accelerators that starts at zero nodes and uses one kind of capacity.

The pool's key includes a hash of the fields whose change replaces it, in both the logical and the physical name, so
such a change creates the new pool first and deletes the old one last. GKE adds the taints of GPUs and TPUs itself;
declaring them here would cause a permanent diff. Sources: terraform-provider-google-beta 7.45.0
(resource_container_node_pool.go), github.com/GoogleCloudPlatform/cluster-toolkit (gke-node-pool module).
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.kinds import AcceleratorKind, CapacityKind, GpuDriver
from hubstack.plan import PoolPlan
from pulumi_hubstack._options import child, node_security

TOKEN = "hubstack:accelerator_pool:AcceleratorPool"  # noqa: S105  a type token
MAX_PODS_PER_NODE = 32
"""Max pods per node that gives each node a /26 of the pod range instead of a /24."""
MAX_PODS_PER_SLICE_NODE = 15
"""Max pods per node of a multi-host TPU slice (github.com/AI-Hypercomputer/xpk)."""
_DRIVERS = {
    GpuDriver.LATEST: "LATEST",
    GpuDriver.DEFAULT: "DEFAULT",
    GpuDriver.DISABLED: "INSTALLATION_DISABLED",
}
"""GKE API reference, `GPUDriverInstallationConfig`."""

SERVER_FILLED = (
    "nodeConfig.advancedMachineFeatures",
    "nodeConfig.ephemeralStorageConfig",
    "nodeConfig.ephemeralStorageLocalSsdConfig",
    "nodeConfig.hostMaintenancePolicy",
    "nodeConfig.localNvmeSsdBlockConfig",
    "nodeConfig.localSsdCount",
    "nodeConfig.localSsdEncryptionMode",
    "nodeConfig.maxRunDuration",
)
"""Fields that GKE may fill in from the machine type or the capacity and whose change replaces a pool: ignored in
diffs. Of these, only bundled local SSDs are set, as the ephemeral storage that GKE turns them into, so that a new
pool is created with them (terraform-provider-google#17068)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorPoolArgs:
    """Inputs of an accelerator pool."""

    pool: PoolPlan
    cluster_id: pulumi.Input[str]
    region: str
    node_account_email: pulumi.Input[str]
    kms_key: str | None = None
    """Key that encrypts the nodes' disks; a change replaces the pool."""


class AcceleratorPool(pulumi.ComponentResource):
    """A GKE node pool of GPUs, single-host TPU slices, or one multi-host slice."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: AcceleratorPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        pool, container = args.pool, gcp.container
        is_flex = pool.capacity is CapacityKind.FLEX_START
        node_pool = container.NodePool(
            f"{name}-nodes",
            name=names.node_pool_name(pool.key),
            cluster=args.cluster_id,
            location=args.region,
            node_locations=list(pool.zones),
            # A pool created with nodes during a stock-out blocks the cluster; the autoscaler adds nodes later.
            initial_node_count=0,
            autoscaling=_autoscaling(pool),
            max_pods_per_node=MAX_PODS_PER_NODE if pool.nodes_per_slice == 1 else MAX_PODS_PER_SLICE_NODE,
            management=container.NodePoolManagementArgs(auto_repair=not is_flex, auto_upgrade=True),
            # An upgrade never needs an extra accelerator.
            placement_policy=_slice(pool),
            upgrade_settings=None
            if is_flex
            else container.NodePoolUpgradeSettingsArgs(strategy="SURGE", max_surge=0, max_unavailable=1),
            node_config=_node_config(args),
            opts=child(
                self,
                ignore_changes=["initialNodeCount", *SERVER_FILLED],
                # No delete_before_replace: any field that replaces a pool is part of its name. For other
                # replacements the provider deletes first, because the name is taken.
                custom_timeouts=pulumi.CustomTimeouts(create="45m", update="60m", delete="45m"),
            ),
        )
        self.name = node_pool.name
        self.register_outputs({"name": self.name})


def _autoscaling(pool: PoolPlan) -> gcp.container.NodePoolAutoscalingArgs:
    """Return bounds on the total over all zones, using any zone with stock.

    Flex-start TPU pools support per-zone bounds only (cluster-toolkit, gke-node-pool module), so several zones
    together may exceed the plan's maximum number of nodes; the number of pods is still limited.
    """
    autoscaling = gcp.container.NodePoolAutoscalingArgs
    if pool.capacity is CapacityKind.FLEX_START and pool.accelerator_kind is AcceleratorKind.TPU:
        return autoscaling(min_node_count=0, max_node_count=pool.max_nodes, location_policy="ANY")
    return autoscaling(
        total_min_node_count=pool.min_nodes, total_max_node_count=pool.max_nodes, location_policy="ANY"
    )


def _slice(pool: PoolPlan) -> gcp.container.NodePoolPlacementPolicyArgs | None:
    """Return the placement of a multi-host slice; the API rejects one for single hosts (xpk PR 825)."""
    if pool.nodes_per_slice == 1:
        return None
    return gcp.container.NodePoolPlacementPolicyArgs(type="COMPACT", tpu_topology=pool.tpu_topology)


def _node_config(args: AcceleratorPoolArgs) -> gcp.container.NodePoolNodeConfigArgs:
    pool, container = args.pool, gcp.container
    is_gpu = pool.accelerator_kind is AcceleratorKind.GPU
    return container.NodePoolNodeConfigArgs(
        machine_type=pool.gce_machine_type,
        guest_accelerators=[_gpus(pool)] if is_gpu else None,
        spot=True if pool.capacity is CapacityKind.SPOT else None,
        flex_start=True if pool.capacity is CapacityKind.FLEX_START else None,
        reservation_affinity=_reservation(pool),
        disk_size_gb=pool.boot_disk_gib,
        disk_type=pool.boot_disk_type,
        ephemeral_storage_local_ssd_config=(
            container.NodePoolNodeConfigEphemeralStorageLocalSsdConfigArgs(local_ssd_count=pool.local_ssds)
            if pool.local_ssds
            else None
        ),
        labels={names.CLASS_LABEL: pool.capacity_class},
        taints=[
            container.NodePoolNodeConfigTaintArgs(
                key=names.CLASS_LABEL, value=pool.capacity_class, effect="NO_SCHEDULE"
            )
        ],
        gcfs_config=container.NodePoolNodeConfigGcfsConfigArgs(enabled=True),
        gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True),
        **node_security(args.node_account_email, args.kms_key),
    )


def _gpus(pool: PoolPlan) -> gcp.container.NodePoolNodeConfigGuestAcceleratorArgs:
    container = gcp.container
    return container.NodePoolNodeConfigGuestAcceleratorArgs(
        type=pool.gke_accelerator,
        count=pool.accelerators_per_node,
        # Always set: omitting it causes a permanent diff on GKE 1.30 and later. vLLM's CUDA 13 images need the
        # latest driver.
        gpu_driver_installation_config=(
            container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                gpu_driver_version=_DRIVERS[pool.gpu_driver or GpuDriver.LATEST]
            )
        ),
        gpu_sharing_config=_sharing(pool),
    )


def _sharing(pool: PoolPlan) -> gcp.container.NodePoolNodeConfigGuestAcceleratorGpuSharingConfigArgs | None:
    """Return time-sharing; MPS needs hostIPC, which the `restricted` Pod Security level forbids."""
    if pool.servers_per_accelerator == 1:
        return None
    return gcp.container.NodePoolNodeConfigGuestAcceleratorGpuSharingConfigArgs(
        gpu_sharing_strategy="TIME_SHARING", max_shared_clients_per_gpu=pool.servers_per_accelerator
    )


def _reservation(pool: PoolPlan) -> gcp.container.NodePoolNodeConfigReservationAffinityArgs:
    affinity = gcp.container.NodePoolNodeConfigReservationAffinityArgs
    if pool.reservation is None:
        # Required for spot and flex-start; for on-demand it leaves reservations to pools that name them.
        return affinity(consume_reservation_type="NO_RESERVATION")
    return affinity(
        consume_reservation_type="SPECIFIC_RESERVATION",
        key="compute.googleapis.com/reservation-name",
        values=[pool.reservation],
    )
