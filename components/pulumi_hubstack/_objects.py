# SPDX-License-Identifier: Apache-2.0
"""Registers the plan's Kubernetes objects: plain data in, the SDK's resource class for that kind out.

The SDK's own classes are used where they exist, because they know when an object is ready and what replaces it; any
other kind becomes a custom resource.
"""

import re
from collections.abc import Callable
from operator import attrgetter

import pulumi
import pulumi_kubernetes as kubernetes

from hubstack.deploy.manifests import Object

_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""Set on every Service, because Pulumi's wait for endpoints does not help: a model may be scaled to zero or take
longer to load than this wait's ten minutes, and its servers are registered later with their own timeout
(pulumi-kubernetes f47bc2d6, provider/pkg/await/service.go)."""
_CLASSES = {
    ("v1", "ConfigMap"): "core.v1.ConfigMap",
    ("v1", "Namespace"): "core.v1.Namespace",
    ("v1", "PersistentVolumeClaim"): "core.v1.PersistentVolumeClaim",
    ("v1", "ResourceQuota"): "core.v1.ResourceQuota",
    ("v1", "Secret"): "core.v1.Secret",
    ("v1", "Service"): "core.v1.Service",
    ("v1", "ServiceAccount"): "core.v1.ServiceAccount",
    ("apps/v1", "Deployment"): "apps.v1.Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "autoscaling.v2.HorizontalPodAutoscaler",
    ("batch/v1", "Job"): "batch.v1.Job",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networking.v1.NetworkPolicy",
    ("policy/v1", "PodDisruptionBudget"): "policy.v1.PodDisruptionBudget",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "rbac.v1.ClusterRole",
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): "rbac.v1.ClusterRoleBinding",
    ("rbac.authorization.k8s.io/v1", "Role"): "rbac.v1.Role",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rbac.v1.RoleBinding",
    ("scheduling.k8s.io/v1", "PriorityClass"): "scheduling.v1.PriorityClass",
    ("storage.k8s.io/v1", "StorageClass"): "storage.v1.StorageClass",
}
"""Kind to the SDK's class, by name: each SDK package is slow to import, and only a few are needed."""


def register(name: str, obj: Object, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register an object.

    Args:
        name: logical name, derived from a key of the plan.
        obj: apiVersion, kind, metadata and the rest, using the API's field names.
        opts: the parent supplies the provider.
    """
    api_version, kind = obj["apiVersion"], obj["kind"]
    if (api_version, kind) == ("v1", "Service"):
        meta = obj["metadata"]
        obj = {**obj, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **_SKIP_AWAIT}}}
    rest = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
    known = _CLASSES.get((api_version, kind))
    if known is None:  # CustomResource takes only metadata and a spec
        return kubernetes.apiextensions.CustomResource(name, api_version=api_version, kind=kind, **rest, opts=opts)
    create: Callable[..., pulumi.CustomResource] = attrgetter(known)(kubernetes)
    return create(name, **{_snake(key): value for key, value in rest.items()}, opts=opts)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
