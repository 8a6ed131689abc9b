# SPDX-License-Identifier: Apache-2.0
"""What a stack has once: the models' namespace, and the classes of capacity."""

from hubstack import names
from hubstack.deploy.manifests.base import Object, pod_security_labels
from hubstack.kinds import AcceleratorKind
from hubstack.plan import CapacityClass, Plan


def namespace(plan: Plan) -> Object:
    """The models' namespace, with the pod security standard that every pod in it meets.

    TPU servers run as root (their devices belong to it), which `restricted` forbids; the rest of it they keep, and
    the API server names them to whoever applies them (`warn`) and in its audit log.
    """
    has_tpu = any(model.accelerator_kind is AcceleratorKind.TPU for model in plan.on_gke)
    labels = pod_security_labels("baseline" if has_tpu else "restricted")
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": plan.target.namespace, "labels": labels}}


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
