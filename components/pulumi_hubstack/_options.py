# SPDX-License-Identifier: Apache-2.0
"""Resource options of children, and the two providers.

The caller's options are passed only to a component's own `super().__init__`: merged into children, they could
change a child's parent (docs/concepts/identity.md).
"""

import json
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from hubstack.plan.target import TargetPlan


def child(parent: pulumi.Resource, **extra: Any) -> pulumi.ResourceOptions:
    """Return a child's options: the given ones plus the parent."""
    return pulumi.ResourceOptions(parent=parent, **extra)


def renamed(options: pulumi.ResourceOptions, form: str, was: Iterable[str]) -> pulumi.ResourceOptions:
    """Return options with aliases for the logical names that a resource had under its model's former keys.

    For a renamed component the engine infers aliases of children whose names start with the component's
    (pulumi/pulumi, step_generator.go, inheritedChildAlias).

    Args:
        options: options without aliases.
        form: the logical name with `{}` in place of the key.
        was: former keys, oldest first.
    """
    former = [pulumi.Alias(name=form.format(key)) for key in was]
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(aliases=former)) if former else options


def node_security(account_email: pulumi.Input[str], kms_key: str | None) -> dict[str, Any]:
    """Return the settings every node config needs: the nodes' service account, hidden metadata and verified boot.

    With a key, also disk encryption; changing it replaces the pool.
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
    """Return a secret's replication: automatic, or in the key's region if the stack has its own key."""
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
    """Return the Google provider; project, region and labels are explicit, and all Google resources use it."""
    return gcp.Provider(
        "google",
        project=target.project,
        region=target.region,
        default_labels=dict(target.labels),
        opts=child(parent),
    )


def kubernetes_provider(
    cluster: gcp.container.Cluster, parent: pulumi.Resource, *, is_private: bool
) -> kubernetes.Provider:
    """Return the Kubernetes provider: the cluster's control plane, with a new credential at each use.

    Args:
        cluster: the cluster.
        parent: the parent of the provider.
        is_private: whether the control plane is reached at its address in the network, which its own certificate
            authority certifies, and not through its DNS endpoint, which IAM guards.
    """
    # The host is an output of the cluster; a preview would otherwise use the inputs, which have no host.
    found = pulumi.Output.all(cluster.id, cluster.control_plane_endpoints_config.apply(_dns_host))
    host = found.apply(lambda pair: pair[1])
    if is_private:
        address = cluster.private_cluster_config.apply(lambda made: (made and made.private_endpoint) or "")
        authority = cluster.master_auth.apply(lambda made: (made and made.cluster_ca_certificate) or "")
        own = pulumi.Output.all(cluster.id, address, authority)
        kubeconfig = own.apply(lambda made: _kubeconfig(made[1], made[2]))
    else:
        kubeconfig = host.apply(_kubeconfig)
    return _provider(kubeconfig, host, parent)


def found_kubernetes_provider(
    host: pulumi.Output[str], private: pulumi.Output[tuple[str, str]] | None, parent: pulumi.Resource
) -> kubernetes.Provider:
    """Return the Kubernetes provider of a cluster that exists; see `kubernetes_provider`.

    Args:
        host: host of the control plane's DNS endpoint.
        private: its address in the network and the certificate of its authority, if it is reached there.
        parent: the parent of the provider.
    """
    kubeconfig = private.apply(lambda made: _kubeconfig(*made)) if private else host.apply(_kubeconfig)
    return _provider(kubeconfig, host, parent)


def _provider(
    kubeconfig: pulumi.Output[str], host: pulumi.Output[str], parent: pulumi.Resource
) -> kubernetes.Provider:
    return kubernetes.Provider(
        "cluster",
        kubeconfig=kubeconfig,
        # Otherwise a change in the kubeconfig's text would replace every object. The DNS host is unique to one
        # cluster, also where it admits nobody, while the id is reused by a replacement.
        cluster_identifier=host,
        enable_server_side_apply=True,
        opts=child(parent),
    )


def _dns_host(endpoints: gcp.container.outputs.ClusterControlPlaneEndpointsConfig | None) -> str:
    """Return the host; empty if a stand-in provider gives none (GKE always does)."""
    dns = endpoints.dns_endpoint_config if endpoints else None
    return (dns.endpoint if dns else None) or ""


def _kubeconfig(host: str, certificate: str | None = None) -> str:
    cluster = {"server": f"https://{host}"}
    if certificate is not None:
        cluster["certificate-authority-data"] = certificate
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "gke-gcloud-auth-plugin",
            "installHint": "install the Google Cloud CLI component gke-gcloud-auth-plugin",
            "provideClusterInfo": True,
            "interactiveMode": "Never",
        }
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gke", "cluster": cluster}],
        "users": [{"name": "gke", "user": user}],
        "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
        "current-context": "gke",
    }
    return json.dumps(config, sort_keys=True)
