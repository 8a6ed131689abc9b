# SPDX-License-Identifier: Apache-2.0
"""The catalogue with the user's own prices: those read by `hubstack refresh`, discounts, prices, commitments.

Owns the order: a price of `prices.yaml` wins over a discount of it, which applies to what was refreshed, which
replaces what hubstack ships. Pure: `hubstack.planner.inputs` reads the files.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hubstack.catalog import Catalog
from hubstack.catalog.hardware import MachineType
from hubstack.catalog.prices import HeldCommitment, HourPrice, Price, Provenance, StoragePrice
from hubstack.files.errors import InputError
from hubstack.inputs.own_prices import SYSTEM_MACHINES, Discount, OwnPrice, OwnPrices
from hubstack.inputs.refreshed import RefreshedPrices
from hubstack.plan.bill import ExchangeRate

REFRESHED = "Cloud Billing Catalog"
"""Source of refreshed figures."""
_WAYS = {"on-demand": "on_demand", "spot": "spot", "flex-start": "flex_start"}
_STORAGE = {"gcs-standard": "gcs_standard", "pd-balanced": "pd-balanced"}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Mutable price tables, while they are layered."""

    machines: dict[tuple[str, str], Price]
    storage: dict[tuple[str, str], StoragePrice]
    hours: dict[tuple[str, str], HourPrice]


def own_catalog(catalog: Catalog, own: OwnPrices | None, refreshed: RefreshedPrices | None) -> Catalog:
    """Return the catalogue with a user's own prices.

    Raises:
        InputError: a currency has no exchange rate, or a SKU was not refreshed.
    """
    if own is None and refreshed is None:
        return catalog
    rows = _Rows(dict(catalog.prices), dict(catalog.storage_prices), dict(catalog.hour_prices))
    fee = catalog.fee
    if refreshed:
        _apply_refreshed(catalog, rows, refreshed, _sku_prices(own, refreshed))
    elif own:
        _sku_prices(own, None)
    held: tuple[HeldCommitment, ...] = ()
    if own:
        rate = _own_rate(own, refreshed)
        _apply_discounts(catalog, rows, own.discounts)
        if whole := _discount(own.discounts, None, None):
            usd = fee.usd_per_cluster_hour * (1 - whole[0].percent / 100)
            fee = replace(fee, usd_per_cluster_hour=round(usd, 6), source=_off(fee.source, *whole))
        for row, place in own.prices:
            _apply_price(catalog, rows, row, f"your price, {place}", own.as_of, rate)
            if row.item == "gke-cluster" and row.price is not None:
                source = f"your price, {place}"
                fee = replace(fee, usd_per_cluster_hour=round(row.price / rate, 6), source=source, as_of=own.as_of)
        held = tuple(_held(catalog, rows, own, rate))
        _apply_held(catalog, rows, held)
    return replace(
        catalog,
        prices=rows.machines,
        storage_prices=rows.storage,
        hour_prices=rows.hours,
        fee=fee,
        commitments=held,
    )


def exchange_rate(currency: str, own: OwnPrices | None, refreshed: RefreshedPrices | None) -> ExchangeRate | None:
    """Return the rate of a currency, with its source and date; None if no file gives one."""
    if own and own.currency == currency and own.exchange_rate is not None:
        place = f"{own.document.path}:{own.document.mark(('exchange_rate',)).line}"
        return ExchangeRate(currency=currency, per_usd=own.exchange_rate, source=place, as_of=own.as_of)
    if refreshed and refreshed.exchange and refreshed.exchange.currency == currency:
        rate = refreshed.exchange
        return ExchangeRate(currency=currency, per_usd=rate.per_usd, source=REFRESHED, as_of=str(rate.as_of))
    return None


def _own_rate(own: OwnPrices, refreshed: RefreshedPrices | None) -> float:
    if own.currency == "USD":
        return 1.0
    rate = exchange_rate(own.currency, own, refreshed)
    if rate is None:
        hint = "add `exchange_rate:`, the units of it per US dollar; or `hubstack:currency` and `hubstack refresh`"
        mark = own.document.mark(("currency",))
        raise InputError([mark.problem(f"`{own.currency}` has no exchange rate", hint)])
    return rate.per_usd


def _sku_prices(own: OwnPrices | None, refreshed: RefreshedPrices | None) -> dict[str, tuple[float, str, str]]:
    """Return USD per unit, source and date of each SKU with a price of the user's own."""
    asked = [(at, row, place) for at, (row, place) in enumerate(own.prices) if row.sku] if own else []
    if own is None or not asked:
        return {}
    known = set(refreshed.skus) if refreshed else set[str]()
    problems = [
        own.document.mark(("prices", at, "sku")).problem(
            f"the SKU `{row.sku}` is not among the prices that `hubstack refresh` read",
            "run `hubstack refresh`, or price the machine or the accelerator instead",
        )
        for at, row, _ in asked
        if row.sku not in known
    ]
    if problems:
        raise InputError(problems)
    rate = _own_rate(own, refreshed)
    return {
        str(row.sku): (row.price / rate, f"your price, {place}", own.as_of)
        for _, row, place in asked
        if row.price is not None
    }


def _apply_refreshed(
    catalog: Catalog, rows: _Rows, refreshed: RefreshedPrices, skus: Mapping[str, tuple[float, str, str]]
) -> None:
    for name, regions in refreshed.items.items():
        for region, ways in regions.items():
            for way, quantities in ways.items():
                usd = sum(
                    (skus[sku][0] if sku in skus else refreshed.skus[sku].usd) * units
                    for sku, units in quantities.items()
                )
                source, as_of = next(
                    ((skus[sku][1], skus[sku][2]) for sku in quantities if sku in skus),
                    (REFRESHED, str(refreshed.as_of)),
                )
                if name in catalog.machine_types and way in _WAYS:
                    _set(catalog, rows, (name, region), {_WAYS[way]: usd}, source, as_of)
                else:
                    _set_item(rows, name, region, usd, source, as_of)


def _set(
    catalog: Catalog, rows: _Rows, key: tuple[str, str], figures: Mapping[str, float], source: str, as_of: str
) -> None:
    machine = catalog.machine_types[key[0]]
    row = rows.machines.get(key) or _empty(machine, key[1])
    names = {"committed_1y": "cud_1y", "committed_3y": "cud_3y"}
    new = {names.get(name, name): round(usd, 6) for name, usd in figures.items()}
    origins = {name: Provenance(source=source, as_of=as_of) for name in new}
    rows.machines[key] = replace(row, **new, provenance={**row.provenance, **origins})  # pyright: ignore[reportArgumentType]


def _empty(machine: MachineType, region: str) -> Price:
    return Price(
        machine_type=machine.name,
        region=region,
        on_demand=None,
        spot=None,
        flex_start=None,
        cud_1y=None,
        cud_3y=None,
        is_list_price=machine.on_demand is not True,
        provenance={},
    )


def _set_item(rows: _Rows, name: str, region: str, usd: float, source: str, as_of: str) -> None:
    kind = _STORAGE.get(name, name)
    if name in _STORAGE:
        rows.storage[kind, region] = StoragePrice(
            kind=kind,
            region=region,
            usd_per_gb_month=round(usd, 6),
            source=source,
            as_of=as_of,
            is_unverified=False,
        )
    else:
        rows.hours[kind, region] = HourPrice(
            kind=kind, region=region, usd_per_hour=round(usd, 6), source=source, as_of=as_of, is_unverified=False
        )


def _apply_price(catalog: Catalog, rows: _Rows, row: OwnPrice, source: str, as_of: str, rate: float) -> None:
    for name in _machines(catalog, row):
        machine = catalog.machine_types[name]
        times = 1.0 if row.machine else machine.accelerator_count * (machine.accelerator_fraction or 1.0)
        figures = {figure: usd / rate * times for figure, usd in row.figures.items()}
        for region in (row.region,) if row.region else catalog.regions(name):
            _set(catalog, rows, (name, region), figures, source, as_of)
    usd = row.figures.get("on_demand") if row.machine in SYSTEM_MACHINES else row.price
    item = row.machine if row.machine in SYSTEM_MACHINES else row.item
    if item and item != "gke-cluster" and usd is not None:
        for region in (row.region,) if row.region else catalog.all_regions():
            _set_item(rows, item, region, usd / rate, source, as_of)


def _machines(catalog: Catalog, row: OwnPrice) -> Iterator[str]:
    for name, machine in catalog.machine_types.items():
        if row.machine == name or row.accelerator == machine.accelerator:
            yield name


def _apply_discounts(catalog: Catalog, rows: _Rows, discounts: tuple[tuple[Discount, str], ...]) -> None:
    for (name, region), price in list(rows.machines.items()):
        machine = catalog.machine_types[name]
        figures = {"on_demand": price.on_demand, "spot": price.spot, "flex_start": price.flex_start}
        new: dict[str, float] = {}
        origins: dict[str, Provenance] = {}
        for figure, usd in figures.items():
            found = _discount(discounts, machine, region, figure.replace("_", "-"))
            if usd is not None and found:
                new[figure] = round(usd * (1 - found[0].percent / 100), 6)
                origin = price.provenance[figure]
                origins[figure] = replace(origin, source=_off(origin.source, *found))
        if new:
            provenance = {**price.provenance, **origins}
            rows.machines[name, region] = replace(price, **new, provenance=provenance)  # pyright: ignore[reportArgumentType]
    for key, row in list(rows.storage.items()):
        if found := _discount(discounts, None, key[1]):
            usd = round(row.usd_per_gb_month * (1 - found[0].percent / 100), 6)
            rows.storage[key] = replace(row, usd_per_gb_month=usd, source=_off(row.source, *found))
    for key, row in list(rows.hours.items()):
        if found := _discount(discounts, None, key[1]):
            usd = round(row.usd_per_hour * (1 - found[0].percent / 100), 6)
            rows.hours[key] = replace(row, usd_per_hour=usd, source=_off(row.source, *found))


def _discount(
    discounts: Iterable[tuple[Discount, str]],
    machine: MachineType | None,
    region: str | None,
    way: str = "on-demand",
) -> tuple[Discount, str] | None:
    """Return the first row that matches; what is no machine has only those that name none."""
    for row, place in discounts:
        fits = (
            (row.machine is None or (machine is not None and row.machine == machine.name))
            and (row.accelerator is None or (machine is not None and row.accelerator == machine.accelerator))
            and (row.region is None or row.region == region)
            and (not row.capacity or way in row.capacity)
        )
        if fits:
            return row, place
    return None


def _off(source: str, discount: Discount, place: str) -> str:
    return f"{source} less {discount.percent:g} %, {place}"


def _apply_held(catalog: Catalog, rows: _Rows, held: tuple[HeldCommitment, ...]) -> None:
    for (name, region), price in list(rows.machines.items()):
        machine = catalog.machine_types[name]
        saved = [
            h.covers_usd_per_hour - h.usd_per_hour
            for h in held
            if (h.accelerator, h.region) == (machine.accelerator, region)
        ]
        if saved and price.on_demand is not None and machine.accelerator_fraction is None:
            usd = price.on_demand - max(saved) * machine.accelerator_count
            rows.machines[name, region] = replace(price, held=round(max(0.0, usd), 6))


def _held(catalog: Catalog, rows: _Rows, own: OwnPrices, rate: float) -> Iterator[HeldCommitment]:
    for at, (row, place) in enumerate(own.commitments):
        if row.price is not None:
            usd, source, as_of = row.price / rate, f"your price, {place}", own.as_of
        else:
            figure = f"cud_{row.term}"
            known = [
                (usd / machine.accelerator_count, price.provenance[figure])
                for name, machine in catalog.machine_types.items()
                if machine.accelerator == row.accelerator and machine.accelerator_fraction is None
                if (price := rows.machines.get((name, row.region)))
                if (usd := getattr(price, figure)) is not None
            ]
            if not known:
                mark = own.document.mark(("commitments", at))
                message = (
                    f"no source gives the price of a {row.term} commitment of {row.accelerator} in {row.region}"
                )
                raise InputError([mark.problem(message, "add `price:`, per accelerator-hour")])
            usd, origin = min(known, key=lambda pair: pair[0])
            source, as_of = f"{origin.source}, {place}", origin.as_of or own.as_of
        listed = [
            price.on_demand / machine.accelerator_count
            for name, machine in catalog.machine_types.items()
            if machine.accelerator == row.accelerator and machine.accelerator_fraction is None
            if (price := rows.machines.get((name, row.region))) and price.on_demand is not None
        ]
        yield HeldCommitment(
            accelerator=row.accelerator,
            region=row.region,
            count=row.count,
            term=row.term,
            usd_per_hour=round(usd, 6),
            covers_usd_per_hour=round(min(listed, default=usd), 6),
            source=source,
            as_of=as_of,
        )
