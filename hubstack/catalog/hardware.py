# SPDX-License-Identifier: Apache-2.0
"""Accelerators, the machine types that have them, TPU slices and their zones.

Owns the types. Does not own prices or the choice among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.kinds import AcceleratorKind, CapacityKind

LOCAL_SSD_GIB = 375
"""Size of a Compute Engine local SSD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A type of GPU card or TPU chip."""

    id: str
    kind: AcceleratorKind
    name: str
    gke_label: str
    """Value of cloud.google.com/gke-accelerator, or of gke-tpu-accelerator."""
    memory_gb_marketing: float
    """Per card or chip."""
    memory_bytes_visible: int
    """Memory that an engine sees on one device, before it takes a share."""
    memory_visible_source: str
    devices_per_chip: int
    """2 on TPU7x: tensor parallelism counts devices, GKE counts chips."""
    bandwidth_gbps: float
    """Memory bandwidth in GB/s, per card or chip."""
    compute_capability: float | None
    """Major and minor as one number (8.9); None for TPUs."""
    bf16_native: bool
    fp8_native: bool
    fp4_native: bool
    tflops_dense: Mapping[str, float]
    """Number format (`fp16`, `bf16`, `fp8`, `fp4`, `int8`) to 10^12 operations per second, without sparsity."""
    host_cpu_arch: str | None
    """`x86_64` or `arm64`; None if no source says (TPUs)."""
    interconnect: str
    interconnect_gbps: float | None
    """Interconnect bandwidth in GB/s per GPU; None without a dedicated link, or if no source says."""
    unverified: frozenset[str]
    """Names of figures with only weak sources."""
    sources: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Return all names accepted in the list: the ID, the GKE label and, for TPUs, `tpu-<id>`."""
        is_tpu = self.kind is AcceleratorKind.TPU
        prefixed = (f"tpu-{self.id}",) if is_tpu and not self.id.startswith("tpu") else ()
        return tuple(dict.fromkeys((self.id, self.gke_label, *prefixed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """A machine type with accelerators."""

    name: str
    """Unique in the catalogue; for N1 with attached GPUs `n1-standard-4+nvidia-tesla-t4x1`."""
    gce_machine_type: str
    """Compute Engine machine type of the node pool."""
    accelerator: str
    """Catalogue id."""
    accelerator_count: int
    """Cards or chips per machine; 1 for a fraction of a card."""
    accelerator_fraction: float | None
    """Share of a card that the machine has; None for whole cards. No source gives the memory that an engine sees of
    a share; nominally it is the same share of the card's memory."""
    accelerator_memory_gb: float
    """Marketing figure for the whole machine."""
    vcpu: int
    ram_gb: float
    """As published by Google; interpreted as GiB."""
    allocatable_cpu_millicores: int
    """Available to our pods: GKE's formula minus the requests of system DaemonSets."""
    allocatable_memory_bytes: int
    """Likewise."""
    local_ssd_bundled_gib: int
    """0 if none is bundled."""
    network_gbit_per_s: float | None
    on_demand: bool | None
    """Whether it is sold this way; None if no source says."""
    spot: bool | None
    flex_start: bool | None
    reservation: bool
    """Whether it can be reserved."""
    min_gke_version: str | None
    boot_disk_type: str | None
    """Boot disk type, if the machine is known to require one."""
    unverified: frozenset[str]
    sources: tuple[str, ...]

    @property
    def local_ssds(self) -> int:
        """Return the number of bundled local SSDs, which GKE uses as ephemeral storage."""
        return self.local_ssd_bundled_gib // LOCAL_SSD_GIB

    @property
    def ways(self) -> tuple[CapacityKind, ...]:
        """Return every capacity kind in which a source says it is sold."""
        return tuple(kind for kind in CapacityKind if self.is_sold_as(kind))

    def is_sold_as(self, capacity: CapacityKind) -> bool:
        """Return whether a source says that it is sold as this capacity kind."""
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
    """The zones that have an accelerator; says nothing about stock or quota."""

    accelerator: str
    zones: tuple[str, ...]
    documented: tuple[str, ...]
    """TPUs: zones in which Google documents that they can be created; empty if undocumented."""
    flex_start: tuple[str, ...]
    """TPUs: zones in which a source reports flex-start; empty if none does."""
    is_unverified: bool
    sources: tuple[str, ...]


def region_of(zone: str) -> str:
    """Return the region of a zone: `us-central1` of `us-central1-a`."""
    return zone.rpartition("-")[0]
