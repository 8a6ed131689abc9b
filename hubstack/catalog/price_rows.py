# SPDX-License-Identifier: Apache-2.0
"""Reads prices.yaml: attaches provenance to each figure, and derives TPU machine prices from chip prices.

Owns the format of that file. Does not own the types (`hubstack.catalog.prices`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hubstack.catalog.hardware import MachineType
from hubstack.catalog.prices import CloudRunPrice, GkeFee, HourPrice, NetworkPrice, Price, Provenance, StoragePrice
from hubstack.catalog.row import Row, is_unknown
from hubstack.catalog.sources import Source

FIGURES = ("on_demand", "spot", "flex_start", "cud_1y", "cud_3y")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTables:
    """The contents of prices.yaml."""

    machines: Mapping[tuple[str, str], Price]
    storage: Mapping[tuple[str, str], StoragePrice]
    hourly: Mapping[tuple[str, str], HourPrice]
    network: Mapping[str, NetworkPrice]
    cloud_run: tuple[CloudRunPrice, ...]
    fee: GkeFee


def read_prices(file: Row, sources: Mapping[str, Source], machine_types: Mapping[str, MachineType]) -> PriceTables:
    """Return the tables of the file, dated by the sources that the rows name."""
    dates = _Dates(sources)
    machines: dict[tuple[str, str], Price] = {}
    for price in (*_machines(file, dates, machine_types), *_tpu_machines(file, dates, machine_types)):
        name = price.machine_type
        if name and "" not in machine_types and (name, price.region) in machines:
            file.refuse(f"{name} has two prices in {price.region}", "usd_per_machine_hour", name)
        machines[name, price.region] = price
    fee = file.row("gke_fee")
    tables = PriceTables(
        machines=machines,
        storage={(row.kind, row.region): row for row in _storage(file, dates)},
        hourly={(row.kind, row.region): row for row in _hourly(file, dates)},
        network={row.kind: row for row in _network(file, dates)},
        cloud_run=tuple(_cloud_run(file, dates)),
        fee=fee.fill(GkeFee, as_of=dates.of(fee)),
    )
    fee.done()
    return tables


class _Dates:
    """Looks up the date of a row's source."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    def of(self, row: Row, key: str = "source") -> str | None:
        name = row.text(key)
        if is_unknown(name, self._sources):
            row.refuse(f"`{name}` is not in sources.yaml")
        return self._sources[name].as_of if name in self._sources else None

    def provenance(self, row: Row, *, key: str = "source", derived: str | None = None) -> Provenance:
        return Provenance(
            source=row.text(key),
            as_of=self.of(row, key),
            derived=derived or row.maybe_text("derived"),
            is_unverified=row.flag("unverified"),
        )


def _machines(file: Row, dates: _Dates, machine_types: Mapping[str, MachineType]) -> Iterator[Price]:
    bases = dict(_bases(file, dates))
    for name, by_basis in file.row("usd_per_machine_hour").items():
        if is_unknown(name, machine_types):
            by_basis.refuse("this machine type is not in machine_types.yaml")
        for basis, by_region in by_basis.items():
            if is_unknown(basis, bases):
                by_region.refuse("unknown basis")
            for region, row in by_region.items():
                yield _price(row, machine_types.get(name), region, bases.get(basis))


def _bases(file: Row, dates: _Dates) -> Iterator[tuple[str, Mapping[str, Provenance]]]:
    for name, basis in file.row("bases").items():
        origins: dict[str, Provenance] = {}
        for figure, row in basis.items():
            origin = dates.provenance(row)
            row.done()
            origins |= dict.fromkeys(("cud_1y", "cud_3y") if figure == "cud" else (figure,), origin)
        yield name, origins


def _price(
    row: Row, machine: MachineType | None, region: str, origins: Mapping[str, Provenance] | None, times: int = 1
) -> Price:
    """Return the price; if the machine type or the basis is unknown, only check the row."""
    figures = {figure: row.maybe_number(figure) for figure in FIGURES}
    row.done()
    for figure, usd in figures.items():
        if usd is not None and origins is not None and is_unknown(figure, origins):
            row.refuse(f"the basis gives no source for `{figure}`")
    known = origins or {}
    usd_per_hour = {figure: None if usd is None else round(usd * times, 6) for figure, usd in figures.items()}
    return Price(
        machine_type=machine.name if machine else "",
        region=region,
        on_demand=usd_per_hour["on_demand"],
        spot=usd_per_hour["spot"],
        flex_start=usd_per_hour["flex_start"],
        cud_1y=usd_per_hour["cud_1y"],
        cud_3y=usd_per_hour["cud_3y"],
        is_list_price=machine is None or machine.on_demand is not True,
        provenance={
            figure: known[figure] for figure, usd in figures.items() if usd is not None and figure in known
        },
    )


def _tpu_machines(file: Row, dates: _Dates, machine_types: Mapping[str, MachineType]) -> Iterator[Price]:
    for accelerator, row in file.row("usd_per_chip_hour").items():
        derived = f"usd_per_chip_hour of {accelerator} x chips"
        chip = dates.provenance(row, derived=derived)
        committed = Provenance(
            source=row.text("cud_source"),
            as_of=dates.of(row, "cud_source"),
            derived=f"0.70 and 0.45 of on-demand; {derived}",
            is_unverified=True,
        )
        origins = {"on_demand": chip, "spot": chip, "cud_1y": committed, "cud_3y": committed}
        machines = [machine for machine in machine_types.values() if machine.accelerator == accelerator]
        carried = {machine.accelerator for machine in machine_types.values()}
        if "" not in machine_types and is_unknown(accelerator, carried):
            row.refuse("no machine type has this accelerator")
        regions = row.row("regions")
        for region in regions.names():
            for machine in machines or [None]:
                price = regions.row(region)
                yield _price(price, machine, region, origins, machine.accelerator_count if machine else 1)
        row.done()


def _storage(file: Row, dates: _Dates) -> Iterator[StoragePrice]:
    for row in file.rows("usd_per_gb_month"):
        for region, usd in row.numbers("regions").items():
            yield StoragePrice(
                kind=row.text("kind"),
                region=region,
                usd_per_gb_month=usd,
                source=row.text("source"),
                as_of=dates.of(row),
                is_unverified=row.flag("unverified"),
            )
        row.done()


def _hourly(file: Row, dates: _Dates) -> Iterator[HourPrice]:
    for row in file.rows("usd_per_hour"):
        for region, usd in row.numbers("regions").items():
            yield HourPrice(
                kind=row.text("kind"),
                region=region,
                usd_per_hour=usd,
                source=row.text("source"),
                as_of=dates.of(row),
                is_unverified=row.flag("unverified"),
            )
        row.done()


def _network(file: Row, dates: _Dates) -> Iterator[NetworkPrice]:
    for row in file.rows("usd_per_gib_moved"):
        is_free, usd = row.flag("is_free"), row.maybe_number("usd")
        if is_free == (usd is not None) and row.is_sound:
            row.refuse("set either `usd` or `is_free: true`")
        yield NetworkPrice(
            kind=row.text("kind"),
            usd_per_gib=usd or 0.0,
            usd_per_gib_max=row.maybe_number("usd_max"),
            source=row.text("source"),
            as_of=dates.of(row),
            is_unverified=row.flag("unverified"),
        )
        row.done()


def _cloud_run(file: Row, dates: _Dates) -> Iterator[CloudRunPrice]:
    for row in file.rows("cloud_run"):
        yield row.fill(CloudRunPrice, as_of=dates.of(row), is_unverified=row.flag("unverified"))
        row.done()
