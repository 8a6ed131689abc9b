# SPDX-License-Identifier: Apache-2.0
"""The Job that copies a model's weights to its bucket, with its file list and token.

From the Hub, the loader downloads, checks and writes through a mount. Own weights are in Cloud Storage already,
which copies them itself: their loader needs no mount, no disk and no packages.
"""

import json
from dataclasses import replace

from hubstack import names
from hubstack.deploy.manifests.base import (
    GIB,
    LOADER_USER,
    Object,
    bucket_name,
    container_security,
    judged,
    loader_account,
    metadata,
    own_labels,
    pod_security,
)
from hubstack.deploy.manifests.volumes import (
    FUSE_ANNOTATIONS,
    WEIGHTS_PATH,
    WEIGHTS_VOLUME,
    bucket_volume,
    disk_volume,
)
from hubstack.deploy.weights_job import copier_script, loader_requirements, loader_script
from hubstack.plan import ModelPlan
from hubstack.plan.target import TargetPlan

LOADER_SCRATCH, LOADER_FILES, TOKEN_PATH = "/scratch", "/loader", "/var/run/secrets/hub"
TOKEN_FILE = "token"  # noqa: S105


def loader_name(model: ModelPlan) -> str:
    """Return the Job's name, which changes with the commit and the file list."""
    digest = names.short_hash(*load_parts(model), length=8)
    return names.shorten(f"{names.original_key(model)}-load-{digest}", names.DNS_LABEL_MAX)


def companion_loads(model: ModelPlan) -> dict[str, ModelPlan]:
    """Return each adapter and draft model by name, as a model whose weights are loaded to the same bucket."""
    return {
        each.name: replace(
            model,
            id=each.id,
            commit=each.commit,
            license=each.license,
            weights=each.weights,
            provenance=each.provenance,
        )
        for each in model.companions or ()
    }


def companion_job(target: TargetPlan, load: ModelPlan) -> Object:
    """Return the Job of a companion, with the facts that policies check: no server object shows them."""
    job = loader_job(target, load)
    job["metadata"]["annotations"] = job["metadata"]["annotations"] | judged(load)
    return job


def load_parts(model: ModelPlan) -> tuple[str, ...]:
    """Return everything that defines a load: its files, script, image and installed packages."""
    if names.is_own(model.id):
        return loader_manifest(model), copier_script(), model.weights.loader_image
    return loader_manifest(model), loader_script(), model.weights.loader_image, loader_requirements()


def loader_texts(model: ModelPlan) -> dict[str, str]:
    """Return the loader's input files by name."""
    if names.is_own(model.id):
        return {"copy_objects.py": copier_script(), "manifest.json": loader_manifest(model)}
    return {
        "load_weights.py": loader_script(),
        "manifest.json": loader_manifest(model),
        "requirements.txt": loader_requirements(),
    }


_RETRY = (
    'for wait in 10 20 40 80 160 320 0; do "$@"; code=$?; '
    "case $code in 0 | 2 | 3 | 4) break ;; esac; sleep $wait; done; exit $code"
)
"""Runs a script up to seven times, except after an exit code that a retry cannot fix."""


def load_command(target: TargetPlan, model: ModelPlan, *, files: str, mount: str, scratch: str) -> str:
    """Return the shell command that runs the loader on its inputs.

    Args:
        target: the stack's target.
        model: the model whose weights are copied.
        files: folder of the inputs.
        mount: where the bucket is mounted, if the weights come from the Hub.
        scratch: folder for its packages, and for each file before it is written.
    """
    prefix = model.weights.prefix
    if names.is_own(model.id):
        there = f"--bucket {bucket_name(target, model)} --folder {prefix}"
        return f"exec python {files}/copy_objects.py --manifest {files}/manifest.json {there}"
    return (
        "python -m pip install --quiet --no-cache-dir --require-hashes --only-binary :all: "
        f"--target {scratch}/site --requirement {files}/requirements.txt && exec python {files}/load_weights.py "
        f"--manifest {files}/manifest.json --target {mount}/{prefix} --scratch {scratch}"
    )


def loader_manifest(model: ModelPlan) -> str:
    """Return the loader's manifest as JSON: the files to copy at the locked commit."""
    weights = model.weights
    if names.is_own(model.id):
        bucket, folder = names.bucket_and_folder(model.id)
        objects = [
            {"path": f.path, "size_bytes": f.size_bytes, "generation": f.generation, "crc32c": f.crc32c}
            for f in weights.files
        ]
        source = {"repo_id": weights.repo_id, "commit": weights.commit, "bucket": bucket, "folder": folder}
        return json.dumps(source | {"files": objects}, sort_keys=True)
    files = [
        {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256, "git_oid": f.git_oid}
        for f in weights.files
    ]
    told = {"repo_id": weights.repo_id, "commit": weights.commit, "files": files}
    chosen = {"patterns": list(weights.patterns), "exclude": list(weights.exclude)}
    return json.dumps(told | chosen, sort_keys=True)


def loader_config(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the ConfigMap with the loader's script and file list."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(target, model, loader_name(model)),
        "immutable": True,
        "data": loader_texts(model),
    }


def token_class(target: TargetPlan, model: ModelPlan, secret_id: str) -> Object:
    """Return the SecretProviderClass that mounts the Hub token for a gated model's loader."""
    secret = f"projects/{target.project}/secrets/{secret_id}/versions/latest"
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": metadata(target, model, loader_account(model)),
        "spec": {
            "provider": "gke",
            "parameters": {"secrets": f'- resourceName: "{secret}"\n  path: "{TOKEN_FILE}"\n'},
        },
    }


def loader_job(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Job that copies to the bucket; it runs on system nodes, without an accelerator."""
    weights = model.weights
    if names.is_own(model.id):
        return _copy_job(target, model)
    room = (weights.largest_file_bytes or weights.total_bytes or 50_000_000_000) + 4 * GIB
    mounts = [
        {"name": WEIGHTS_VOLUME, "mountPath": WEIGHTS_PATH},
        {"name": "loader", "mountPath": LOADER_FILES, "readOnly": True},
        {"name": "scratch", "mountPath": LOADER_SCRATCH},
    ]
    volumes: list[Object] = [
        bucket_volume(target, model, read_only=False),
        {"name": "loader", "configMap": {"name": loader_name(model)}},
        # Separate disks, so that no boot disk must be sized for the largest file. The FUSE driver stages writes in
        # the volume with the second name.
        disk_volume(target, "scratch", room),
        disk_volume(target, "gke-gcsfuse-buffer", room),
    ]
    env = {
        "HF_HOME": f"{LOADER_SCRATCH}/home",
        "HOME": LOADER_SCRATCH,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
        "PYTHONPATH": f"{LOADER_SCRATCH}/site",
        "TMPDIR": LOADER_SCRATCH,
    }
    if weights.needs_token:
        env["HF_TOKEN_PATH"] = f"{TOKEN_PATH}/{TOKEN_FILE}"
        mounts.append({"name": "token", "mountPath": TOKEN_PATH, "readOnly": True})
        attributes = {"secretProviderClass": loader_account(model)}
        driver = {"driver": "secrets-store-gke.csi.k8s.io", "readOnly": True, "volumeAttributes": attributes}
        volumes.append({"name": "token", "csi": driver})
    container: Object = {
        "name": "loader",
        "image": weights.loader_image,
        "command": ["sh", "-c", _command(target, model)],
        "env": [{"name": name, "value": value} for name, value in sorted(env.items())],
        "resources": {
            "requests": {"cpu": "1", "memory": "4Gi", "ephemeral-storage": "256Mi"},
            "limits": {"memory": "4Gi"},
        },
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }
    return pipeline_job(target, model, loader_name(model), container, volumes)


def _copy_job(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the Job that has Cloud Storage copy own weights."""
    container: Object = {
        "name": "loader",
        "image": model.weights.loader_image,
        "command": ["sh", "-c", _command(target, model)],
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": container_security(),
        "volumeMounts": [{"name": "loader", "mountPath": LOADER_FILES, "readOnly": True}],
    }
    volumes: list[Object] = [{"name": "loader", "configMap": {"name": loader_name(model)}}]
    job = pipeline_job(target, model, loader_name(model), container, volumes)
    del job["spec"]["template"]["metadata"]["annotations"]  # those of the mount
    return job


def _command(target: TargetPlan, model: ModelPlan) -> str:
    return load_command(target, model, files=LOADER_FILES, mount=WEIGHTS_PATH, scratch=LOADER_SCRATCH)


def bucket_pod(model: ModelPlan, container: Object, volumes: list[Object]) -> Object:
    """Return the spec of a pod that runs to its end as the loader's account, which may read the model's bucket."""
    return {
        "serviceAccountName": loader_account(model),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(LOADER_USER),
        "containers": [container],
        "volumes": volumes,
    }


def pipeline_job(
    target: TargetPlan, model: ModelPlan, name: str, container: Object, volumes: list[Object]
) -> Object:
    """Return a Job that mounts a model's bucket as the loader; the next `pulumi up` recreates it if it failed."""
    retried = container | {"command": ["sh", "-c", _RETRY, "retry", *container["command"]]}
    pod = bucket_pod(model, retried, volumes)
    labels = own_labels(target, model) | {
        "app.kubernetes.io/name": container["name"],
        "app.kubernetes.io/instance": names.original_key(model),
    }
    described = metadata(target, model, name)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        # Otherwise Pulumi would wait again for a Job that has failed permanently (pulumi-kubernetes, Job).
        "metadata": described | {"annotations": described["annotations"] | {"pulumi.com/replaceUnready": "true"}},
        "spec": {
            # The container retries by itself. With the action FailJob instead, the Job would fail for the reason
            # PodFailurePolicy, which pulumi-kubernetes does not take for an end: `pulumi up` would wait for hours.
            "backoffLimit": 0,
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {"metadata": {"labels": labels, "annotations": dict(FUSE_ANNOTATIONS)}, "spec": pod},
        },
    }
