# SPDX-License-Identifier: Apache-2.0
"""Prices in USD, each figure with its source.

Owns the types of prices. Does not own bills (`hubstack.planner.cost`). A figure without a source is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hubstack.kinds import CapacityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUsed:
    """The price row behind a figure, in USD per machine-hour."""

    usd_per_hour: float
    basis: str
    """`on-demand`, `spot`, `flex-start`, `on-demand list price` ..."""
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The origin of a figure."""

    source: str
    as_of: str | None
    derived: str | None = None
    """How it was computed, if it was not read directly."""
    is_unverified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A machine type's price in a region, USD per machine-hour: vCPU, RAM, accelerators and bundled SSD."""

    machine_type: str
    region: str
    on_demand: float | None
    spot: float | None
    flex_start: float | None
    cud_1y: float | None
    """One-year committed use."""
    cud_3y: float | None
    is_list_price: bool
    """Whether the machine is not sold on demand, so that `on_demand` is only the list price that discounts refer
    to."""
    provenance: Mapping[str, Provenance]
    """Provenance of each figure present: `on_demand`, `spot`, `flex_start`, `cud_1y`, `cud_3y`."""
    held: float | None = None
    """Under a commitment that the user holds; placement compares on-demand nodes at it."""

    @property
    def source(self) -> str:
        """Return the source of the leading figure: on-demand, or else the first one present."""
        return next(iter(self.provenance.values())).source

    @property
    def as_of(self) -> str | None:
        """Return the date of the leading figure."""
        return next(iter(self.provenance.values())).as_of

    @property
    def unverified(self) -> frozenset[str]:
        """Return the names of figures with only weak sources."""
        return frozenset(name for name, origin in self.provenance.items() if origin.is_unverified)

    def used(self, capacity: CapacityKind) -> PriceUsed | None:
        """Return the price for a capacity kind, or None if no source gives it.

        A reservation is priced at the on-demand list price, whether or not the machine is sold on demand.
        """
        wants_list = capacity is CapacityKind.RESERVATION
        name = "on_demand" if wants_list else capacity.value.replace("-", "_")
        origin = self.provenance.get(name)
        if origin is None or (capacity is CapacityKind.ON_DEMAND and self.is_list_price):
            return None
        figures = {"on_demand": self.on_demand, "spot": self.spot, "flex_start": self.flex_start}
        usd = figures[name]
        if usd is None:
            return None
        basis = "on-demand list price" if wants_list else capacity.value
        return PriceUsed(
            usd_per_hour=usd,
            basis=f"{basis} (unverified)" if origin.is_unverified else basis,
            source=origin.source,
            as_of=origin.as_of or "undated",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePrice:
    """Price of one kind of storage in a region."""

    kind: str
    region: str
    usd_per_gb_month: float
    source: str
    as_of: str | None
    is_unverified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HourPrice:
    """Price of something that a cluster has all the time, in a region."""

    kind: str
    """A machine type without accelerators, or `nat-gateway`."""
    region: str
    usd_per_hour: float
    source: str
    as_of: str | None
    is_unverified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPrice:
    """Price of one kind of network traffic."""

    kind: str
    usd_per_gib: float
    """0 only if the source says that it is free."""
    usd_per_gib_max: float | None
    """Upper end, if the source gives a range."""
    source: str
    as_of: str | None
    is_unverified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GkeFee:
    """What GKE itself costs."""

    usd_per_cluster_hour: float
    free_tier_usd_per_month: float
    """Monthly credit per billing account, for one zonal or Autopilot cluster."""
    source: str
    as_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCommitment:
    """Accelerators of a region that are paid for whether they are used or not."""

    accelerator: str
    region: str
    count: int
    term: str
    """`1y` or `3y`."""
    usd_per_hour: float
    """Per accelerator, with its share of the smallest machine."""
    covers_usd_per_hour: float
    """What it takes off the on-demand price of each accelerator that it covers."""
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunPrice:
    """Rate of one item of a Cloud Run service with a GPU."""

    item: str
    """A GPU, `vcpu` or `memory-gib`."""
    redundancy: str | None
    """`none` or `zonal`, for GPUs."""
    region: str
    usd_per_second: float
    source: str
    as_of: str | None
    is_unverified: bool
