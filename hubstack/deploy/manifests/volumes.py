# SPDX-License-Identifier: Apache-2.0
"""Pod volumes: weights in a bucket or on a disk, and ephemeral disks.

How weights are read is decided by `hubstack.planner.serving.choose_loading`. Mount options and sidecar sizes follow
the docs and examples of github.com/GoogleCloudPlatform/gcs-fuse-csi-driver.
"""

from hubstack import names
from hubstack.deploy.manifests.base import GIB, KMS_PARAMETER, LOADER_USER, Object, bucket_name
from hubstack.deploy.manifests.weights_disk import claim_name
from hubstack.names import COMPANIONS, MODEL_DIR
from hubstack.plan import ModelPlan
from hubstack.plan.loading import LoadingMethod
from hubstack.plan.target import TargetPlan
from hubstack.planner.placement.offers import SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_BYTES

ENCRYPTED_CLASS = "hubstack-encrypted"
WEIGHTS_VOLUME, WEIGHTS_PATH = "weights", MODEL_DIR
FUSE_ANNOTATIONS = {
    "gke-gcsfuse/volumes": "true",
    # The sidecar's default of 256 MiB is too small under load: the sidecar is OOM-killed and the mount fails.
    "gke-gcsfuse/memory-limit": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/memory-request": str(SIDECAR_MEMORY_BYTES),
    "gke-gcsfuse/cpu-limit": "0",
    "gke-gcsfuse/cpu-request": f"{SIDECAR_CPU_MILLICORES}m",
    # No limit: a mount option bounds the server's read cache, and the loader's buffer has its own disk.
    "gke-gcsfuse/ephemeral-storage-limit": "0",
}


_UNCHANGING = (
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-system:kernel-list-cache-ttl-secs:-1",
    "read_ahead_kb=1024",
)
"""Mount options for folders of commits. They never change, so cached metadata never expires."""


def weights_volume(target: TargetPlan, model: ModelPlan) -> Object | None:
    """Return the volume with a server's weights; None if its engine streams them."""
    match model.loading.method:
        case LoadingMethod.RUNAI_STREAMER:
            return None
        case LoadingMethod.HYPERDISK_ML:
            claim = {"claimName": claim_name(model), "readOnly": True}
            return {"name": WEIGHTS_VOLUME, "persistentVolumeClaim": claim}
        case LoadingMethod.GCSFUSE:
            return bucket_volume(target, model, read_only=True)


def server_annotations(model: ModelPlan) -> dict[str, str]:
    """Return the annotations that configure the FUSE sidecar; empty if nothing is mounted through it."""
    is_mounted = model.loading.method is LoadingMethod.GCSFUSE or model.companions
    return dict(FUSE_ANNOTATIONS) if is_mounted else {}


def companions_volume(target: TargetPlan, model: ModelPlan) -> Object | None:
    """Return the volume with the adapters and the draft model of a server; None if it has none.

    It is a mount of its own, whatever loads the weights: engines stream the model only, and a disk is filled from
    its commit's folder.
    """
    if not model.companions:
        return None
    return _mounted(target, model, COMPANIONS, model.server.run_as_user, [f"only-dir={COMPANIONS}", *_UNCHANGING])


def bucket_volume(target: TargetPlan, model: ModelPlan, *, read_only: bool) -> Object:
    if read_only:
        return _mounted(target, model, WEIGHTS_VOLUME, model.server.run_as_user, _read_options(model))
    return _mounted(target, model, WEIGHTS_VOLUME, LOADER_USER, [], read_only=False)


def _mounted(
    target: TargetPlan, model: ModelPlan, name: str, user: int, more: list[str], *, read_only: bool = True
) -> Object:
    options = ["implicit-dirs", f"uid={user}", f"gid={user}", *more]
    attributes = {"bucketName": bucket_name(target, model), "mountOptions": ",".join(options)}
    return {
        "name": name,
        "csi": {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": read_only, "volumeAttributes": attributes},
    }


def _read_options(model: ModelPlan) -> list[str]:
    """Return mount options for a commit's folder."""
    options = [f"only-dir={model.weights.prefix}", *_UNCHANGING]
    total = model.weights.total_bytes
    if total and model.loading.file_cache:
        # Parallel downloads need this cache; if it does not fit, read-ahead is the alternative.
        options += [
            f"file-cache:max-size-mb:{-(-total // 1024**2) + 64}",
            "file-cache:cache-file-for-range-read:true",
            "file-cache:enable-parallel-downloads:true",
        ]
    return options


def encrypted_class_name(target: TargetPlan) -> str:
    """Return the name of the stack's StorageClass, which other stacks of an existing cluster do not use."""
    return f"{ENCRYPTED_CLASS}-{names.slug(target.stack)}" if target.cluster else ENCRYPTED_CLASS


def encrypted_class(target: TargetPlan, kms_key: str) -> Object:
    """Return a StorageClass for these disks that uses the stack's own key; GKE's classes use Google's."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": encrypted_class_name(target), "labels": {"app.kubernetes.io/managed-by": "hubstack"}},
        "provisioner": "pd.csi.storage.gke.io",
        "parameters": {"type": "pd-balanced", KMS_PARAMETER: kms_key},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def disk_volume(target: TargetPlan, name: str, size_bytes: int) -> Object:
    """Return a generic ephemeral volume, deleted with its pod."""
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": claim_spec(target, size_bytes)}}}


def claim_spec(target: TargetPlan, size_bytes: int) -> Object:
    """Return the claim of a disk, of at least the smallest size that Google sells."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": encrypted_class_name(target) if target.kms_key else "standard-rwo",
        "resources": {"requests": {"storage": f"{max(10, -(-size_bytes // GIB))}Gi"}},
    }
