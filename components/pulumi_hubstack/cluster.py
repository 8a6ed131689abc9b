# SPDX-License-Identifier: Apache-2.0
"""The GKE cluster: private nodes, a service account with minimal roles, no default pool.

Node pools are never inline, because an inline pool replaces the cluster. The control plane is reachable either
through its DNS endpoint, which IAM guards, or at its address in the network, never at a public address. What
replaces a cluster: terraform-provider-google-beta 7.45.0, resource_container_cluster.go.
"""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from hubstack import names
from hubstack.plan import system_pool
from hubstack.plan.settings import MaintenancePlan
from pulumi_hubstack._options import child, node_security

TOKEN = "hubstack:cluster:Cluster"  # noqa: S105  a type token
NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterArgs:
    """Inputs of a cluster."""

    stack: str
    """Name of the stack, part of the cluster's name and its service account's."""
    project: str
    """Google Cloud project ID."""
    region: str
    """A change replaces the cluster."""
    network_id: pulumi.Input[str]
    """ID of the VPC."""
    subnet_id: pulumi.Input[str]
    """ID of the subnet."""
    pods_range: str
    """Name of the subnet's secondary range for pods."""
    services_range: str
    """Name of the subnet's secondary range for Services."""
    release_channel: str
    """GKE release channel."""
    deletion_protection: bool
    """Enables GKE's deletion protection, and Pulumi's for the cluster and its system nodes."""
    maintenance: MaintenancePlan | None
    """When GKE may upgrade the cluster."""
    max_system_nodes: int
    """Maximum nodes of the pool for controllers and loads."""
    state_metrics: tuple[str, ...]
    """Packages of kube-state-metrics that Google collects (`POD`, `DEPLOYMENT` ...)."""
    has_gated_models: bool
    """Enables the Secret Manager add-on."""
    has_gateway: bool
    """Enables the Gateway API and the controller that creates load balancers."""
    binary_authorization: bool
    """Checks images against the project's Binary Authorization policy."""
    kms_key: str | None
    """Key that encrypts the nodes' disks and Secrets in etcd; None uses Google's keys."""
    has_synced_secrets: bool
    """Enables secret sync from Secret Manager."""
    private_control_plane: bool
    """Closes the DNS endpoint; the control plane is then reached at its address in the network."""
    intranode_visibility: bool
    """Sends traffic between pods of one node through the network."""


class Cluster(pulumi.ComponentResource):
    """A cluster, its nodes' service account and the small system pool."""

    name: pulumi.Output[str]
    """Name of the GKE cluster."""
    cluster: gcp.container.Cluster
    """The GKE cluster itself."""
    cluster_id: pulumi.Output[str]
    """Full name of the GKE cluster."""
    node_account_email: pulumi.Output[str]
    """E-mail address of the nodes' service account."""
    identities: tuple[pulumi.Resource, ...]
    """What IAM grants depend on: a project's first cluster creates its workload identity pool."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, None, opts)
        account, roles = create_node_account(self, name, args.stack, args.project)
        self.node_account_email = account.email
        self.cluster = self._create_cluster(name, args, roles)
        self._create_system_pool(name, args)
        self.name, self.cluster_id = self.cluster.name, self.cluster.id
        self.identities = (self.cluster,)
        self.register_outputs({"name": self.name})

    def _create_cluster(
        self, name: str, args: ClusterArgs, roles: list[gcp.projects.IAMMember]
    ) -> gcp.container.Cluster:
        container = gcp.container
        return container.Cluster(
            f"{name}-gke",
            name=names.cluster_name(args.stack),
            location=args.region,
            network=args.network_id,
            subnetwork=args.subnet_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=args.pods_range, services_secondary_range_name=args.services_range
            ),
            private_cluster_config=container.ClusterPrivateClusterConfigArgs(
                enable_private_nodes=True, enable_private_endpoint=args.private_control_plane or None
            ),
            control_plane_endpoints_config=container.ClusterControlPlaneEndpointsConfigArgs(
                dns_endpoint_config=container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
                    allow_external_traffic=not args.private_control_plane
                ),
                ip_endpoints_config=container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(
                    enabled=args.private_control_plane
                ),
            ),
            # No further network is named: the cluster's own subnet may always connect.
            master_authorized_networks_config=container.ClusterMasterAuthorizedNetworksConfigArgs()
            if args.private_control_plane
            else None,
            # Dataplane V2 enforces NetworkPolicies; FQDN policies are a separate feature.
            datapath_provider="ADVANCED_DATAPATH",
            enable_fqdn_network_policy=True,
            enable_shielded_nodes=True,
            enable_intranode_visibility=args.intranode_visibility or None,
            release_channel=container.ClusterReleaseChannelArgs(channel=args.release_channel),
            maintenance_policy=_maintenance(args.maintenance),
            workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(
                workload_pool=f"{args.project}.svc.id.goog"
            ),
            addons_config=container.ClusterAddonsConfigArgs(
                gcs_fuse_csi_driver_config=container.ClusterAddonsConfigGcsFuseCsiDriverConfigArgs(enabled=True),
                http_load_balancing=container.ClusterAddonsConfigHttpLoadBalancingArgs(disabled=False)
                if args.has_gateway
                else None,
            ),
            gateway_api_config=container.ClusterGatewayApiConfigArgs(channel="CHANNEL_STANDARD")
            if args.has_gateway
            else None,
            secret_sync_config=container.ClusterSecretSyncConfigArgs(enabled=True)
            if args.has_synced_secrets
            else None,
            secret_manager_config=container.ClusterSecretManagerConfigArgs(enabled=True)
            if args.has_gated_models
            else None,
            monitoring_config=container.ClusterMonitoringConfigArgs(
                enable_components=["SYSTEM_COMPONENTS", "DCGM", *args.state_metrics],
                managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(enabled=True),
            ),
            binary_authorization=container.ClusterBinaryAuthorizationArgs(
                evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE"
            )
            if args.binary_authorization
            else None,
            database_encryption=container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=args.kms_key)
            if args.kms_key
            else None,
            cost_management_config=container.ClusterCostManagementConfigArgs(enabled=True),
            remove_default_node_pool=True,
            initial_node_count=1,
            # Applies to the short-lived default pool: projects may forbid Compute Engine's default service account,
            # and disks without a customer-managed key.
            node_config=container.ClusterNodeConfigArgs(
                service_account=self.node_account_email,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                boot_disk_kms_key=args.kms_key,
            ),
            deletion_protection=args.deletion_protection,
            opts=child(
                self,
                depends_on=roles,
                protect=args.deletion_protection,
                # Both describe the default pool, which is removed at once; changing them later would replace the
                # cluster.
                ignore_changes=["initialNodeCount", "nodeConfig"],
            ),
        )

    def _create_system_pool(self, name: str, args: ClusterArgs) -> gcp.container.NodePool:
        container = gcp.container
        return container.NodePool(
            f"{name}-system",
            name="system",
            cluster=self.cluster.id,
            location=args.region,
            initial_node_count=1,
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=1, total_max_node_count=args.max_system_nodes, location_policy="ANY"
            ),
            management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            node_config=container.NodePoolNodeConfigArgs(
                machine_type=system_pool.MACHINE_TYPE,
                disk_size_gb=system_pool.DISK_GB,
                disk_type=system_pool.DISK_TYPE,
                **node_security(self.node_account_email, args.kms_key),
            ),
            opts=child(self, ignore_changes=["initialNodeCount"], protect=args.deletion_protection),
        )


def create_node_account(
    parent: pulumi.Resource, name: str, stack: str, project: str, *, account_project: str | None = None
) -> tuple[gcp.serviceaccount.Account, list[gcp.projects.IAMMember]]:
    """Register the service account of a stack's nodes with its roles, in the project of their cluster.

    Args:
        parent: parent of all registered resources.
        name: first part of the logical names.
        stack: name of the stack.
        project: project of the cluster.
        account_project: the same, if it is not the provider's.
    """
    account = gcp.serviceaccount.Account(
        f"{name}-nodes",
        account_id=names.service_account_id(stack, "nodes"),
        project=account_project,
        # An interrupted `up` may have created it; its id is fixed.
        create_ignore_already_exists=True,
        display_name=names.service_account_title(f"GKE nodes of hubstack {stack}"),
        opts=child(parent),
    )
    roles = [
        gcp.projects.IAMMember(
            f"{name}-nodes-{role.rsplit('.', 1)[-1].rsplit('/', 1)[-1]}",
            project=project,
            role=role,
            member=account.member,
            opts=child(parent),
        )
        for role in NODE_ROLES
    ]
    return account, roles


def _maintenance(window: MaintenancePlan | None) -> gcp.container.ClusterMaintenancePolicyArgs | None:
    if window is None:
        return None
    return gcp.container.ClusterMaintenancePolicyArgs(
        recurring_window=gcp.container.ClusterMaintenancePolicyRecurringWindowArgs(
            start_time=window.start_time, end_time=window.end_time, recurrence=window.recurrence
        )
    )
