# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects of the plan as resources: plain data in, the SDK's class of that kind out.

The SDK's own classes are used where it has them, since they know when an object is ready and what replaces it; any
other kind is a custom resource.
"""

import re
from collections.abc import Callable
from operator import attrgetter

import pulumi
import pulumi_kubernetes as kubernetes

from hubstack.deploy.manifests import Object

_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""On every Service: it is of no use that Pulumi waits for one. A model may rest at zero replicas or take longer to
start than the ten minutes of this wait, and its servers, which are waited for with a time of their own, come after
it. Read in pulumi-kubernetes f47bc2d6, provider/pkg/await/service.go."""
_CLASSES = {
    ("v1", "ConfigMap"): "core.v1.ConfigMap",
    ("v1", "Namespace"): "core.v1.Namespace",
    ("v1", "PersistentVolumeClaim"): "core.v1.PersistentVolumeClaim",
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
    ("storage.k8s.io/v1", "StorageClass"): "storage.v1.StorageClass",
}
"""Kind to the SDK's class, by name: each package of the SDK takes long to load, and few are needed."""


def register(name: str, obj: Object, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register an object.

    Args:
        name: logical name, from a key of the plan.
        obj: apiVersion, kind, metadata and the rest, in the API's field names.
        opts: the provider comes through the parent.
    """
    api_version, kind = obj["apiVersion"], obj["kind"]
    if (api_version, kind) == ("v1", "Service"):
        meta = obj["metadata"]
        obj = {**obj, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **_SKIP_AWAIT}}}
    rest = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
    known = _CLASSES.get((api_version, kind))
    if known is None:  # the SDK's class for any kind takes metadata and a spec, and no other part
        return kubernetes.apiextensions.CustomResource(name, api_version=api_version, kind=kind, **rest, opts=opts)
    create: Callable[..., pulumi.CustomResource] = attrgetter(known)(kubernetes)
    return create(name, **{_snake(key): value for key, value in rest.items()}, opts=opts)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
