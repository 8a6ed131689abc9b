# SPDX-License-Identifier: Apache-2.0
"""The bill of a plan: which price row makes each figure, and what has no price.

Owns the sums. A figure without a source is named as unpriced, never counted as nothing in silence.
"""

from collections.abc import Iterable

from hubstack.catalog import Catalog
from hubstack.plan import Cost, CostLine, ModelPlan, PoolPlan
from hubstack.target import Target

HOURS_PER_MONTH = 730
NOT_COUNTED = (
    "boot disks (no source here gives their price)",
    "network egress and cross-zone traffic",
    "Cloud NAT and the system node pool",
    "logs and metrics above the free tier",
    "taxes, discounts and credits",
)
GB = 1_000_000_000


def plan_cost(models: Iterable[ModelPlan], pools: Iterable[PoolPlan], catalog: Catalog, target: Target) -> Cost:
    """Price a plan a month, at least and at most.

    At least: every model at its fewest replicas on its first capacity step. At most: every model at its most
    replicas on its dearest step.
    """
    held = tuple(models)
    by_class: dict[str, list[PoolPlan]] = {}
    for pool in pools:
        by_class.setdefault(pool.capacity_class, []).append(pool)
    lines = [_compute(model, by_class[model.capacity_class]) for model in held]
    lines += [_bucket(model, catalog, target) for model in held]
    lines.append(_control_plane(catalog))
    return Cost(
        lines=tuple(lines),
        usd_per_month_min=round(sum(line.usd_per_month_min or 0 for line in lines), 2),
        usd_per_month_max=round(sum(line.usd_per_month_max or 0 for line in lines), 2),
        unpriced=tuple(f"{line.item}: {line.what}" for line in lines if line.usd_per_month_max is None),
        not_counted=NOT_COUNTED,
        hours_per_month=HOURS_PER_MONTH,
    )


def _compute(model: ModelPlan, pools: list[PoolPlan]) -> CostLine:
    prices = [pool.price for pool in pools if pool.price]
    first = model.usd_per_replica_hour
    what = f"{model.replicas.min} to {model.replicas.max} x {model.machine_type}"
    if not prices or len(prices) < len(pools):
        missing = ", ".join(pool.capacity for pool in pools if pool.price is None)
        cheapest = None if first is None else _month(first * model.replicas.min)
        return CostLine(item=model.key, what=f"{what} (no price for {missing})", usd_per_month_min=cheapest,
                        usd_per_month_max=None, source=None, as_of=None)  # fmt: skip
    dearest = max(prices, key=lambda price: price.usd_per_hour)
    return CostLine(
        item=model.key,
        what=what,
        usd_per_month_min=_month((first or 0) * model.replicas.min),
        usd_per_month_max=_month(dearest.usd_per_hour * model.replicas.max),
        source=dearest.source,
        as_of=dearest.as_of,
    )


def _bucket(model: ModelPlan, catalog: Catalog, target: Target) -> CostLine:
    row = catalog.storage_price("gcs_standard", target.region)
    size = model.weights.total_bytes
    usd = round(size / GB * row.usd_per_gb_month, 2) if row and size else None
    shown = f"{size / GB:,.1f} GB" if size else "size unknown"
    return CostLine(item=model.key, what=f"weights in the bucket, {shown}", usd_per_month_min=usd,
                    usd_per_month_max=usd, source=row.source if row else None,
                    as_of=row.as_of if row else None)  # fmt: skip


def _control_plane(catalog: Catalog) -> CostLine:
    fee = catalog.gke_fee()
    usd = _month(fee.usd_per_cluster_hour)
    return CostLine(item="cluster", what="GKE control plane", usd_per_month_min=usd, usd_per_month_max=usd,
                    source=fee.source, as_of=fee.as_of)  # fmt: skip


def _month(usd_per_hour: float) -> float:
    return round(usd_per_hour * HOURS_PER_MONTH, 2)
