# SPDX-License-Identifier: Apache-2.0
"""A Job that a command creates, reads and deletes: no part of the stack.

Owns its form. What it runs is decided by `hubstack.deploy.manifests.bench` and `hubstack.deploy.manifests.smoke`.
"""

from collections.abc import Sequence

from hubstack.deploy.manifests.base import Object


def run_once(described: Object, labels: dict[str, str], annotations: dict[str, str], pod: Object) -> Object:
    """Return a Job that runs a pod to its end and is never retried.

    Args:
        described: the Job's metadata.
        labels: of its pods, for network policies.
        annotations: of its pods.
        pod: the pod's spec.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": described,
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
        },
    }


def as_list(objects: Sequence[Object]) -> Object:
    """Return objects as one List, which kubectl creates and deletes together, in this order."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}
