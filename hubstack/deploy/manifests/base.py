# SPDX-License-Identifier: Apache-2.0
"""Parts shared by all objects of a stack: names, metadata and pod isolation."""

from collections.abc import Iterable
from typing import Any

from hubstack import names
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

Object = dict[str, Any]
"""A Kubernetes object, using the API's own field names."""
LOADER_USER = 2000
TEAM_LABEL = "hubstack.dev/team"
"""Label of a team's namespace, and of the namespaces whose pods may call its models."""
MODELS_LABEL = "hubstack.dev/models"
"""Label of the models' namespaces in a cluster that several stacks use, whose KEDA serves them all."""
GIB = 1024**3
COMMIT = "hubstack.dev/commit"
"""Annotation with the commit of a model, and label of its pods with the start of it."""
KMS_PARAMETER = "disk-encryption-kms-key"
"""Provisioner of a StorageClass (Compute Engine persistent disk CSI driver)."""


def sharing(models: Iterable[ModelPlan], model: ModelPlan) -> tuple[ModelPlan, ...]:
    """Return the models that share a model's bucket: the primary (or the model itself) and its canary."""
    primary = model.canary_of or model.key
    return tuple(each for each in models if primary in {each.key, each.canary_of})


def server_name(model: ModelPlan) -> str:
    """Name of the server's Deployment, Service and account."""
    return names.original_key(model)


def loader_account(model: ModelPlan) -> str:
    """Name of the loader's Kubernetes service account."""
    return f"{names.original_key(model)}{names.LOADER_SUFFIX}"


def bucket_name(target: TargetPlan, model: ModelPlan) -> str:
    """Name of the model's weights bucket."""
    return names.bucket_name(target.project, target.stack, names.bucket_key(model))


def service_account(target: TargetPlan, name: str) -> Object:
    """Return a service account whose token is not mounted into pods; the FUSE driver requests its own."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": target.namespace},
        "automountServiceAccountToken": False,
    }


def metadata(target: TargetPlan, model: ModelPlan, name: str) -> Object:
    labels = {"app.kubernetes.io/instance": names.original_key(model), "app.kubernetes.io/managed-by": "hubstack"}
    annotations = {"hubstack.dev/model": model.id, COMMIT: model.commit}
    return {"name": name, "namespace": target.namespace, "labels": labels, "annotations": annotations}


def own_labels(target: TargetPlan, model: ModelPlan | None = None) -> dict[str, str]:
    """Return the user's labels for pods: those of the stack, and over them a model's."""
    return {**target.own_labels, **((model and model.labels) or {})}


def judged(model: ModelPlan) -> dict[str, str]:
    """Return annotations with facts that policies check and no other field shows.

    They are set on the server object, never on its pod template, so that a changed annotation restarts no pod.
    """
    known = model.provenance
    return {
        "hubstack.dev/model": model.id,
        COMMIT: model.commit,
        "hubstack.dev/license": model.license or "",
        "hubstack.dev/weights-format": known.weights_format,
        "hubstack.dev/remote-code": str(known.runs_remote_code).lower(),
        "hubstack.dev/scan": known.scan,
    }


def selector(model: ModelPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "server", "app.kubernetes.io/instance": names.original_key(model)}


def network_policy(target: TargetPlan, name: str, pods: Object, rules: Object) -> Object:
    """Return a NetworkPolicy in the models' namespace.

    Args:
        target: the stack's target.
        name: the name of the policy.
        pods: selector of the pods it applies to.
        rules: `ingress`, `egress` or both, each with the allowed peers; an empty list allows nothing.
    """
    return policy_in(target.namespace, name, pods, rules)


def policy_in(namespace: str, name: str, pods: Object, rules: Object) -> Object:
    """Return a NetworkPolicy in a namespace; see `network_policy`."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": pods,
            "policyTypes": [each.capitalize() for each in rules],
            **{direction: found for direction, found in rules.items() if found},
        },
    }


def tcp(*ports: int) -> list[Object]:
    """Return the ports of a NetworkPolicy rule."""
    return [{"protocol": "TCP", "port": port} for port in ports]


def pod_security_labels(enforced: str) -> dict[str, str]:
    """Return labels that enforce a Pod Security level; violations of `restricted` are reported and audited.

    No version is pinned: the API server's default follows the Kubernetes version of the cluster.
    """
    level = {"enforce": enforced, "audit": "restricted", "warn": "restricted"}
    return {"app.kubernetes.io/managed-by": "hubstack"} | {
        f"pod-security.kubernetes.io/{mode}": standard for mode, standard in level.items()
    }


def pod_security(user: int) -> Object:
    ids = {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    return {"runAsNonRoot": user != 0, **ids, "seccompProfile": {"type": "RuntimeDefault"}}


def container_security() -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
