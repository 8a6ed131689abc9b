# SPDX-License-Identifier: Apache-2.0
"""Creates Nodes as GKE would from a rendered node pool.

Owns the translation of a `gcp.container.NodePool`'s inputs, as written by `hubstack render`, into a Node: labels,
taints, allocatable resources. It reads the declared inputs, not the plan, so a pool that lacks a label creates
nodes that no pod selects. Sources: GKE docs (labels, taints, resources), the catalogue (allocatable).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.catalog import Catalog, MachineType
from hubstack.kinds import AcceleratorKind
from proof.api import Object

GIB = 1024**3
CLASS_LABEL = "cloud.google.com/compute-class"
POOL_LABEL = "cloud.google.com/gke-nodepool"
ZONE_LABEL = "topology.kubernetes.io/zone"
_PLAIN_MACHINES = {
    "e2-standard-2": (2, 8),
    "e2-standard-4": (4, 16),
    "e2-standard-8": (8, 32),
    "e2-standard-16": (16, 64),
    "c3-standard-22": (22, 88),
}
"""vCPU and GiB of machines without accelerators, which the catalogue leaves out (Google's E2 and C3 pages)."""
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What the autoscaler knows of a node pool."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    allocatable: Mapping[str, str]
    """Kubernetes quantities."""
    zones: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    slice_nodes: int
    """Nodes that come at once: above 1 for a multi-host TPU slice."""

    @property
    def capacity_class(self) -> str | None:
        """Key of the ComputeClass that it serves, None for a pool of the system."""
        return self.labels.get(CLASS_LABEL)


def pool_of(inputs: Mapping[str, Any], catalog: Catalog, region: str) -> Pool:
    """Return the pool that a NodePool's inputs describe.

    Raises:
        KeyError: the catalogue has no such machine.
    """
    config, scaling = inputs["nodeConfig"], inputs["autoscaling"]
    gpus = (config.get("guestAccelerators") or [None])[0]
    machine = _machine(config["machineType"], gpus, catalog)
    zones = tuple(inputs.get("nodeLocations") or (f"{region}-a", f"{region}-b", f"{region}-c"))
    per_zone = "maxNodeCount" in scaling
    topology = (inputs.get("placementPolicy") or {}).get("tpuTopology")
    labels = {
        POOL_LABEL: inputs["name"],
        "topology.kubernetes.io/region": region,
        "kubernetes.io/arch": _arch(machine, catalog),
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": config["machineType"],
        "cloud.google.com/machine-family": config["machineType"].split("-")[0],
        **_capacity_labels(config),
        **(config.get("labels") or {}),
        **_accelerator_labels(machine, gpus, topology, catalog),
    }
    most = scaling["maxNodeCount"] * len(zones) if per_zone else scaling["totalMaxNodeCount"]
    return Pool(
        name=inputs["name"],
        labels=labels,
        taints=_taints(config, machine, catalog),
        zones=zones,
        allocatable=_allocatable(inputs, machine, gpus, catalog),
        min_nodes=scaling.get("minNodeCount") or scaling.get("totalMinNodeCount") or 0,
        max_nodes=most,
        slice_nodes=most if topology else 1,
    )


def node_of(pool: Pool, number: int, zone: str) -> Object:
    """Return the Node object, which is not ready until its status says so."""
    name = f"gke-sandbox-{pool.name}-{number}"
    labels = {**pool.labels, "kubernetes.io/hostname": name, ZONE_LABEL: zone}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [dict(taint) for taint in pool.taints], "providerID": f"gce://sandbox/{zone}/{name}"},
    }


def node_status(pool: Pool, now: str) -> Object:
    """Return the status that a healthy kubelet would report."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "stand-in",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    resources = dict(pool.allocatable)
    return {"status": {"allocatable": resources, "capacity": resources, "conditions": [ready]}}


def _machine(name: str, gpus: Mapping[str, Any] | None, catalog: Catalog) -> MachineType | None:
    if name in _PLAIN_MACHINES:
        return None
    if gpus is None:
        return catalog.machine_types[name]
    for row in catalog.machine_types.values():
        label = catalog.accelerators[row.accelerator].gke_label
        if (row.gce_machine_type, row.accelerator_count, label) == (name, gpus["count"], gpus["type"]):
            return row
    raise KeyError(f"no machine {name} with {gpus['count']} x {gpus['type']}")


def _capacity_labels(config: Mapping[str, Any]) -> dict[str, str]:
    labels = {"cloud.google.com/gke-provisioning": "standard"}
    if config.get("spot"):
        labels |= {"cloud.google.com/gke-spot": "true", "cloud.google.com/gke-provisioning": "spot"}
    if config.get("flexStart"):
        labels |= {"cloud.google.com/gke-flex-start": "true", "cloud.google.com/gke-provisioning": "flex-start"}
    affinity = config.get("reservationAffinity") or {}
    if affinity.get("values"):
        labels["cloud.google.com/reservation-name"] = affinity["values"][0].rpartition("/")[2]
    return labels


def _accelerator_labels(
    machine: MachineType | None, gpus: Mapping[str, Any] | None, topology: str | None, catalog: Catalog
) -> dict[str, str]:
    if machine is None:
        return {}
    accelerator = catalog.accelerators[machine.accelerator]
    count = {"cloud.google.com/gke-accelerator-count": str(machine.accelerator_count)}
    if accelerator.kind is AcceleratorKind.TPU:
        return count | {
            "cloud.google.com/gke-tpu-accelerator": accelerator.gke_label,
            "cloud.google.com/gke-tpu-topology": topology or _host_topology(machine, catalog),
        }
    labels = count | {"cloud.google.com/gke-accelerator": accelerator.gke_label, "cloud.google.com/gke-gpu": "true"}
    sharing = (gpus or {}).get("gpuSharingConfig")
    if sharing:
        labels["cloud.google.com/gke-gpu-sharing-strategy"] = (
            sharing["gpuSharingStrategy"].lower().replace("_", "-")
        )
        labels["cloud.google.com/gke-max-shared-clients-per-gpu"] = str(sharing["maxSharedClientsPerGpu"])
    return labels


def _host_topology(machine: MachineType, catalog: Catalog) -> str:
    rows = catalog.tpu_topologies_of(machine.accelerator)
    return next(row.topology for row in rows if row.machine_type == machine.name and not row.is_multi_host)


def _taints(
    config: Mapping[str, Any], machine: MachineType | None, catalog: Catalog
) -> tuple[Mapping[str, str], ...]:
    taints = [
        {"key": taint["key"], "value": taint.get("value", ""), "effect": _EFFECTS[taint["effect"]]}
        for taint in config.get("taints") or ()
    ]
    if machine is not None:
        # GKE's own, on every node with an accelerator.
        taints.append({"key": _resource(machine, catalog), "value": "present", "effect": "NoSchedule"})
    return tuple(taints)


def _allocatable(
    inputs: Mapping[str, Any], machine: MachineType | None, gpus: Mapping[str, Any] | None, catalog: Catalog
) -> dict[str, str]:
    """What is left for our pods; the system's DaemonSets, which do not run here, are taken off by the catalogue."""
    config = inputs["nodeConfig"]
    found = {
        "pods": str(inputs.get("maxPodsPerNode") or 110),
        "ephemeral-storage": str(_disk_bytes(config.get("diskSizeGb") or 100)),
    }
    if machine is None:
        vcpu, gib = _PLAIN_MACHINES[config["machineType"]]
        overhead = catalog.node_overhead
        cpu, memory = overhead.usable_cpu_millicores(vcpu), overhead.usable_memory_bytes(gib)
        return found | {"cpu": f"{cpu}m", "memory": str(memory)}
    clients = ((gpus or {}).get("gpuSharingConfig") or {}).get("maxSharedClientsPerGpu", 1)
    return found | {
        "cpu": f"{machine.allocatable_cpu_millicores}m",
        "memory": str(machine.allocatable_memory_bytes),
        _resource(machine, catalog): str(machine.accelerator_count * clients),
    }


def _resource(machine: MachineType, catalog: Catalog) -> str:
    is_tpu = catalog.accelerators[machine.accelerator].kind is AcceleratorKind.TPU
    return "google.com/tpu" if is_tpu else "nvidia.com/gpu"


def _arch(machine: MachineType | None, catalog: Catalog) -> str:
    return "arm64" if machine and catalog.accelerators[machine.accelerator].host_cpu_arch == "arm64" else "amd64"


def _disk_bytes(gib: int) -> int:
    """Of a boot disk, what pods may take.

    GKE keeps a tenth as eviction threshold and the least of half, 6 GiB + 35 % and 100 GiB for the system
    (https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes).
    """
    return int((gib - 0.1 * gib - min(0.5 * gib, 6 + 0.35 * gib, 100)) * GIB)
