# SPDX-License-Identifier: Apache-2.0
"""Volumes of pods: weights in their bucket or on their disk, and disks that live as long as a pod.

Facts: gke.md 4.1. Which way weights are read is decided by `hubstack.planner.serving.choose_loading`.
"""

from hubstack.deploy.manifests.base import GIB, KMS_PARAMETER, LOADER_USER, Object, bucket_name
from hubstack.deploy.manifests.weights_disk import claim_name
from hubstack.names import MODEL_DIR
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.loading import LoadingMethod
from hubstack.planner.placement.offers import SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_BYTES

ENCRYPTED_CLASS = "hubstack-encrypted"
WEIGHTS_VOLUME, WEIGHTS_PATH = "weights", MODEL_DIR
FUSE_ANNOTATIONS = {
    "gke-gcsfuse/volumes": "true",
    # The sidecar's default of 256 MiB is too little under load: the mount then dies (facts: gke.md 7, row 25).
    "gke-gcsfuse/memory-limit": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/memory-request": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/cpu-limit": "0",
    "gke-gcsfuse/cpu-request": f"{SIDECAR_CPU_MILLICORES}m",
    # No limit: the read cache of a server is bounded by its mount option, the loader's buffer is a disk of its own.
    "gke-gcsfuse/ephemeral-storage-limit": "0",
}


def weights_volume(plan: Plan, model: ModelPlan) -> Object | None:
    """What a server mounts its weights from; None where its engine streams them."""
    match model.loading.method:
        case LoadingMethod.RUNAI_STREAMER:
            return None
        case LoadingMethod.HYPERDISK_ML:
            claim = {"claimName": claim_name(model), "readOnly": True}
            return {"name": WEIGHTS_VOLUME, "persistentVolumeClaim": claim}
        case LoadingMethod.GCSFUSE:
            return bucket_volume(plan, model, read_only=True)


def server_annotations(model: ModelPlan) -> dict[str, str]:
    """The FUSE driver's sidecar, only where something is mounted through it."""
    return dict(FUSE_ANNOTATIONS) if model.loading.method is LoadingMethod.GCSFUSE else {}


def bucket_volume(plan: Plan, model: ModelPlan, *, read_only: bool) -> Object:
    user = model.server.run_as_user if read_only else LOADER_USER
    options = ["implicit-dirs", f"uid={user}", f"gid={user}", *(_read_options(model) if read_only else ())]
    attributes = {"bucketName": bucket_name(plan, model), "mountOptions": ",".join(options)}
    return {
        "name": WEIGHTS_VOLUME,
        "csi": {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": read_only, "volumeAttributes": attributes},
    }


def _read_options(model: ModelPlan) -> list[str]:
    """Options for a commit's folder, which never changes: what was seen once stays true (facts: gke.md 4.1)."""
    options = [
        f"only-dir={model.weights.prefix}", "metadata-cache:ttl-secs:-1",
        "metadata-cache:stat-cache-max-size-mb:-1", "metadata-cache:type-cache-max-size-mb:-1",
        "file-system:kernel-list-cache-ttl-secs:-1", "read_ahead_kb=1024",
    ]  # fmt: skip
    total = model.weights.total_bytes
    if total and model.loading.file_cache:
        # Parallel downloads land in this cache; where it does not fit, reading ahead is what is left.
        options += [
            f"file-cache:max-size-mb:{-(-total // 1024**2) + 64}", "file-cache:cache-file-for-range-read:true",
            "file-cache:enable-parallel-downloads:true",
        ]  # fmt: skip
    return options


def encrypted_class(kms_key: str) -> Object:
    """The class of such disks under the stack's own key: GKE's own classes are under Google's."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": ENCRYPTED_CLASS, "labels": {"app.kubernetes.io/managed-by": "hubstack"}},
        "provisioner": "pd.csi.storage.gke.io",
        "parameters": {"type": "pd-balanced", KMS_PARAMETER: kms_key},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def disk_volume(plan: Plan, name: str, size_bytes: int) -> Object:
    """A disk that lives as long as its pod."""
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": ENCRYPTED_CLASS if plan.target.kms_key else "standard-rwo",
        "resources": {"requests": {"storage": f"{max(10, -(-size_bytes // GIB))}Gi"}},
    }
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}
