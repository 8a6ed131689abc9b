# SPDX-License-Identifier: Apache-2.0
"""What a cluster costs beside its models: GKE's fee, the system pool, Cloud NAT and the nodes' boot disks.

Owns these lines of the bill. An item without a price in the region is listed as not counted.
"""

from collections.abc import Iterable

from hubstack.catalog import Catalog
from hubstack.inputs.settings import StackSettings
from hubstack.plan import PoolPlan
from hubstack.plan.bill import CostLine, PoolCost
from hubstack.plan.existing_cluster import ExistingCluster
from hubstack.plan.network import OWN, Nat
from hubstack.plan.system_pool import DISK_GB, DISK_TYPE, MACHINE_TYPE

HOURS_PER_MONTH = 730
ITEM = "cluster"
"""The item of these lines; no model may have this key."""
BALANCED_SERIES = ("a2-", "a3-highgpu-", "a3-megagpu-", "ct5lp-", "ct5p-", "g2-", "n1-")
"""Machine series whose boot disk is GKE's default, pd-balanced, if the pool names none; later series take Hyperdisk
only."""


def always_on(
    pools: Iterable[PoolPlan], costs: Iterable[PoolCost], catalog: Catalog, target: StackSettings
) -> tuple[tuple[CostLine, ...], tuple[str, ...]]:
    """Return a cluster's lines, and what cannot be priced.

    The system pool counts with its one permanent node: more are added for loads only, and removed.
    """
    used = target.cluster
    lines, missing = (list[CostLine](), _of_owners(used)) if used else _own_cluster(catalog, target)
    disk = catalog.storage_price(DISK_TYPE, target.region)
    sizes, unknown = _boot_disks(tuple(pools), tuple(costs))
    if disk and any(sizes):
        idle, busy = (size * disk.usd_per_gb_month for size in sizes)
        lines.append(_line("boot disks", idle, busy, disk.source, disk.as_of))
    elif any(sizes):
        missing.append("boot disks")
    missing += [f"boot disks of {', '.join(unknown)}"] if unknown else []
    return tuple(lines), tuple(missing)


def _own_cluster(catalog: Catalog, target: StackSettings) -> tuple[list[CostLine], list[str]]:
    """Return the lines of control plane, system pool and NAT, and what of them cannot be priced."""
    lines = [_fee(catalog)]
    missing: list[str] = []
    region = target.region
    node, disk = catalog.hour_price(MACHINE_TYPE, region), catalog.storage_price(DISK_TYPE, region)
    if node and disk:
        usd = node.usd_per_hour * HOURS_PER_MONTH + DISK_GB * disk.usd_per_gb_month
        lines.append(_line("system pool", usd, usd, node.source, node.as_of))
    else:
        missing.append("the system node pool")
    if (target.network or OWN).nat is Nat.CREATE:
        nat = catalog.hour_price("nat-gateway", region)
        if nat:
            usd = nat.usd_per_hour * HOURS_PER_MONTH
            lines.append(_line("Cloud NAT", usd, usd, nat.source, nat.as_of))
        else:
            missing.append("the Cloud NAT gateway")
    return lines, missing


def _of_owners(used: ExistingCluster) -> list[str]:
    """Return what a cluster that exists costs without this stack."""
    shared = f"what {used.name} costs without this stack (control plane, other nodes, NAT)"
    return [shared, *(["Autopilot's premium on nodes"] if used.is_autopilot else [])]


def fixed_usd_per_month(catalog: Catalog, target: StackSettings) -> float:
    """Return USD a month of a cluster without models: what the first model on GKE brings with it."""
    lines, _ = always_on((), (), catalog, target)
    return round(sum(line.usd_per_month_max or 0 for line in lines), 2)


def _boot_disks(pools: tuple[PoolPlan, ...], costs: tuple[PoolCost, ...]) -> tuple[tuple[int, int], list[str]]:
    """Return the GB of boot disks idle and busy, and the machine types whose disks have no price."""
    known, unknown = [0, 0], set[str]()
    for cost in costs:
        pool = next(each for each in pools if each.capacity_class == cost.capacity_class)
        balanced = pool.boot_disk_type == DISK_TYPE or (
            pool.boot_disk_type is None and pool.machine_type.startswith(BALANCED_SERIES)
        )
        if balanced:
            known[0] += cost.nodes_idle * pool.boot_disk_gib
            known[1] += cost.nodes_busy * pool.boot_disk_gib
        else:
            unknown.add(pool.machine_type)
    return (known[0], known[1]), sorted(unknown)


def _fee(catalog: Catalog) -> CostLine:
    fee = catalog.gke_fee()
    usd = fee.usd_per_cluster_hour * HOURS_PER_MONTH
    return _line("GKE control plane", usd, usd, fee.source, fee.as_of)


def _line(what: str, idle: float, busy: float, source: str, as_of: str | None) -> CostLine:
    return CostLine(
        item=ITEM,
        what=what,
        usd_per_month_min=round(idle, 2),
        usd_per_month_max=round(busy, 2),
        source=source,
        as_of=as_of,
    )
