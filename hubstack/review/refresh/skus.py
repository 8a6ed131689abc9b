# SPDX-License-Identifier: Apache-2.0
"""Google's SKUs -> list prices of the machine types that hubstack plans with.

Owns which SKUs a machine consists of, by their descriptions (as in Cyclenerd's mapping.csv @dac3128 and SkyPilot's
fetch_gcp.py). Only whole descriptions match: reserved, committed, custom and workstation SKUs never do. A machine
of which a SKU is missing has no refreshed price. Pure.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.catalog import Catalog, MachineType
from hubstack.inputs.refreshed import FORMAT, Exchange, RefreshedPrices
from hubstack.inputs.refreshed import Sku as SkuRow
from hubstack.kinds import AcceleratorKind
from hubstack.plan.system_pool import DISK_TYPE, MACHINE_TYPE

COMPUTE_ENGINE = "services/6F81-5844-456A"
HOURS_PER_MONTH = 730
_SERIES = {
    "a2-": "A2",
    "a3-highgpu-": "A3",
    "a3-megagpu-": "A3",
    "e2-": "E2",
    "g2-": "G2",
    "n1-": "N1 Predefined",
}
_GPUS = {
    "a100-40gb": "Tesla A100",
    "a100-80gb": "Tesla A100 80GB",
    "h100-80gb": "H100 80GB",
    "h100-mega-80gb": "H100 80GB (?:Mega|Plus)",
    "l4": "L4",
    "p4": "Tesla P4",
    "t4": "Tesla T4",
    "v100": "Tesla V100",
}
_TPUS = {"v5e": "TpuV5e", "v5p": "TpuV5p", "v6e": "TpuV6e"}
_USAGE = {"OnDemand": "on-demand", "Preemptible": "spot"}
_SYSTEM_SHAPE = (4, 16)
"""vCPU and GiB of the system node."""


@dataclass(frozen=True, slots=True)
class _Sku:
    id: str
    what: str
    unit: str
    usd: float
    way: str
    regions: frozenset[str]


def refreshed_prices(
    skus: Iterable[Mapping[str, Any]],
    regions: Iterable[str],
    catalog: Catalog,
    today: dt.date,
    exchange: Exchange | None,
) -> RefreshedPrices:
    """Return the prices of the catalogue's machines in some regions.

    Args:
        skus: as the Cloud Billing Catalog API lists them, in US dollars.
        regions: regions of interest.
        catalog: the machine types.
        today: the date of the answer.
        exchange: the rate of the account's currency.
    """
    known = _by_part(each for raw in skus if (each := _read(raw)))
    items: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    used: dict[str, SkuRow] = {}
    for region in sorted(set(regions)):
        for name, parts in _wanted(catalog, region):
            for way in ("on-demand", "spot"):
                found = [(_find(known, part, way, region), units) for part, units in parts]
                if all(each for each, _ in found):
                    quantities = {each.id: units for each, units in found if each}
                    items.setdefault(name, {}).setdefault(region, {})[way] = quantities
                    used |= {e.id: SkuRow(what=e.what, unit=e.unit, usd=e.usd) for e, _ in found if e}
    return RefreshedPrices(
        format=FORMAT,
        as_of=today,
        exchange=exchange,
        skus=dict(sorted(used.items())),
        items={name: items[name] for name in sorted(items)},
    )


def exchange_of(skus: Iterable[Mapping[str, Any]], currency: str) -> Exchange | None:
    """Return the rate by which Google converts, with its date; None if no SKU has one."""
    for raw in skus:
        for pricing in raw.get("pricingInfo", ()):
            rate, at = pricing.get("currencyConversionRate"), str(pricing.get("effectiveTime", ""))
            if isinstance(rate, int | float) and rate > 0 and re.match(r"\d{4}-\d\d-\d\d", at):
                return Exchange(currency=currency, per_usd=float(rate), as_of=dt.date.fromisoformat(at[:10]))
    return None


def _read(raw: Mapping[str, Any]) -> _Sku | None:
    """Return a SKU with one price that holds from the first unit on; None for others."""
    category, pricing = raw.get("category", {}), raw.get("pricingInfo", [])
    way = _USAGE.get(str(category.get("usageType")))
    if way is None or not pricing:
        return None
    expression = pricing[-1].get("pricingExpression", {})
    rates = expression.get("tieredRates", [])
    if len(rates) != 1 or rates[0].get("startUsageAmount", 0):
        return None
    money = rates[0].get("unitPrice", {})
    if money.get("currencyCode", "USD") != "USD":
        return None
    what = str(raw.get("description", ""))
    if "Preemptible" in what:  # TPUs are `OnDemand` either way
        way = "spot"
    return _Sku(
        id=str(raw.get("skuId", "")),
        what=what,
        unit=str(expression.get("usageUnit", "")),
        usd=int(money.get("units", 0)) + money.get("nanos", 0) / 1e9,
        way=way,
        regions=frozenset(raw.get("serviceRegions", ())),
    )


def _wanted(catalog: Catalog, region: str) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for machine in catalog.machine_types.values():
        if region in catalog.regions(machine.name) and (parts := _parts(machine, catalog)):
            yield machine.name, parts
    yield MACHINE_TYPE, [("E2 core", _SYSTEM_SHAPE[0]), ("E2 ram", _SYSTEM_SHAPE[1])]
    yield DISK_TYPE, [("disk", 1)]


def _parts(machine: MachineType, catalog: Catalog) -> list[tuple[str, float]]:
    """Return the parts of a machine and how many units of each it has; empty if no name is known."""
    kind = catalog.accelerators[machine.accelerator].kind
    if kind is AcceleratorKind.TPU:
        return [(machine.accelerator, machine.accelerator_count)] if machine.accelerator in _TPUS else []
    series = next((name for prefix, name in _SERIES.items() if machine.name.startswith(prefix)), None)
    if series is None or machine.accelerator not in _GPUS or machine.accelerator_fraction is not None:
        return []
    parts: list[tuple[str, float]] = [
        (f"{series} core", machine.vcpu),
        (f"{series} ram", machine.ram_gb),
        (machine.accelerator, machine.accelerator_count),
    ]
    if machine.local_ssd_bundled_gib:
        parts.append(("local-ssd", round(machine.local_ssd_bundled_gib / HOURS_PER_MONTH, 6)))
    return parts


def _patterns() -> Iterator[tuple[str, str, str]]:
    """Yield part, unit and the pattern of the whole description."""
    spot = "(?:Spot Preemptible )?"
    attached = "(?:running in|attached to Spot Preemptible VMs(?: running in)?) .+"
    for series in sorted(set(_SERIES.values())):
        yield f"{series} core", "h", f"{spot}{series} Instance Core running in .+"
        yield f"{series} ram", "GiBy.h", f"{spot}{series} Instance Ram running in .+"
    for accelerator, name in _GPUS.items():
        yield accelerator, "h", f"Nvidia {name} GPU {attached}"
    for accelerator, name in _TPUS.items():
        yield accelerator, "h", f"{name}(?: Preemptible)?(?: (?:running )?in .+)?|Preemptible {name}.*"
    yield "local-ssd", "GiBy.mo", "SSD backed Local Storage(?: attached to Spot Preemptible VMs)?(?: in .+)?"
    yield "disk", "GiBy.mo", "Balanced PD Capacity(?: in .+)?"


_MATCHERS = tuple((part, unit, re.compile(pattern)) for part, unit, pattern in _patterns())


def _by_part(skus: Iterable[_Sku]) -> dict[tuple[str, str], list[_Sku]]:
    found: dict[tuple[str, str], list[_Sku]] = {}
    for sku in skus:
        for part, unit, pattern in _MATCHERS:
            if sku.unit == unit and pattern.fullmatch(sku.what):
                found.setdefault((part, sku.way), []).append(sku)
    return found


def _find(known: Mapping[tuple[str, str], list[_Sku]], part: str, way: str, region: str) -> _Sku | None:
    """Return the SKU of a part in a region; None if there is none, or several of different prices."""
    found = [sku for sku in known.get((part, way), ()) if region in sku.regions]
    return found[0] if len({sku.usd for sku in found}) == 1 else None
