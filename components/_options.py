# SPDX-License-Identifier: Apache-2.0
"""Resource options of children, and the two providers.

The caller's options go to a component's own `super().__init__` and nowhere else: merged into children they could
give a child another parent (docs/identity.md).
"""

import json

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from hubstack.plan import TargetPlan


def child(parent: pulumi.Resource, **extra: object) -> pulumi.ResourceOptions:
    """Options of a child: what is extra, under the parent."""
    return pulumi.ResourceOptions(parent=parent, **extra)  # type: ignore[arg-type]


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
    return kubernetes.Provider(
        "cluster",
        kubeconfig=cluster.control_plane_endpoints_config.apply(_kubeconfig),
        # Without it a kubeconfig that changes its text would replace every object.
        cluster_identifier=cluster.id,
        enable_server_side_apply=True,
        opts=child(parent),
    )


def _kubeconfig(endpoints: gcp.container.outputs.ClusterControlPlaneEndpointsConfig) -> str:
    dns = endpoints.dns_endpoint_config
    host = dns.endpoint if dns else None
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
