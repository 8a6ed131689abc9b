# SPDX-License-Identifier: Apache-2.0
"""Resource options of children, and the two providers.

The caller's options go to a component's own `super().__init__` and nowhere else: merged into children they could
give a child another parent (docs/concepts/identity.md).
"""

import json
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from hubstack.plan.target import TargetPlan


def child(parent: pulumi.Resource, **extra: Any) -> pulumi.ResourceOptions:
    """Options of a child: what is extra, under the parent."""
    return pulumi.ResourceOptions(parent=parent, **extra)


def renamed(options: pulumi.ResourceOptions, form: str, was: Iterable[str]) -> pulumi.ResourceOptions:
    """Options of a resource that a model's key names, with the logical names that it had under former keys.

    The engine looks for children of a renamed component by itself, where their names begin with the component's
    (pulumi/pulumi, step_generator.go, inheritedChildAlias).

    Args:
        options: without aliases.
        form: the logical name with `{}` in the place of the key.
        was: former keys, oldest first.
    """
    former = [pulumi.Alias(name=form.format(key)) for key in was]
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(aliases=former)) if former else options


def node_security(account_email: pulumi.Input[str], kms_key: str | None) -> dict[str, Any]:
    """What no pool's node config leaves out: the nodes' own account, their metadata hidden, verified boot.

    With a key also the disks' encryption, which replaces the pool.
    """
    container = gcp.container
    return {
        "service_account": account_email,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "workload_metadata_config": container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        "shielded_instance_config": container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        "boot_disk_kms_key": kms_key,
    }


def secret_replication(target: TargetPlan) -> gcp.secretmanager.SecretReplicationArgs:
    """Where a secret is kept: wherever Google likes, or under the stack's key, which is of one region."""
    manager = gcp.secretmanager
    if target.kms_key is None:
        return manager.SecretReplicationArgs(auto=manager.SecretReplicationAutoArgs())
    encryption = manager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
        kms_key_name=target.kms_key
    )
    replica = manager.SecretReplicationUserManagedReplicaArgs(
        location=target.region, customer_managed_encryption=encryption
    )
    return manager.SecretReplicationArgs(user_managed=manager.SecretReplicationUserManagedArgs(replicas=[replica]))


def google_provider(target: TargetPlan, parent: pulumi.Resource) -> gcp.Provider:
    """The only way to Google: project, region and labels are explicit."""
    return gcp.Provider(
        "google",
        project=target.project,
        region=target.region,
        default_labels=dict(target.labels),
        opts=child(parent),
    )


def kubernetes_provider(cluster: gcp.container.Cluster, parent: pulumi.Resource) -> kubernetes.Provider:
    """The cluster's API through its DNS endpoint, guarded by IAM; the credential is fetched at each use."""
    # The host is known when the cluster is: until then a preview would take the inputs, which have none, for it.
    found = pulumi.Output.all(cluster.id, cluster.control_plane_endpoints_config.apply(_dns_host))
    host = found.apply(lambda pair: pair[1])
    return kubernetes.Provider(
        "cluster",
        kubeconfig=host.apply(_kubeconfig),
        # Without it a kubeconfig that changes its text would replace every object. The host is of one cluster only,
        # its id also of the cluster that takes its place.
        cluster_identifier=host,
        enable_server_side_apply=True,
        opts=child(parent),
    )


def _dns_host(endpoints: gcp.container.outputs.ClusterControlPlaneEndpointsConfig | None) -> str:
    """Return the host; empty where a stand-in of the provider gives none (GKE always does)."""
    dns = endpoints.dns_endpoint_config if endpoints else None
    return (dns.endpoint if dns else None) or ""


def _kubeconfig(host: str) -> str:
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "gke-gcloud-auth-plugin",
            "installHint": "install the gke-gcloud-auth-plugin of the Google Cloud CLI",
            "provideClusterInfo": True,
            "interactiveMode": "Never",
        }
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gke", "cluster": {"server": f"https://{host}"}}],
        "users": [{"name": "gke", "user": user}],
        "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
        "current-context": "gke",
    }
    return json.dumps(config, sort_keys=True)
