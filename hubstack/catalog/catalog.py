# SPDX-License-Identifier: Apache-2.0
"""The whole catalogue, and the look-ups that planning needs.

Owns look-ups. Does not own reading (`hubstack.catalog.loader`) or checking (`hubstack.catalog.integrity`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hubstack.catalog.accelerator_words import accelerators_like
from hubstack.catalog.engine_metrics import EngineMetrics
from hubstack.catalog.engines import Engine
from hubstack.catalog.expert_kernels import ExpertKernel
from hubstack.catalog.gateway_images import GatewayImage
from hubstack.catalog.hardware import Accelerator, MachineType, TpuTopology, ZoneList, region_of
from hubstack.catalog.load_rates import LoadRates
from hubstack.catalog.node_overhead import NodeOverhead
from hubstack.catalog.platforms import CloudRun, GpuDriver, Termination, Vertex
from hubstack.catalog.prices import (
    CloudRunPrice,
    GkeFee,
    HeldCommitment,
    HourPrice,
    NetworkPrice,
    Price,
    StoragePrice,
)
from hubstack.catalog.sources import Source
from hubstack.kinds import AcceleratorKind, EngineKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All rows, by ID."""

    sources: Mapping[str, Source]
    accelerators: Mapping[str, Accelerator]
    machine_types: Mapping[str, MachineType]
    tpu_topologies: tuple[TpuTopology, ...]
    zone_lists: Mapping[str, ZoneList]
    """By accelerator."""
    regions_offered: Mapping[str, tuple[str, ...]]
    """By machine type, as listed by the Compute Engine API."""
    prices: Mapping[tuple[str, str], Price]
    """By machine type and region."""
    storage_prices: Mapping[tuple[str, str], StoragePrice]
    """By kind and region."""
    hour_prices: Mapping[tuple[str, str], HourPrice]
    """By kind and region."""
    network_prices: Mapping[str, NetworkPrice]
    """By kind."""
    cloud_run_prices: tuple[CloudRunPrice, ...]
    cloud_run: CloudRun
    vertex: Vertex
    gpu_driver: GpuDriver
    termination: Termination
    fee: GkeFee
    engines: Mapping[str, Engine]
    """At the version that a list gets if it names none."""
    engine_versions: Mapping[str, Mapping[str, Engine]]
    """Other versions by engine; each is read when it is asked for."""
    engine_metrics: Mapping[EngineKind, EngineMetrics]
    """Releases of every engine."""
    expert_kernels: tuple[ExpertKernel, ...]
    node_overhead: NodeOverhead
    load_rates: LoadRates
    gateway_images: Mapping[str, GatewayImage]
    """Images of the callers' proxy, by role."""
    commitments: tuple[HeldCommitment, ...] = ()
    """Commitments of the user's own; the shipped catalogue has none."""

    def accelerator(self, word: str) -> Accelerator | None:
        """Return the accelerator with a name (ID, GKE label, `tpu-<id>`), or None."""
        lowered = word.lower()
        return next((row for row in self.accelerators.values() if lowered in row.words), None)

    @property
    def load_tool(self) -> Engine:
        """Return the engine whose image has the load tool."""
        return next(engine for engine in self.engines.values() if engine.load_tool)

    def expert_kernel(
        self, engine: EngineKind, weights_format: str | None, card: Accelerator
    ) -> ExpertKernel | None:
        """Return the kernel that pads a mixture's experts on a card, or None if none does."""
        capability = card.compute_capability
        if weights_format is None or capability is None:
            return None
        found = (row for row in self.expert_kernels if row.suits(engine, weights_format, capability))
        return next(found, None)

    def accelerators_meant(self, word: str, kind: AcceleratorKind | None = None) -> tuple[str, ...]:
        """Return the IDs that an unknown word may mean: as a name, a GKE label or a machine type."""
        lowered = word.lower()
        series = {
            machine.accelerator
            for machine in self.machine_types.values()
            if machine.name.startswith(f"{lowered}-") or lowered in {machine.name, machine.gce_machine_type}
        }
        found = series or accelerators_like(lowered, self.accelerators.values())
        rows = (self.accelerators[each] for each in self.accelerators if each in found)
        return tuple(row.id for row in rows if kind in {None, row.kind})

    def tpu_topologies_of(self, accelerator_id: str) -> tuple[TpuTopology, ...]:
        """Return a TPU's slice topologies, smallest first, single-host before multi-host."""
        rows = (row for row in self.tpu_topologies if row.accelerator == accelerator_id)
        return tuple(sorted(rows, key=lambda row: (row.chips, row.nodes)))

    def zones(self, accelerator_id: str, region: str) -> tuple[str, ...]:
        """Return the zones of a region with an accelerator; empty if none is known.

        For a TPU these are the documented zones; if Google documents none in the region, the zones that the API
        lists.
        """
        row = self.zone_lists.get(accelerator_id)
        if row is None:
            return ()
        documented = tuple(zone for zone in row.documented if region_of(zone) == region)
        return documented or tuple(zone for zone in row.zones if region_of(zone) == region)

    def regions(self, machine_type: str) -> tuple[str, ...]:
        """Return the regions that offer a machine type, sorted.

        If the API listing has no such machine type (N1 with GPUs), the regions of the accelerator's zones.
        """
        offered = self.regions_offered.get(machine_type)
        if offered is not None:
            return offered
        row = self.machine_types.get(machine_type)
        zones = self.zone_lists.get(row.accelerator) if row else None
        return tuple(sorted({region_of(zone) for zone in zones.zones})) if zones else ()

    def all_regions(self) -> tuple[str, ...]:
        """Return every region with an accelerator, sorted."""
        return tuple(sorted({region for name in self.machine_types for region in self.regions(name)}))

    def price(self, machine_type: str, region: str) -> Price | None:
        """Return the price of a machine type in a region, or None if no source gives one."""
        return self.prices.get((machine_type, region))

    def storage_price(self, kind: str, region: str) -> StoragePrice | None:
        """Return the price of storage (`gcs_standard`, `pd-balanced`) in a region, or None if unknown."""
        return self.storage_prices.get((kind, region))

    def hour_price(self, kind: str, region: str) -> HourPrice | None:
        """Return the price of `nat-gateway` or a machine without accelerators in a region, or None if unknown."""
        return self.hour_prices.get((kind, region))

    def cloud_run_price(self, item: str, region: str) -> CloudRunPrice | None:
        """Return the rate of a GPU (without zonal redundancy), `vcpu` or `memory-gib`, or None if unknown."""
        rows = (row for row in self.cloud_run_prices if row.item == item and row.region == region)
        return next((row for row in rows if row.redundancy in {None, "none"}), None)

    def gke_fee(self) -> GkeFee:
        """Return GKE's cluster fee."""
        return self.fee

    def engine(self, engine_id: str) -> Engine | None:
        """Return the engine with an ID, or None."""
        return self.engines.get(engine_id)

    def engine_at(self, engine_id: str, version: str | None) -> Engine:
        """Return an engine at a version of `versions_of`; None for its default version."""
        engine = self.engines[engine_id]
        return engine if version in {None, engine.version} else self.engine_versions[engine_id][version or ""]

    def versions_of(self, engine_id: str) -> tuple[str, ...]:
        """Return the versions of an engine, the default one first."""
        default = self.engines[engine_id].version
        return (*((default,) if default else ()), *self.engine_versions[engine_id])

    def every_engine(self) -> Iterator[Engine]:
        """Yield each engine at each version."""
        for engine_id, engine in self.engines.items():
            yield engine
            yield from self.engine_versions[engine_id].values()

    def price_dates(self) -> Mapping[str, str]:
        """Return the newest date for each figure (`on_demand`, `spot` ...), `storage` and `network`."""
        dated = [
            *((name, origin.as_of) for row in self.prices.values() for name, origin in row.provenance.items()),
            *(("storage", row.as_of) for row in self.storage_prices.values()),
            *(("network", row.as_of) for row in self.network_prices.values()),
        ]
        newest: dict[str, str] = {}
        for name, as_of in dated:
            if as_of is not None:
                newest[name] = max(as_of, newest.get(name, as_of))
        return dict(sorted(newest.items()))
