# SPDX-License-Identifier: Apache-2.0
"""Accelerators, the machines that carry them, TPU slices and the zones they are in.

Owns the types. Does not own prices, nor the choice among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.kinds import AcceleratorKind, CapacityKind

LOCAL_SSD_GIB = 375
"""One local SSD of Compute Engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One kind of GPU card or TPU chip."""

    id: str
    kind: AcceleratorKind
    name: str
    gke_label: str
    """Value of cloud.google.com/gke-accelerator, or of gke-tpu-accelerator."""
    memory_gb_marketing: float
    """Per card or chip."""
    memory_bytes_visible: int
    """What an engine sees on one device, before any share of it is taken."""
    memory_visible_source: str
    devices_per_chip: int
    """2 on TPU7x: tensor parallelism counts devices, GKE counts chips."""
    bandwidth_gbps: float
    """Gigabytes per second of the memory, per card or chip."""
    compute_capability: float | None
    """Major and minor as one number (8.9); None for TPUs."""
    bf16_native: bool
    fp8_native: bool
    fp4_native: bool
    tflops_dense: Mapping[str, float]
    """Number format (`fp16`, `bf16`, `fp8`, `fp4`, `int8`) to 10^12 operations a second, without sparsity."""
    host_cpu_arch: str | None
    """`x86_64` or `arm64`; None where no source says (TPUs)."""
    interconnect: str
    interconnect_gbps: float | None
    """Gigabytes per second per GPU; None without a link of its own, or where no source says."""
    unverified: frozenset[str]
    """Names of figures that only weak sources give."""
    sources: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words that name it in a request: the id, the GKE label and, for TPUs, `tpu-<id>`."""
        is_tpu = self.kind is AcceleratorKind.TPU
        prefixed = (f"tpu-{self.id}",) if is_tpu and not self.id.startswith("tpu") else ()
        return tuple(dict.fromkeys((self.id, self.gke_label, *prefixed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """A machine type with accelerators."""

    name: str
    """Unique here; for N1 with attached GPUs `n1-standard-4+nvidia-tesla-t4x1`."""
    gce_machine_type: str
    """What the node pool asks Compute Engine for."""
    accelerator: str
    """Catalogue id."""
    accelerator_count: int
    """Cards or chips of one machine; 1 for a fraction of a card."""
    accelerator_fraction: float | None
    """Share of one card that the machine has; None for whole cards. What an engine sees of a share is in no
    source: nominally the same share of the card's memory."""
    accelerator_memory_gb: float
    """Marketing figure, of the whole machine."""
    vcpu: int
    ram_gb: float
    """As Google prints it; taken as GiB."""
    allocatable_cpu_millicores: int
    """What is left for our pods: GKE's formula less the floor of the system's DaemonSets."""
    allocatable_memory_bytes: int
    """Likewise."""
    local_ssd_bundled_gib: int
    """0 where none is bundled."""
    network_gbit_per_s: float | None
    on_demand: bool | None
    """Whether it is sold so; None where no source says."""
    spot: bool | None
    flex_start: bool | None
    reservation: bool
    """Whether one can be made for it."""
    min_gke_version: str | None
    boot_disk_type: str | None
    """Where the machine is known to need one."""
    unverified: frozenset[str]
    sources: tuple[str, ...]

    @property
    def local_ssds(self) -> int:
        """Bundled local SSDs, which GKE makes the node's ephemeral storage of."""
        return self.local_ssd_bundled_gib // LOCAL_SSD_GIB

    @property
    def ways(self) -> tuple[CapacityKind, ...]:
        """Every way in which a source says that it can be bought."""
        return tuple(kind for kind in CapacityKind if self.is_sold_as(kind))

    def is_sold_as(self, capacity: CapacityKind) -> bool:
        """Return whether a source says that it can be bought so."""
        sold = {
            CapacityKind.RESERVATION: self.reservation,
            CapacityKind.ON_DEMAND: self.on_demand,
            CapacityKind.SPOT: self.spot,
            CapacityKind.FLEX_START: self.flex_start,
        }
        return sold[capacity] is True


@dataclass(frozen=True, slots=True, kw_only=True)
class TpuTopology:
    """A slice of TPU chips."""

    accelerator: str
    topology: str
    """`2x4`, `2x2x1` ..."""
    machine_type: str
    chips: int
    chips_per_node: int
    nodes: int
    source: str

    @property
    def is_multi_host(self) -> bool:
        """Whether the slice spans several nodes."""
        return self.nodes > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneList:
    """The zones in which an accelerator is; neither capacity nor quota."""

    accelerator: str
    zones: tuple[str, ...]
    documented: tuple[str, ...]
    """TPUs: where Google says that they can be created; empty where it says nothing."""
    flex_start: tuple[str, ...]
    """TPUs: where a source saw flex-start; empty where none did."""
    is_unverified: bool
    sources: tuple[str, ...]


def region_of(zone: str) -> str:
    """Return the region of a zone: `us-central1` of `us-central1-a`."""
    return zone.rpartition("-")[0]
