# SPDX-License-Identifier: Apache-2.0
"""Weights on a Hyperdisk ML volume that GKE's Volume Populator fills from the bucket.

Owns the claim, its source, each zone's StorageClass and the ComputeClass of the copying nodes. Names include the
commit, so a new commit gets a new disk beside the old one. Source: GKE docs, "About GKE Volume Populator" (needs
GKE 1.33.2-gke.4780000), read 2026-11-25; see docs/concepts/weights.md.
"""

from hubstack import names
from hubstack.deploy.manifests.base import GIB, KMS_PARAMETER, Object, bucket_name, loader_account, metadata
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.loading import LoadingMethod
from hubstack.plan.target import TargetPlan

TRANSFER_CLASS = "gcs-to-hdml-compute-class"
"""Name set by Google: the populator's Job requests nodes of exactly this class."""
TRANSFER_CPU = "16"
"""CPUs of the copying Job; the default of 24 is more than these nodes have."""


def claim_name(model: ModelPlan) -> str:
    """Return the name of a model's disk, which changes with the commit and the zone."""
    digest = names.short_hash(model.weights.commit, model.loading.zone or "", length=8)
    return names.shorten(f"{names.original_key(model)}-weights-{digest}", names.DNS_LABEL_MAX)


def storage_class_name(zone: str) -> str:
    """Return the name of a zone's StorageClass."""
    return f"hubstack-hyperdisk-ml-{zone}"


def disk_zones(plan: Plan) -> tuple[str, ...]:
    """Return the zones in which models keep weights on a disk, sorted."""
    found = {model.loading.zone for model in plan.models if model.loading.method is LoadingMethod.HYPERDISK_ML}
    return tuple(sorted(zone for zone in found if zone))


def storage_class(zone: str, throughput_mib: int, kms_key: str | None = None) -> Object:
    """Return the StorageClass for Hyperdisk ML in one zone; disks are deleted with their claims."""
    made = {"type": "hyperdisk-ml", "provisioned-throughput-on-create": f"{throughput_mib}Mi"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": storage_class_name(zone), "labels": {"app.kubernetes.io/managed-by": "hubstack"}},
        "provisioner": "pd.csi.storage.gke.io",
        "parameters": made | ({KMS_PARAMETER: kms_key} if kms_key else {}),
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": False,
        # Bind immediately: the disk is filled before any server uses it.
        "volumeBindingMode": "Immediate",
        "allowedTopologies": [
            {"matchLabelExpressions": [{"key": "topology.gke.io/zone", "values": [zone]}]},
        ],
    }


def transfer_class(pool: str) -> Object:
    """Return the ComputeClass of the populator's nodes: one pool and no other machine."""
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": TRANSFER_CLASS},
        "spec": {"priorities": [{"nodepools": [pool]}], "whenUnsatisfiable": "DoNotScaleUp"},
    }


def data_source(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the commit's folder in the bucket as the data source, read as the loader, which has access."""
    uri = f"gs://{bucket_name(target, model)}/{model.weights.prefix}/"
    return {
        "apiVersion": "datalayer.gke.io/v1",
        "kind": "GCPDataSource",
        "metadata": metadata(target, model, claim_name(model)),
        "spec": {"cloudStorage": {"serviceAccountName": loader_account(model), "uri": uri}},
    }


def weights_claim(target: TargetPlan, model: ModelPlan) -> Object:
    """Return the claim, which is bound once the disk is filled."""
    described = metadata(target, model, claim_name(model))
    job = {"volume-populator.datalayer.gke.io/cpu-request": TRANSFER_CPU}
    # Extra space for the file system; the smallest such disk has 4 GiB.
    size_gib = max(5, -(-(model.weights.total_bytes or 0) * 11 // 10 // GIB) + 1)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": described | {"annotations": described["annotations"] | job},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": storage_class_name(model.loading.zone or ""),
            "resources": {"requests": {"storage": f"{size_gib}Gi"}},
            "dataSourceRef": {"apiGroup": "datalayer.gke.io", "kind": "GCPDataSource", "name": claim_name(model)},
        },
    }
