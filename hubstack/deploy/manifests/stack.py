# SPDX-License-Identifier: Apache-2.0
"""Objects that exist once per stack: the models' namespace and its ComputeClasses."""

from hubstack import names
from hubstack.deploy.manifests.base import Object, pod_security_labels
from hubstack.kinds import AcceleratorKind
from hubstack.plan import CapacityClass, Plan


def namespace(plan: Plan) -> Object:
    """Return the models' namespace, with the Pod Security level that every pod in it meets.

    TPU servers run as root because root owns their devices, which `restricted` forbids. They meet the rest of
    `restricted`, and the API server reports violations to the caller (`warn`) and in its audit log.
    """
    has_tpu = any(model.accelerator_kind is AcceleratorKind.TPU for model in plan.on_gke)
    labels = pod_security_labels("baseline" if has_tpu else "restricted")
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": plan.target.namespace, "labels": labels}}


def capacity_class(capacity: CapacityClass) -> Object:
    """Return the ComputeClass that tries a class's pools in order and no other machine.

    `ScaleUpAnyway` would add plain CPU nodes (GKE docs, "About custom compute classes").
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
