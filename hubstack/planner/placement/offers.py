# SPDX-License-Identifier: Apache-2.0
"""What a region offers: every way to run one server on accelerators, with its price.

Owns a target's list of offers, which does not depend on any model. Does not own which of them suit a model
(`hubstack.planner.placement.candidates`) or which is chosen (`hubstack.planner.placement.solver`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from hubstack.catalog import Accelerator, Catalog, MachineType, Price, TpuTopology
from hubstack.catalog.prices import PriceUsed
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import COVERED_BY_COMMITMENT, AcceleratorKind, CapacityKind

SERVERS_PER_CARD = (2, 4, 8)
"""Servers per shared GPU. A short list keeps the number of node pools small; GKE allows up to 48."""
CONTEXT_BYTES = 600 * 1024**2
"""CUDA context of one process, outside the engine's budget: 0.3 to 0.6 GiB (docs/concepts/sizing.md)."""
PIPELINE_STAGES = (2, 3, 4)
"""Numbers of nodes that one replica can span."""
UNKNOWN_USD = 1_000_000.0
"""USD per hour assumed for offers without a price, so that they are chosen last."""


HOST_SHARE = 0.9
"""Share of a node's allocatable memory used for our pods; the rest is for DaemonSets not in the catalogue."""
SIDECAR_MEMORY_BYTES = 2 * 1024**3
SIDECAR_CPU_MILLICORES = 100
"""Requests of the FUSE sidecar in every server's pod (`hubstack.deploy.manifests` requests the same)."""


def host_memory_bytes(machine: MachineType, share: float) -> int:
    """Return the bytes of memory for a server with this share of a node, without its sidecar; may be negative."""
    return int(machine.allocatable_memory_bytes * share * HOST_SHARE) - SIDECAR_MEMORY_BYTES


def host_cpu_millicores(machine: MachineType, share: float) -> int:
    """Return the CPU request in millicores of a server with this share of a node, without its sidecar."""
    return max(50, int(machine.allocatable_cpu_millicores * share * HOST_SHARE) - SIDECAR_CPU_MILLICORES)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One server on the accelerators of one kind of node."""

    machine: MachineType
    accelerator: Accelerator
    count: int
    """Accelerators that the server uses on each node: GPUs, or all TPU chips of the node."""
    servers_per_accelerator: int = 1
    hosts: int = 1
    """Nodes of one server, each with one pipeline stage."""
    topology: str | None = None
    zones: tuple[str, ...]
    row: Price | None

    @cached_property
    def tensor_parallel(self) -> int:
        """Ranks of one pipeline stage, one per device; a TPU7x chip has two devices."""
        return self.count * self.accelerator.devices_per_chip

    @cached_property
    def visible_bytes(self) -> int:
        """Bytes that the engine sees on one device; for a fraction of a GPU, that fraction of the whole."""
        return int(self.accelerator.memory_bytes_visible * (self.machine.accelerator_fraction or 1))

    @cached_property
    def memory_share(self) -> float | None:
        """Largest memory share of a shared GPU that one server may use; None for a whole GPU.

        The other servers' CUDA contexts are subtracted first, because they are outside every engine's budget.
        """
        if self.servers_per_accelerator == 1:
            return None
        part = 1 / self.servers_per_accelerator
        return min(0.9 * part, part - CONTEXT_BYTES / self.visible_bytes)

    @cached_property
    def units(self) -> int:
        """Places on one node: accelerators x servers on each.

        These and the places per server are powers of two, so any set of servers with enough places in total fits.
        """
        return self.machine.accelerator_count * self.servers_per_accelerator

    @cached_property
    def taken(self) -> int:
        """Places that one server uses over all its nodes."""
        return self.count * self.hosts if self.servers_per_accelerator == 1 else 1

    @cached_property
    def is_whole_node(self) -> bool:
        """Whether one server uses all accelerators of one node."""
        return self.hosts == 1 and self.taken == self.units

    @cached_property
    def accelerator_bytes(self) -> int:
        """Bytes of accelerator memory that one server uses on all its nodes."""
        return self.visible_bytes * self.tensor_parallel * self.hosts

    @cached_property
    def alike(self) -> tuple[object, ...]:
        """Everything that a model's memory depends on; offers with equal values differ only in the machine."""
        fraction = self.machine.accelerator_fraction
        return (self.accelerator.id, self.count, self.hosts, self.servers_per_accelerator, fraction)

    @cached_property
    def is_slice(self) -> bool:
        """Whether this is a multi-node TPU slice, which is created and deleted as a whole."""
        return self.hosts > 1 and self.accelerator.kind is AcceleratorKind.TPU

    @cached_property
    def host_share(self) -> float:
        """Share of a node's CPU and memory that belongs to one server."""
        return self.count / self.machine.accelerator_count / self.servers_per_accelerator

    def price(self, kind: CapacityKind) -> PriceUsed | None:
        """Return the price of one node, or None if the catalogue has none."""
        return self._prices[kind]

    def usd(self, kind: CapacityKind) -> float:
        """Return USD per hour of one node for comparison, with the list price as the fallback."""
        return self._usd[kind]

    @cached_property
    def _prices(self) -> Mapping[CapacityKind, PriceUsed | None]:
        return {kind: self.row.used(kind) if self.row else None for kind in CapacityKind}

    @cached_property
    def _usd(self) -> Mapping[CapacityKind, float]:
        listed = (self.row and self.row.on_demand) or UNKNOWN_USD
        usd = {kind: price.usd_per_hour if price else listed for kind, price in self._prices.items()}
        if self.row and self.row.held is not None:
            usd |= {kind: min(usd[kind], self.row.held) for kind in COVERED_BY_COMMITMENT}
        return usd


def list_offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
    """Return all offers in the target's zones, sorted by machine type."""
    return tuple(
        offer
        for name in sorted(catalog.machine_types)
        for offer in _of_machine(catalog.machine_types[name], catalog, target)
    )


def _of_machine(machine: MachineType, catalog: Catalog, target: StackSettings) -> Iterator[Offer]:
    accelerator = catalog.accelerators[machine.accelerator]
    zones = zones_of(machine, catalog, target)
    if not zones:
        return
    row, count = catalog.price(machine.name, target.region), machine.accelerator_count
    if accelerator.kind is AcceleratorKind.TPU:
        for topology in catalog.tpu_topologies:
            if topology.machine_type == machine.name and _is_offered(topology):
                yield Offer(
                    machine=machine,
                    accelerator=accelerator,
                    count=count,
                    hosts=topology.nodes,
                    topology=topology.topology,
                    zones=zones,
                    row=row,
                )
        return
    used = 1
    while used <= count:
        yield Offer(machine=machine, accelerator=accelerator, count=used, zones=zones, row=row)
        used *= 2
    if machine.accelerator_fraction is None:
        for servers in SERVERS_PER_CARD:
            yield Offer(
                machine=machine,
                accelerator=accelerator,
                count=1,
                servers_per_accelerator=servers,
                zones=zones,
                row=row,
            )
    if count >= 8:
        for hosts in PIPELINE_STAGES:
            yield Offer(machine=machine, accelerator=accelerator, count=count, hosts=hosts, zones=zones, row=row)


def _is_offered(topology: TpuTopology) -> bool:
    return topology.nodes == 1 or topology.nodes in PIPELINE_STAGES


def zones_of(machine: MachineType, catalog: Catalog, target: StackSettings) -> tuple[str, ...]:
    """Return the zones of the target where the machine type is listed."""
    if target.region not in catalog.regions(machine.name):
        return ()
    zones = catalog.zones(machine.accelerator, target.region)
    return tuple(zone for zone in zones if not target.zones or zone in target.zones)
