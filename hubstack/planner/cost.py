# SPDX-License-Identifier: Apache-2.0
"""The bill of a plan: each figure with its price row, and the items without a price.

Owns the totals. An item without a known price is listed as unpriced, never silently counted as zero.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hubstack.catalog import Catalog
from hubstack.catalog.prices import PriceUsed
from hubstack.inputs.own_prices import NAME as OWN_PRICES
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import COVERED_BY_COMMITMENT
from hubstack.plan import ModelPlan, PoolPlan
from hubstack.plan.bill import Cost, CostLine, PoolCost
from hubstack.plan.loading import LoadingMethod
from hubstack.planner.always_on import HOURS_PER_MONTH, always_on
from hubstack.planner.commitments import Running, commitment_lines, unused_commitments
from hubstack.planner.serving.routing import picked_models

TAXES = "taxes, discounts and credits"
NOT_COUNTED = (
    "network egress, cross-zone traffic and data through Cloud NAT",
    "further system nodes while weights are loaded",
    "logs and metrics above the free tier, alerting policies",
    TAXES,
)
NOT_COUNTED_WITHOUT_CLUSTER = (
    "network egress",
    "the loader Jobs' run time",
    "images that Cloud Run stores, and Cloud Storage operations",
    "logs and metrics above the free tier",
    TAXES,
)
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Class:
    """The models of one capacity class and the node pools of each of its steps."""

    models: tuple[ModelPlan, ...]
    pools: tuple[PoolPlan, ...]

    @property
    def steps(self) -> tuple[PoolPlan, ...]:
        """One pool per step, first choice first; slices of one TPU step cost the same."""
        kept: dict[tuple[str, str, str | None], PoolPlan] = {}
        for pool in self.pools:
            kept.setdefault((pool.machine_type, pool.capacity, pool.reservation), pool)
        return tuple(kept.values())

    def places(self, replicas: Iterable[int]) -> list[int]:
        """Return the places that each model's replicas occupy on the nodes."""
        taken = (m.accelerator_count if m.servers_per_accelerator == 1 else 1 for m in self.models)
        return [each * count for each, count in zip(taken, replicas, strict=True)]

    def nodes(self, pool: PoolPlan, replicas: Iterable[int]) -> int:
        """Return the nodes of one step needed for these replica counts."""
        return -(-sum(self.places(replicas)) // (pool.accelerators_per_node * pool.servers_per_accelerator))

    @property
    def idle(self) -> list[int]:
        return [model.replicas.min for model in self.models]

    @property
    def busy(self) -> list[int]:
        return [model.replicas.max for model in self.models]

    def idle_usd(self) -> float | None:
        """Return USD per hour with every model at `replicas.min`, on the first step."""
        first = self.steps[0]
        nodes = self.nodes(first, self.idle)
        return None if first.price is None else nodes * first.price.usd_per_hour

    @property
    def dearest(self) -> PoolPlan | None:
        """The most expensive step with every model at `replicas.max`; None if a step has no price."""
        priced = [(self.nodes(p, self.busy) * p.price.usd_per_hour, p) for p in self.steps if p.price is not None]
        return max(priced, key=lambda pair: pair[0])[1] if len(priced) == len(self.steps) else None

    def busy_usd(self) -> tuple[float, PriceUsed] | None:
        """Return USD per hour with every model at `replicas.max` on the most expensive step, and its price row."""
        step = self.dearest
        if step is None or step.price is None:
            return None
        return self.nodes(step, self.busy) * step.price.usd_per_hour, step.price


def plan_cost(
    models: Iterable[ModelPlan], pools: Iterable[PoolPlan], catalog: Catalog, target: StackSettings
) -> Cost:
    """Return a plan's monthly cost: a minimum and a maximum.

    The minimum has every model at `replicas.min` on its first capacity step, the maximum at `replicas.max` on its
    most expensive step. Models that share nodes split the cost by the accelerators they use.
    """
    held, pools = tuple(models), tuple(pools)
    nodes = tuple(model for model in held if model.has_nodes)
    classes = _classes(nodes, pools)
    by_model = {line.item: line for each in classes.values() for line in _compute(each)}
    lines = [by_model[model.key] if model.key in by_model else _instances(model) for model in held]
    lines += [_bucket(model, catalog, target) for model in held if model.has_bucket]
    costs = tuple(_pool_cost(key, each, catalog, target) for key, each in sorted(classes.items()))
    missing: tuple[str, ...] = ()
    if nodes:
        beside, missing = always_on(pools, costs, catalog, target)
        lines += beside
    idle, busy = _covered(classes.values())
    lines += commitment_lines(catalog.commitments, target.region, idle, busy)
    extra = (*missing, *NOT_COUNTED, *_gateway_notes(nodes, target), *_loading_notes(nodes))
    has_own = any(f"{OWN_PRICES}:" in (line.source or "") for line in lines)
    return Cost(
        lines=tuple(lines),
        usd_per_month_min=round(sum(line.usd_per_month_min or 0 for line in lines), 2),
        usd_per_month_max=round(sum(line.usd_per_month_max or 0 for line in lines), 2),
        unpriced=tuple(f"{line.item}: {line.what}" for line in lines if line.usd_per_month_max is None),
        pools=costs,
        not_counted=tuple(
            "taxes and credits" if each == TAXES and has_own else each
            for each in (extra if nodes else NOT_COUNTED_WITHOUT_CLUSTER)
        ),
        hours_per_month=HOURS_PER_MONTH,
        budget_usd_per_month=target.budget_usd_per_month,
        exchange_rate=target.exchange_rate,
    )


def commitment_warnings(
    models: Iterable[ModelPlan], pools: Iterable[PoolPlan], catalog: Catalog, target: StackSettings
) -> Iterator[str]:
    """Yield a warning for each accelerator of which more are committed than the plan uses."""
    if catalog.commitments:
        nodes = tuple(model for model in models if model.has_nodes)
        _, busy = _covered(_classes(nodes, tuple(pools)).values())
        yield from unused_commitments(catalog.commitments, target.region, busy)


def _covered(classes: Iterable[_Class]) -> tuple[list[Running], list[Running]]:
    """Return the accelerators, idle and busy, that a commitment may cover."""
    idle: list[Running] = []
    busy: list[Running] = []
    for each in classes:
        for running, step, replicas in ((idle, each.steps[0], each.idle), (busy, each.dearest, each.busy)):
            if step is not None and step.price is not None and step.capacity in COVERED_BY_COMMITMENT:
                count = each.nodes(step, replicas) * step.accelerators_per_node
                usd = step.price.usd_per_hour / step.accelerators_per_node
                running.append(Running(accelerator=step.accelerator, count=count, usd_per_hour=usd))
    return idle, busy


def budget_warnings(cost: Cost, file: str) -> Iterator[str]:
    """Yield a warning if the plan is over budget, and one for items that the budget check cannot include.

    Args:
        cost: the bill.
        file: name of the file that sets the budget.
    """
    if cost.over_budget_usd:
        largest = sorted(cost.lines, key=lambda line: -(line.usd_per_month_max or 0))[:3]
        items = ", ".join(f"{line.item} ${line.usd_per_month_max or 0:,.0f} ({line.what})" for line in largest)
        yield (
            f"over budget by ${cost.over_budget_usd:,.0f}: up to ${cost.usd_per_month_max:,.0f} a month, and "
            f"`hubstack:budget` is ${cost.budget_usd_per_month:,.0f} ({file}), so `pulumi up` stops. The largest "
            f"items are {items}. Lower `replicas.max` or raise the budget"
        )
    if cost.budget_usd_per_month is not None and cost.unpriced:
        yield f"the budget check omits items without a known price: {'; '.join(cost.unpriced)}"


def _gateway_notes(models: tuple[ModelPlan, ...], target: StackSettings) -> Iterator[str]:
    """Yield the gateway's further costs; the catalogue has no prices for its load balancer."""
    if target.gateway is None:
        return
    yield "the gateway's load balancer (hours, proxies and data)"
    if target.callers:
        yield "the disk in which callers' use is counted (10 GiB)"
    pickers = len(picked_models(models, target.gateway))
    if pickers:
        yield f"{pickers} endpoint pickers on the system nodes (1 CPU and 2 GiB each)"


def _loading_notes(models: tuple[ModelPlan, ...]) -> Iterator[str]:
    """Yield the cost items of the loading methods for which the catalogue has no price."""
    if any(model.loading.cache_zones for model in models):
        yield "Anywhere Caches"
    if any(model.loading.method is LoadingMethod.HYPERDISK_ML for model in models):
        yield "Hyperdisk ML volumes and the nodes that fill them"


def _classes(models: tuple[ModelPlan, ...], pools: tuple[PoolPlan, ...]) -> dict[str, _Class]:
    order = {step.pool: at for model in models for at, step in enumerate(model.steps)}
    keys = sorted({model.capacity_class for model in models})
    return {
        key: _Class(
            tuple(model for model in models if model.capacity_class == key),
            tuple(
                sorted((p for p in pools if p.capacity_class == key), key=lambda p: (order.get(p.key, 0), p.key))
            ),
        )
        for key in keys
    }


def _compute(each: _Class) -> Iterator[CostLine]:
    """Yield one line per model: its part of the nodes' cost, to the cent."""
    idle, busy = each.idle_usd(), each.busy_usd()
    least = _split(idle and _month(idle), each.places(each.idle))
    most = _split(busy and _month(busy[0]), each.places(each.busy))
    missing = ", ".join(pool.capacity for pool in each.steps if pool.price is None)
    for model, low, high in zip(each.models, least, most, strict=True):
        what = f"{model.replicas.min} to {model.replicas.max} x {_part(model, each.steps[0])}"
        yield CostLine(
            item=model.key,
            what=f"{what} (no price for {missing})" if missing else what,
            usd_per_month_min=low,
            usd_per_month_max=high,
            source=busy[1].source if busy else None,
            as_of=busy[1].as_of if busy else None,
        )


def _instances(model: ModelPlan) -> CostLine:
    """Return the monthly minimum and maximum of a model on a managed platform, from its instances' hourly price."""
    run, replicas = model.cloud_run, model.replicas
    usd = run.usd_per_instance_hour if run else None
    name = model.machine_type if run else f"{model.machine_type} on Vertex AI"
    what = f"{replicas.min} to {replicas.max} x {name}"
    # With no instance running the cost is zero, even if the rate is unknown.
    idle = 0.0 if run and not replicas.min else None
    return CostLine(
        item=model.key,
        what=what if usd is not None else f"{what} (no price)",
        usd_per_month_min=idle if usd is None else _month(replicas.min * usd),
        usd_per_month_max=None if usd is None else _month(replicas.max * usd),
        source=run.price_source if run else None,
        as_of=run.price_as_of if run else None,
    )


def _part(model: ModelPlan, pool: PoolPlan) -> str:
    """Describe the machines that one replica uses."""
    machine = model.machine_type
    if model.hosts > 1:
        return f"{model.hosts} {machine}"
    if model.servers_per_accelerator > 1:
        cards = f"{pool.accelerators_per_node} cards of " if pool.accelerators_per_node > 1 else ""
        return f"1/{model.servers_per_accelerator} of a card of {cards}{machine}"
    if model.accelerator_count < pool.accelerators_per_node:
        return f"{model.accelerator_count}/{pool.accelerators_per_node} of {machine}"
    return machine


def _split(usd: float | None, places: list[int]) -> list[float | None]:
    """Split an amount in proportion to places, giving leftover cents to the largest remainders."""
    total = sum(places)
    if usd is None or not total:
        return [None if usd is None else 0.0 for _ in places]
    cents = round(usd * 100)
    shares = [cents * place // total for place in places]
    order = sorted(range(len(places)), key=lambda at: (-(cents * places[at] % total), at))
    for at in order[: cents - sum(shares)]:
        shares[at] += 1
    return [share / 100 for share in shares]


def _pool_cost(key: str, each: _Class, catalog: Catalog, target: StackSettings) -> PoolCost:
    first, busy = each.steps[0], each.busy_usd()
    nodes = each.nodes(first, each.busy)
    row = catalog.price(first.machine_type, target.region)
    return PoolCost(
        capacity_class=key,
        machine_type=first.machine_type,
        accelerator=first.accelerator,
        models=tuple(model.key for model in each.models),
        nodes_idle=each.nodes(first, each.idle),
        nodes_busy=nodes,
        usd_per_hour_idle=each.idle_usd(),
        usd_per_hour_busy=busy[0] if busy else None,
        usd_per_month_committed_1y=_month(nodes * row.cud_1y) if row and row.cud_1y else None,
        usd_per_month_committed_3y=_month(nodes * row.cud_3y) if row and row.cud_3y else None,
        accelerators_used_busy=sum(each.places(each.busy)) / first.servers_per_accelerator,
        accelerators_paid_busy=nodes * first.accelerators_per_node,
        accelerator_hours_busy=nodes * first.accelerators_per_node * HOURS_PER_MONTH,
        places_busy=nodes * first.accelerators_per_node * first.servers_per_accelerator,
        places_used_busy=sum(each.places(each.busy)),
    )


def _bucket(model: ModelPlan, catalog: Catalog, target: StackSettings) -> CostLine:
    row = catalog.storage_price("gcs_standard", target.region)
    size = model.weights.total_bytes
    usd = round(size / GB * row.usd_per_gb_month, 2) if row and size else None
    shown = f"{size / GB:,.1f} GB" if size else "size unknown"
    return CostLine(
        item=model.key,
        what=f"weights in the bucket ({shown})",
        usd_per_month_min=usd,
        usd_per_month_max=usd,
        source=row.source if row else None,
        as_of=row.as_of if row else None,
    )


def _month(usd_per_hour: float) -> float:
    return round(usd_per_hour * HOURS_PER_MONTH, 2)
