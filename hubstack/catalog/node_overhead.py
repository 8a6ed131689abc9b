# SPDX-License-Identifier: Apache-2.0
"""The resources that a GKE node reserves for itself, as a formula over the machine's shape.

Owns the arithmetic of catalog/node_overhead.yaml. Does not own machine shapes or pod requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The share reserved of the resources above the previous tier and up to `up_to`."""

    up_to: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOverhead:
    """The parameters of the formula."""

    cpu_tiers: tuple[Tier, ...]
    """Over cores."""
    memory_tiers: tuple[Tier, ...]
    """Over GiB."""
    eviction_threshold_mib: int
    kernel_share: float
    kernel_fixed_mib: int
    kernel_extra_share: float
    kernel_extra_max_mib: float
    daemonset_cpu_millicores: int
    daemonset_memory_gib: float
    sources: tuple[str, ...]

    def allocatable_cpu_millicores(self, vcpu: int) -> int:
        """Return what GKE reports as allocatable, before any DaemonSet."""
        return round(1000 * (vcpu - _kept(self.cpu_tiers, vcpu)))

    def allocatable_memory_bytes(self, ram_gib: float) -> int:
        """Return what GKE reports as allocatable, before any DaemonSet."""
        ram_mib = ram_gib * GIB / MIB
        extra_mib = min(self.kernel_extra_share * ram_mib, self.kernel_extra_max_mib)
        kernel_mib = self.kernel_share * ram_mib + self.kernel_fixed_mib + extra_mib
        reserved_mib = _kept(self.memory_tiers, ram_gib) * GIB / MIB
        return int((ram_mib - kernel_mib - reserved_mib - self.eviction_threshold_mib) * MIB)

    def usable_cpu_millicores(self, vcpu: int) -> int:
        """Return what is left for our pods after the system's DaemonSets."""
        return self.allocatable_cpu_millicores(vcpu) - self.daemonset_cpu_millicores

    def usable_memory_bytes(self, ram_gib: float) -> int:
        """Return what is left for our pods after the system's DaemonSets."""
        return self.allocatable_memory_bytes(ram_gib) - int(self.daemonset_memory_gib * GIB)


def _kept(tiers: Sequence[Tier], amount: float) -> float:
    kept = 0.0
    lower = 0.0
    for tier in tiers:
        kept += max(0.0, min(amount, tier.up_to) - lower) * tier.share
        lower = tier.up_to
    return kept
