# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for the provisioner of Google's disks: it creates a PersistentVolume per claim, without a disk.

Owns the PersistentVolumes. The real controllers and scheduler bind claims and wait for them.
"""

from proof.api import Api, ApiError, Object
from proof.nodes import ZONE_LABEL

_ZONE_KEYS = (ZONE_LABEL, "topology.gke.io/zone")
_NODE_CHOSEN = "volume.kubernetes.io/selected-node"


class Disks:
    """Provisions disks of StorageClasses with one of Google's provisioners."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def step(self) -> None:
        """Process all claims and disks once."""
        volumes = {volume["metadata"]["name"]: volume for volume in self._api.objects("v1", "PersistentVolume")}
        claims = self._api.objects("v1", "PersistentVolumeClaim")
        waiting = [claim for claim in claims if claim["status"].get("phase") == "Pending"]
        if waiting:
            found = self._api.objects("storage.k8s.io/v1", "StorageClass")
            classes = {each["metadata"]["name"]: each for each in found}
            for claim in waiting:
                self._provide(claim, classes.get(claim["spec"].get("storageClassName", "")), volumes)
        for volume in volumes.values():
            if volume["status"].get("phase") == "Released" and _is_deleted(volume):
                self._api.delete(volume)

    def _provide(self, claim: Object, disk_class: Object | None, volumes: dict[str, Object]) -> None:
        name = f"pvc-{claim['metadata']['uid']}"
        if disk_class is None or name in volumes or not disk_class["provisioner"].endswith(".gke.io"):
            return
        node = claim["metadata"].get("annotations", {}).get(_NODE_CHOSEN)
        if node is None and disk_class.get("volumeBindingMode") == "WaitForFirstConsumer":
            return
        reference = {key: claim["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
        spec: Object = {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": disk_class["metadata"]["name"],
            "persistentVolumeReclaimPolicy": disk_class.get("reclaimPolicy", "Delete"),
            "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
            "csi": {"driver": disk_class["provisioner"], "volumeHandle": name},
        }
        zones = _zones(disk_class) if node is None else self._zone_of(node)
        if zones:
            within = {"key": ZONE_LABEL, "operator": "In", "values": zones}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [within]}]}}
        try:
            self._api.create(
                {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
            )
        except ApiError as error:
            if error.status != 409:
                raise

    def _zone_of(self, node: str) -> list[str]:
        found = self._api.get({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
        return [found["metadata"]["labels"][ZONE_LABEL]]


def _zones(disk_class: Object) -> list[str]:
    """Return the zones that a class is limited to, which its disks are then of."""
    terms = [each for group in disk_class.get("allowedTopologies", ()) for each in group["matchLabelExpressions"]]
    return [zone for each in terms if each["key"] in _ZONE_KEYS for zone in each["values"]]


def _is_deleted(volume: Object) -> bool:
    is_ours = volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    return is_ours and "deletionTimestamp" not in volume["metadata"]
