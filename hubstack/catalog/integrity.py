# SPDX-License-Identifier: Apache-2.0
"""Finds inconsistent figures in a catalogue that reads without error.

Owns the rules between figures. Used by the tests and when editing the files; planning does not run it.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from math import isclose, prod

from hubstack.catalog.catalog import Catalog
from hubstack.catalog.engine_flags import engine_flags
from hubstack.catalog.engine_metrics import ROLES, Metric
from hubstack.catalog.engines import Engine
from hubstack.catalog.hardware import region_of
from hubstack.catalog.prices import Price
from hubstack.kinds import EngineKind

ZONE = re.compile(r"[a-z]+-[a-z]+\d+-(ai\d)?[a-z]")

# Machine type, reference machine type, and the ratio of their on-demand prices in every region.
PRICE_RATIOS = (
    ("a2-highgpu-8g", "a2-highgpu-1g", 8.0),
    ("a2-ultragpu-8g", "a2-ultragpu-1g", 8.0),
    ("a3-highgpu-8g", "a3-highgpu-1g", 8.0),
    ("g2-standard-96", "g2-standard-12", 8.0),
    ("g4-standard-384", "g4-standard-48", 8.0),
    ("g4-standard-6", "g4-standard-48", 0.1243),
    ("g4-standard-12", "g4-standard-48", 0.25),
    ("ct5lp-hightpu-8t", "ct5lp-hightpu-1t", 8.0),
    ("ct6e-standard-8t", "ct6e-standard-1t", 8.0),
    ("tpu7x-standard-4t", "tpu7x-standard-1t", 4.0),
)


def find_defects(catalog: Catalog) -> tuple[str, ...]:
    """Return one sentence per defect; empty for a sound catalogue."""
    checks = (_dates, _accelerators, _machines, _topologies, _places, _prices, _ratios, _engines, _cloud_run)
    return tuple(defect for check in checks for defect in check(catalog))


def _dates(catalog: Catalog) -> Iterator[str]:
    # A figure with only undated sources must be marked as unverified.
    for price in catalog.prices.values():
        for figure, origin in price.provenance.items():
            if origin.as_of is None and not origin.is_unverified:
                yield f"{figure} of {price.machine_type} in {price.region} is undated but not marked unverified"
    rows = (
        *catalog.storage_prices.values(),
        *catalog.hour_prices.values(),
        *catalog.network_prices.values(),
        *catalog.cloud_run_prices,
    )
    for row in rows:
        if row.as_of is None and not row.is_unverified:
            yield f"a price from {row.source} is undated but not marked unverified"
    hardware = (*catalog.accelerators.values(), *catalog.machine_types.values(), *catalog.engines.values())
    for row in hardware:
        if not any(catalog.sources[name].as_of for name in row.sources):
            yield f"{row.name} has no dated source"


def _accelerators(catalog: Catalog) -> Iterator[str]:
    words = [word for row in catalog.accelerators.values() for word in row.words]
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"`{word}` names two accelerators"
    carried = {row.accelerator for row in catalog.machine_types.values()}
    for row in catalog.accelerators.values():
        visible_gb = row.memory_bytes_visible * row.devices_per_chip / 1e9
        # An engine sees 1-8 % less than the marketing figure read as GiB, and never more.
        if not 0.85 * row.memory_gb_marketing < visible_gb < 1.09 * row.memory_gb_marketing:
            yield f"{row.id}: {visible_gb:.1f} GB visible of {row.memory_gb_marketing} GB is implausible"
        if row.id not in carried:
            yield f"{row.id}: no machine type has it"
        if row.id not in catalog.zone_lists:
            yield f"{row.id}: no zone has it"


def _machines(catalog: Catalog) -> Iterator[str]:
    for row in catalog.machine_types.values():
        card_gb = catalog.accelerators[row.accelerator].memory_gb_marketing
        wanted_gb = row.accelerator_count * (row.accelerator_fraction or 1) * card_gb
        if not isclose(row.accelerator_memory_gb, wanted_gb):
            yield f"{row.name}: {row.accelerator_memory_gb} GB of accelerator memory, its cards have {wanted_gb}"
        if row.accelerator_fraction is not None and not 0 < row.accelerator_fraction < 1:
            yield f"{row.name}: fraction {row.accelerator_fraction} is not between 0 and 1"
        if row.allocatable_cpu_millicores <= 0 or row.allocatable_memory_bytes <= 0:
            yield f"{row.name}: no CPU or memory is left for pods"


def _topologies(catalog: Catalog) -> Iterator[str]:
    for row in catalog.tpu_topologies:
        name = f"{row.accelerator} {row.topology} of {row.machine_type}"
        machine = catalog.machine_types[row.machine_type]
        if row.chips != row.nodes * row.chips_per_node:
            yield f"{name}: {row.chips} chips do not match {row.nodes} nodes of {row.chips_per_node}"
        if row.chips != prod(int(side) for side in row.topology.split("x")):
            yield f"{name}: {row.chips} chips do not match the topology"
        if machine.accelerator != row.accelerator or machine.accelerator_count != row.chips_per_node:
            yield f"{name}: the machine has {machine.accelerator_count} {machine.accelerator}"


def _places(catalog: Catalog) -> Iterator[str]:
    # T4 zones include regions that the API listing lacks; only their format can be checked.
    offered = {region for regions in catalog.regions_offered.values() for region in regions}
    listed = {catalog.machine_types[name].accelerator for name in catalog.regions_offered}
    for row in catalog.zone_lists.values():
        for zone in (*row.zones, *row.documented, *row.flex_start):
            if not ZONE.fullmatch(zone):
                yield f"{row.accelerator}: {zone} is not a zone"
            elif row.accelerator in listed and region_of(zone) not in offered:
                yield f"{row.accelerator}: {zone} is not in a region with machine types"
    for machine_type, region in catalog.prices:
        accelerator = catalog.machine_types[machine_type].accelerator
        if region not in catalog.regions(machine_type) and not catalog.zones(accelerator, region):
            yield f"{machine_type} has a price in {region}, which does not offer it"
    for name in catalog.machine_types:
        if not catalog.regions(name):
            yield f"{name} is not offered in any region"


def _prices(catalog: Catalog) -> Iterator[str]:
    for price in catalog.prices.values():
        name = f"{price.machine_type} in {price.region}"
        if not price.provenance:
            yield f"{name}: the row has no figures"
        for cheaper, more_expensive in (*pairwise(("cud_3y", "cud_1y", "on_demand")), ("spot", "on_demand")):
            low, high = _figure(price, cheaper), _figure(price, more_expensive)
            if low is not None and high is not None and low >= high:
                yield f"{name}: {cheaper} {low} is not below {more_expensive} {high}"
        if price.cud_1y is not None and price.on_demand is None:
            yield f"{name}: a discount without an on-demand price"


def _figure(price: Price, name: str) -> float | None:
    figures = {
        "on_demand": price.on_demand,
        "spot": price.spot,
        "cud_1y": price.cud_1y,
        "cud_3y": price.cud_3y,
    }
    return figures[name]


def _ratios(catalog: Catalog) -> Iterator[str]:
    for machine_type, base, ratio in PRICE_RATIOS:
        for region in catalog.all_regions():
            whole, part = catalog.price(machine_type, region), catalog.price(base, region)
            if whole is None or part is None or whole.on_demand is None or part.on_demand is None:
                continue
            found = whole.on_demand / part.on_demand
            if not isclose(found, ratio, rel_tol=1e-3):
                yield f"{machine_type} costs {found:.4f} times {base} in {region}, but {ratio} times elsewhere"


def _engines(catalog: Catalog) -> Iterator[str]:
    for engine in catalog.every_engine():
        named = [name for image in engine.images for name in image.accelerators]
        for name in sorted({name for name in named if named.count(name) > 1}):
            yield f"{engine.id} has two images for {name}"
        for name in named:
            accelerator = catalog.accelerators[name]
            floor = engine.min_compute_capability
            if accelerator.kind is not engine.kind:
                yield f"{engine.id} runs on {engine.kind}, but {name} is not one"
            elif floor and (accelerator.compute_capability or 0) < floor:
                yield f"{engine.id} needs compute capability {floor}, but {name} has less"
        listed = frozenset[str]().union(*engine.architectures.values())
        dropped = set(engine.release.removed_architectures) if engine.release else set[str]()
        for name in sorted(listed & dropped):
            yield f"{engine.id} lists {name} both as supported and as removed"
        yield from _metrics(catalog, engine)


def _metrics(catalog: Catalog, engine: Engine) -> Iterator[str]:
    """Report the engine's own metrics that are not in the code of a version."""
    known = engine_flags(engine).metrics
    table = catalog.engine_metrics[EngineKind(engine.id)]
    prefixes = {name.partition(":")[0] for name in known}
    for role in ROLES:
        metric: Metric | None = getattr(table, role)
        # Metrics of other packages have another prefix; a Python counter has `_total` only when it is exposed.
        if metric is None or metric.name.partition(":")[0] not in prefixes:
            continue
        if not {metric.name, metric.name.removesuffix("_total")} & known:
            yield f"{engine.id} {engine.version} has no metric {metric.name}"


def _cloud_run(catalog: Catalog) -> Iterator[str]:
    gpus = catalog.cloud_run.gpus.values()
    for gpu in gpus:
        for region in sorted({*gpu.by_invitation, *gpu.in_doubt} - set(gpu.regions)):
            yield f"Cloud Run's {gpu.accelerator}: {region} has a condition but is not among its regions"
        for less, more in pairwise(gpu.shapes):
            if less.vcpu >= more.vcpu or less.memory_gib >= more.memory_gib:
                yield f"Cloud Run's {gpu.accelerator}: {more.vcpu} CPUs must come before {less.vcpu} CPUs"
    items = {gpu.name for gpu in gpus} | {"vcpu", "memory-gib"}
    for row in catalog.cloud_run_prices:
        if row.item not in items:
            yield f"Cloud Run has a price for `{row.item}`, which is not the name of a GPU"
        plain = catalog.cloud_run_price(row.item, row.region)
        if row.redundancy == "zonal" and plain and row.usd_per_second <= plain.usd_per_second:
            yield f"Cloud Run's {row.item} in {row.region} costs no more with zonal redundancy"
