# SPDX-License-Identifier: Apache-2.0
"""What a region sells: every way to put one server on accelerators, with its price.

Owns the list of offers of a target, which no model changes. Does not own which of them suits a model
(`hubstack.planner.placement.candidates`) nor which is taken (`hubstack.planner.placement.solver`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from hubstack.catalog import Accelerator, Catalog, MachineType, Price, TpuTopology
from hubstack.catalog.prices import PriceUsed
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import AcceleratorKind, CapacityKind

SERVERS_PER_CARD = (2, 4, 8)
"""Parts that a shared card is cut in. Few, so that the pools are few; GKE allows up to 48 (facts: gke.md 3.3)."""
CONTEXT_BYTES = 600 * 1024**2
"""CUDA context of one process, outside the engine's own budget: 0.3 to 0.6 GiB (facts: serving_logs.md 6)."""
PIPELINE_STAGES = (2, 3, 4)
"""Nodes that one replica may span."""
UNKNOWN_USD = 1_000_000.0
"""An hour of what has no price: taken last."""


HOST_SHARE = 0.9
"""Of what a node can allocate, for our pods; the rest is for DaemonSets that the floor in the catalogue misses."""
SIDECAR_MEMORY_BYTES = 2 * 1024**3
SIDECAR_CPU_MILLICORES = 100
"""Of the FUSE driver's container in every server's pod (`hubstack.deploy.manifests` asks for as much)."""


def host_memory_bytes(machine: MachineType, share: float) -> int:
    """Return the memory of a server with this share of a node, its sidecar's left out; may be negative."""
    return int(machine.allocatable_memory_bytes * share * HOST_SHARE) - SIDECAR_MEMORY_BYTES


def host_cpu_millicores(machine: MachineType, share: float) -> int:
    """Return the CPU request of a server with this share of a node, its sidecar's left out."""
    return max(50, int(machine.allocatable_cpu_millicores * share * HOST_SHARE) - SIDECAR_CPU_MILLICORES)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One server on accelerators of one kind of node."""

    machine: MachineType
    accelerator: Accelerator
    count: int
    """Accelerators on each node that the server uses: GPUs, or all chips of the node."""
    servers_per_accelerator: int = 1
    hosts: int = 1
    """Nodes of one server, one pipeline stage each."""
    topology: str | None = None
    zones: tuple[str, ...]
    row: Price | None

    @cached_property
    def tensor_parallel(self) -> int:
        """Ranks of one stage; devices, of which TPU7x has two a chip."""
        return self.count * self.accelerator.devices_per_chip

    @cached_property
    def visible_bytes(self) -> int:
        """What the engine sees of one device: of a fraction of a card nominally that fraction."""
        return int(self.accelerator.memory_bytes_visible * (self.machine.accelerator_fraction or 1))

    @cached_property
    def memory_share(self) -> float | None:
        """Largest share of a shared card that one server may use, None for a whole card.

        The other servers' CUDA contexts come off first: they lie outside every engine's budget.
        """
        if self.servers_per_accelerator == 1:
            return None
        part = 1 / self.servers_per_accelerator
        return min(0.9 * part, part - CONTEXT_BYTES / self.visible_bytes)

    @cached_property
    def units(self) -> int:
        """Places of one node: accelerators x servers on each.

        They are powers of two, as are the places that a server takes, so whatever adds up fits.
        """
        return self.machine.accelerator_count * self.servers_per_accelerator

    @cached_property
    def taken(self) -> int:
        """Places that one server takes, over all its nodes."""
        return self.count * self.hosts if self.servers_per_accelerator == 1 else 1

    @cached_property
    def alike(self) -> tuple[object, ...]:
        """What a model's memory depends on; offers with equal ones differ in the machine around the cards."""
        fraction = self.machine.accelerator_fraction
        return (self.accelerator.id, self.count, self.hosts, self.servers_per_accelerator, fraction)

    @cached_property
    def is_slice(self) -> bool:
        """A TPU slice over several nodes, which comes and goes whole."""
        return self.hosts > 1 and self.accelerator.kind is AcceleratorKind.TPU

    @cached_property
    def host_share(self) -> float:
        """Part of a node's processors and memory that belongs to one server."""
        return self.count / self.machine.accelerator_count / self.servers_per_accelerator

    def price(self, kind: CapacityKind) -> PriceUsed | None:
        """Return the price of one node, None where no source gives one."""
        return self._prices[kind]

    def usd(self, kind: CapacityKind) -> float:
        """Return USD an hour of one node to compare by: the list price where this way of buying has none."""
        return self._usd[kind]

    @cached_property
    def _prices(self) -> Mapping[CapacityKind, PriceUsed | None]:
        return {kind: self.row.used(kind) if self.row else None for kind in CapacityKind}

    @cached_property
    def _usd(self) -> Mapping[CapacityKind, float]:
        listed = (self.row and self.row.on_demand) or UNKNOWN_USD
        return {kind: price.usd_per_hour if price else listed for kind, price in self._prices.items()}


def list_offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
    """Return every offer of the target's zones, sorted by machine type."""
    return tuple(
        offer for name in sorted(catalog.machine_types)
        for offer in _of_machine(catalog.machine_types[name], catalog, target)
    )  # fmt: skip


def _of_machine(machine: MachineType, catalog: Catalog, target: StackSettings) -> Iterator[Offer]:
    accelerator = catalog.accelerators[machine.accelerator]
    zones = zones_of(machine, catalog, target)
    if not zones:
        return
    row, count = catalog.price(machine.name, target.region), machine.accelerator_count
    if accelerator.kind is AcceleratorKind.TPU:
        for topology in catalog.tpu_topologies:
            if topology.machine_type == machine.name and _is_offered(topology):
                yield Offer(machine=machine, accelerator=accelerator, count=count, hosts=topology.nodes,
                            topology=topology.topology, zones=zones, row=row)  # fmt: skip
        return
    used = 1
    while used <= count:
        yield Offer(machine=machine, accelerator=accelerator, count=used, zones=zones, row=row)
        used *= 2
    if machine.accelerator_fraction is None:
        for servers in SERVERS_PER_CARD:
            yield Offer(machine=machine, accelerator=accelerator, count=1, servers_per_accelerator=servers,
                        zones=zones, row=row)  # fmt: skip
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
