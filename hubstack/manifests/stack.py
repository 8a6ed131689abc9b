# SPDX-License-Identifier: Apache-2.0
"""What a stack has once: the models' namespace, who may call in it, and the classes of capacity."""

from hubstack import names
from hubstack.manifests.base import Object
from hubstack.manifests.scaling import INTERCEPTOR_LABELS, resting
from hubstack.plan import AcceleratorKind, CapacityClass, Plan

CLIENT_LABEL = "hubstack.dev/model-client"
"""A namespace with this label (`true`) may call the models."""


def namespace(plan: Plan) -> Object:
    """The models' namespace, with the pod security standard that every pod in it meets.

    TPU servers run as root (their devices belong to it), which `restricted` forbids; the rest of it they keep.
    """
    has_tpu = any(model.accelerator_kind is AcceleratorKind.TPU for model in plan.on_gke)
    level = "baseline" if has_tpu else "restricted"
    labels = {"app.kubernetes.io/managed-by": "hubstack", "pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": plan.target.namespace, "labels": labels}}


def network_policy(plan: Plan) -> Object:
    """Let in pods of the same namespace, of namespaces labelled as clients, and Google's metrics collectors.

    Where a model rests also the interceptor, which holds its requests.
    """
    callers: list[Object] = [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {CLIENT_LABEL: "true"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gmp-system"}}},
    ]
    if resting(plan):
        keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": plan.target.keda_namespace}}}
        callers.append(keda | {"podSelector": {"matchLabels": dict(INTERCEPTOR_LABELS)}})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "same-namespace", "namespace": plan.target.namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": callers}]},
    }


def capacity_class(capacity: CapacityClass) -> Object:
    """The ComputeClass that tries a class's pools in order and never another machine.

    Facts: gke.md 3.8. `ScaleUpAnyway` would bring plain CPU nodes.
    """
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": capacity.key},
        "spec": {
            "priorities": [{"nodepools": [names.node_pool_name(pool)]} for pool in capacity.pools],
            "whenUnsatisfiable": "DoNotScaleUp",
        },
    }
