# SPDX-License-Identifier: Apache-2.0
"""Removes a model's old commits from its bucket after its servers have switched.

Owns which commits are kept. The Job runs like the loader and uses the same mount.
"""

from collections.abc import Iterable, Sequence

from hubstack import names
from hubstack.deploy.manifests.base import Object, container_security, metadata
from hubstack.deploy.manifests.loader import LOADER_FILES, pipeline_job
from hubstack.deploy.manifests.volumes import WEIGHTS_PATH, WEIGHTS_VOLUME, bucket_volume
from hubstack.deploy.weights_job import collector_script
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

_SCRIPT = "collect_weights.py"


def kept_commits(model: ModelPlan, sharing: Iterable[ModelPlan]) -> tuple[str, ...]:
    """Return the commits kept in a model's bucket in addition to its own, sorted.

    Keeps the commits of all models that share the bucket. The replaced commit is kept if the list asks for it, and
    if servers span nodes: Pulumi does not wait for a LeaderWorkerSet rollout, so old groups may still start.
    """
    kept = {each.weights.prefix for each in sharing}
    if model.weights.replaces and (model.weights.keep_replaced or model.hosts > 1):
        kept.add(model.weights.replaces)
    return tuple(sorted(kept - {model.weights.prefix}))


def collector_name(model: ModelPlan, sharing: Iterable[ModelPlan]) -> str:
    """Return the Job's name, which changes with the commits to keep."""
    kept = kept_commits(model, sharing)
    parts = (model.weights.prefix, *kept, collector_script(), model.weights.loader_image)
    return names.shorten(
        f"{names.original_key(model)}-collect-{names.short_hash(*parts, length=8)}", names.DNS_LABEL_MAX
    )


def collector_config(target: TargetPlan, model: ModelPlan, sharing: Sequence[ModelPlan]) -> Object:
    """Return the ConfigMap with the collector's script."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(target, model, collector_name(model, sharing)),
        "immutable": True,
        "data": {_SCRIPT: collector_script()},
    }


def collector_job(target: TargetPlan, model: ModelPlan, sharing: Sequence[ModelPlan]) -> Object:
    """Return the Job that removes the folder of every commit that is not kept."""
    name, kept = collector_name(model, sharing), kept_commits(model, sharing)
    command = ["python", f"{LOADER_FILES}/{_SCRIPT}", "--root", WEIGHTS_PATH, "--current", model.weights.prefix]
    for commit in kept:
        command += ["--keep", commit]
    container: Object = {
        "name": "collector",
        "image": model.weights.loader_image,
        "command": command,
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH},
            {"name": "collector", "mountPath": LOADER_FILES, "readOnly": True},
        ],
    }
    volumes: list[Object] = [
        bucket_volume(target, model, read_only=False),
        {"name": "collector", "configMap": {"name": name}},
    ]
    return pipeline_job(target, model, name, container, volumes)
