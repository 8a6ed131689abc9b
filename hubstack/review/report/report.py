# SPDX-License-Identifier: Apache-2.0
"""Renders a plan as terminal tables.

Owns the layout only; all figures come from the plan. Amounts are rounded to whole dollars, in a table so that its
rows add up to its total.
"""

import math
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hubstack.files.problems import listed
from hubstack.plan import MemoryNeed, ModelPlan, Plan, PoolPlan
from hubstack.plan.bill import Cost, CostLine, StackBill
from hubstack.plan.images import EVERY_REGISTRY
from hubstack.plan.performance import Comparison
from hubstack.planner.placement.regions import RegionPlan
from hubstack.review.report.performance import (
    comparison_table,
    million_change,
    million_span,
    performance_lines,
    unused_notes,
    ways_line,
)
from hubstack.review.report.tables import Column, FittedTable

GIB = 1024**3
BAR_WIDTH = 16


def plan_table(plan: Plan) -> FittedTable:
    """Return one row per model: engine, accelerator, memory use and monthly cost; and one per other cost item."""
    models, items = plan.models, _items_of(plan)
    others = ["" for _ in list(items)[len(models) :]]
    return FittedTable(
        (
            Column(name="model", cells=list(items), footer="total"),
            Column(name="engine", cells=[*(str(model.server.engine) for model in models), *others]),
            Column(name="accelerator", cells=[*map(cards, models), *others], rank=1),
            Column(
                name="memory (█ weights, ▒ other, ░ KV cache)",
                rank=4,
                cells=[*(memory_bar(model.need).plain for model in models), *others],
            ),
            Column(
                name="context",
                cells=[*(f"{model.need.context:,}" for model in models), *others],
                is_number=True,
                rank=3,
            ),
            Column(
                name="replicas",
                cells=[*(f"{model.replicas.min}-{model.replicas.max}" for model in models), *others],
                is_number=True,
                rank=2,
            ),
            Column(name="USD a month", cells=_totals(items.values()), footer=_together(plan), is_number=True),
        )
    )


def _items_of(plan: Plan) -> dict[str, list[CostLine]]:
    """Return the lines of each model by key, then those of items that belong to no model (the control plane)."""
    lines_of = plan.cost.by_item()
    items = {model.key: lines_of.get(model.key, []) for model in plan.models}
    for line in plan.cost.lines:
        if line.item not in items:
            items.setdefault(line.what, []).append(line)
    return items


def whole_dollars(amounts: Sequence[float]) -> list[int]:
    """Round amounts so that they add up to their rounded sum: each changes by less than a dollar."""
    rounded = [math.floor(amount) for amount in amounts]
    missing = round(sum(amounts)) - sum(rounded)
    order = sorted(range(len(amounts)), key=lambda at: (rounded[at] - amounts[at], at))
    for at in order[:missing]:
        rounded[at] += 1
    return rounded


def cards(model: ModelPlan) -> str:
    """Describe the accelerators of one replica: `2 x l4`, or `1/4 x l4` if shared; plus the platform if not GKE."""
    part = f"1/{model.servers_per_accelerator}" if model.servers_per_accelerator > 1 else model.accelerator_count
    where = "" if model.has_nodes else f" on {model.platform}"
    return f"{part} x {model.accelerator}{where}"


def _whole(model: ModelPlan) -> str:
    where = "" if model.has_nodes else f" on {model.platform}"
    return f"{model.accelerator_count} x {model.accelerator}{where}"


def memory_bar(need: MemoryNeed) -> Text:
    """Draw one accelerator's visible memory as a bar: weights, other terms, KV cache."""
    visible = need.visible_bytes
    weights = next(term.size_bytes for term in need.terms)
    other = need.total_bytes - weights
    cells = [round(BAR_WIDTH * part / visible) for part in (weights, other)]
    has_cache = need.kv_bytes_per_token or need.kv_fixed_bytes
    cache_bytes = max(0, need.kv_available_bytes) if has_cache else 0
    bar = "█" * cells[0] + "▒" * cells[1] + "░" * round(BAR_WIDTH * cache_bytes / visible)
    used = (need.total_bytes + cache_bytes) / GIB
    return Text(f"{bar[:BAR_WIDTH].ljust(BAR_WIDTH, '·')} {used:.1f} of {visible / GIB:.1f} GiB")


def pool_table(pools: Iterable[PoolPlan]) -> FittedTable:
    """Return one row per node pool."""
    held = tuple(pools)
    prices = [pool.price for pool in held]
    return FittedTable(
        (
            Column(name="node pool", cells=[pool.key for pool in held]),
            Column(name="machine type", cells=[pool.machine_type for pool in held], rank=3),
            Column(
                name="bought",
                rank=2,
                cells=[
                    f"{pool.capacity} {pool.reservation}" if pool.reservation else str(pool.capacity)
                    for pool in held
                ],
            ),
            Column(name="nodes", cells=[f"{pool.min_nodes}-{pool.max_nodes}" for pool in held], is_number=True),
            Column(
                name="USD a node-hour",
                is_number=True,
                cells=[f"{price.usd_per_hour:,.4f}" if price else "unknown" for price in prices],
            ),
            Column(
                name="price row",
                rank=5,
                cells=[f"{price.source}, {price.as_of}" if price else "-" for price in prices],
            ),
            Column(name="models", cells=[", ".join(pool.models) for pool in held], rank=4, is_wrapped=True),
        )
    )


def service_table(models: Iterable[ModelPlan]) -> FittedTable:
    """Return one row per Cloud Run service."""
    runs = [(model, model.cloud_run) for model in models if model.cloud_run]
    return FittedTable(
        (
            Column(name="service", cells=[model.key for model, _ in runs]),
            Column(
                name="instance",
                rank=2,
                cells=[f"{run.accelerator}, {run.vcpu} vCPU, {run.memory_gib} GiB" for _, run in runs],
            ),
            Column(
                name="instances", cells=[f"{model.replicas.min}-{model.replicas.max}" for model, _ in runs], rank=1
            ),
            Column(name="concurrent requests", cells=[str(run.concurrency) for _, run in runs], rank=4),
            Column(name="USD an instance-hour", cells=[_usd(run.usd_per_instance_hour, 4) for _, run in runs]),
            Column(
                name="price row",
                rank=5,
                cells=[f"{run.price_source}, {run.price_as_of}" if run.price_source else "-" for _, run in runs],
            ),
            Column(name="reached", cells=[str(run.ingress) for _, run in runs], rank=3),
        )
    )


def budget_lines(plan: Plan) -> tuple[str, ...]:
    """Return a line saying by how much a plan exceeds its budget, if it does."""
    over, budget = plan.cost.over_budget_usd, plan.cost.budget_usd_per_month
    return (
        (f"OVER BUDGET by ${over:,.0f} a month (`hubstack:budget`: {_limit(plan.cost)}).",)
        if over and budget
        else ()
    )


def _limit(cost: Cost) -> str:
    """Return the budget in US dollars, and as it was written if the account has another currency."""
    usd, rate = cost.budget_usd_per_month or 0.0, cost.exchange_rate
    return f"${usd:,.0f}" + (f", {rate.currency} {usd * rate.per_usd:,.0f}" if rate else "")


def _in_currency(cost: Cost) -> Iterator[str]:
    """Yield the totals in the account's currency, if it is another one."""
    if rate := cost.exchange_rate:
        idle, busy = (usd * rate.per_usd for usd in (cost.usd_per_month_min, cost.usd_per_month_max))
        yield (
            f"In {rate.currency}: {idle:,.0f} idle, {busy:,.0f} busy (1 USD = {rate.per_usd:g} {rate.currency}, "
            f"{rate.source}, {rate.as_of})."
        )


def why_lines(plan: Plan) -> str:
    """Explain the choice of engine and accelerator of each model; `hubstack explain` shows the arithmetic."""
    lines = ["Why:"]
    for model in plan.models:
        said = {reason.topic: reason.text for reason in model.reasons}
        lines.append(f"  {model.key}: {said['engine']}; {said['accelerator']}")
        if "break-even" in said:
            lines.append(f"    break-even: {said['break-even']}")
    return "\n".join(lines)


def group_warnings(warnings: Sequence[str]) -> list[str]:
    """Merge warnings `KEY: text` of several models that say the same."""
    models: dict[str, list[str]] = {}
    for warning in warnings:
        key, colon, text = warning.partition(": ")
        is_of_model = bool(colon) and " " not in key
        models.setdefault(text if is_of_model else warning, []).extend([key] if is_of_model else [])
    return [f"{listed(keys)}: {text}" if keys else text for text, keys in models.items()]


def cost_notes(plan: Plan, *, is_whole: bool = True) -> str:
    """Return the monthly cost, idle and busy, with warnings; if `is_whole`, also what is not counted."""
    cost = plan.cost
    price = (
        f"Price a month ({cost.hours_per_month} hours, {plan.target.region}): "
        f"${cost.usd_per_month_min:,.0f} idle (every model at its minimum replicas), "
        f"${cost.usd_per_month_max:,.0f} busy (every model at its maximum)."
    )
    notes = [*budget_lines(plan), price if _is_known(plan) else f"Price a month ({plan.target.region}): unknown."]
    notes += _in_currency(cost)
    if cost.budget_usd_per_month is not None and not cost.over_budget_usd:
        left = cost.budget_usd_per_month - cost.usd_per_month_max
        notes.append(
            f"Budget: {_limit(cost)} a month, of which ${left:,.0f} is left with every model at its maximum."
        )
    committed = [pool for pool in cost.pools if pool.usd_per_month_committed_1y is not None and pool.nodes_busy]
    if committed and is_whole:
        one = sum(pool.usd_per_month_committed_1y or 0 for pool in committed)
        machines = ", ".join(sorted({pool.machine_type for pool in committed}))
        notes.append(f"The busy nodes of {machines} under a commitment of one year: ${one:,.0f} a month.")
    notes += list(unused_notes(plan))
    if cost.unpriced:
        notes.append(f"No source gives a price for: {'; '.join(cost.unpriced)}.")
    if is_whole:
        rows = {(line.source, line.as_of) for line in cost.lines if line.source}
        notes.append(f"Price sources: {', '.join(f'{source} ({as_of})' for source, as_of in sorted(rows))}.")
        notes.append(f"Not counted: {', '.join(cost.not_counted)}.")
    notes += [f"Warning: {warning}." for warning in group_warnings(plan.warnings)]
    notes += [f"Cheaper: {advice}." for advice in plan.advice]
    return "\n".join(notes)


def image_lines(plan: Plan) -> tuple[str, ...]:
    """Return a line about where images come from and how many have a locked digest; none without either."""
    images = plan.target.images
    if images is None:
        return ()
    digests = f"{len(images.digests)} locked digests" if images.digests else "run by their tags"
    if images.has_remote_repositories:
        pulled = "pulled through Artifact Registry remote repositories of the stack"
    else:
        others = {mirror: registry for registry, mirror in sorted(images.mirrors.items())}
        told = [mirror if other == EVERY_REGISTRY else f"{mirror} ({other})" for mirror, other in others.items()]
        pulled = f"pulled from {', '.join(told)}" if told else "pulled from where they are published"
    return (f"Images: {digests}, {pulled}. All of them: `hubstack images`.",)


def cost_table(plan: Plan) -> FittedTable:
    """Return one row per capacity class: nodes, accelerators billed and used, hourly and monthly cost."""
    pools, hours = plan.cost.pools, plan.cost.hours_per_month
    busy = [pool.usd_per_hour_busy for pool in pools]

    def numbers(name: str, cells: list[str], rank: int = 0) -> Column:
        return Column(name=name, cells=cells, is_number=True, rank=rank)

    return FittedTable(
        (
            Column(name="nodes of", cells=[pool.capacity_class for pool in pools]),
            numbers("idle", [str(pool.nodes_idle) for pool in pools], 2),
            numbers("busy", [str(pool.nodes_busy) for pool in pools], 2),
            numbers(
                "cards used",
                [f"{pool.accelerators_used_busy:g} of {pool.accelerators_paid_busy}" for pool in pools],
                1,
            ),
            numbers("USD/h idle", [_usd(pool.usd_per_hour_idle, 2) for pool in pools], 4),
            numbers("USD/h busy", [_usd(usd, 2) for usd in busy], 3),
            numbers("USD a month busy", [_usd(None if usd is None else usd * hours) for usd in busy]),
            numbers("1 year committed", [_usd(pool.usd_per_month_committed_1y) for pool in pools], 5),
            numbers(
                "accelerator-hours a month",
                [f"{pool.accelerator_hours_busy:,} {pool.accelerator}" for pool in pools],
                6,
            ),
        )
    )


def difference_table(before: Plan, after: Plan) -> FittedTable:
    """Return one row per model: accelerator and cost before and after."""
    old = {model.key: model for model in before.models}
    pairs = [(old[model.key], model) for model in after.models]
    items = _items_of(before), _items_of(after)
    names = list(dict.fromkeys((*(model.key for model in after.models), *items[0], *items[1])))
    others = ["" for _ in names[len(pairs) :]]
    base, head = (whole_dollars([_busy(held.get(name, [])) for name in names]) for held in items)

    def numbers(name: str, cells: list[str], footer: str = "", rank: int = 0) -> Column:
        return Column(name=name, cells=cells, footer=footer, is_number=True, rank=rank)

    return FittedTable(
        (
            Column(name="model", cells=names, footer="total"),
            Column(name="accelerator", cells=[*(_whole(was) for was, _ in pairs), *others], rank=2),
            Column(
                name="what if",
                cells=[*("=" if _is_same_place(*pair) else _whole(pair[1]) for pair in pairs), *others],
                rank=1,
            ),
            numbers("context", [*(_context_change(*pair) for pair in pairs), *others], rank=3),
            numbers("USD a million", [*(million_change(*pair) for pair in pairs), *others], rank=4),
            numbers("USD busy", [f"{usd:,}" for usd in base], f"{sum(base):,}"),
            numbers("what if", [f"{usd:,}" for usd in head], f"{sum(head):,}"),
            numbers(
                "difference",
                [f"{high - low:+,}" for low, high in zip(base, head, strict=True)],
                f"{sum(head) - sum(base):+,}",
            ),
        )
    )


def _is_same_place(was: ModelPlan, now: ModelPlan) -> bool:
    names = ("platform", "machine_type", "accelerator_count", "servers_per_accelerator")
    return all(getattr(was, name) == getattr(now, name) for name in names)


def _context_change(was: ModelPlan, now: ModelPlan) -> str:
    before, after = f"{was.need.context:,}", f"{now.need.context:,}"
    return after if before == after else f"{before} -> {after}"


def region_table(found: Iterable[RegionPlan], here: str) -> FittedTable:
    """Return one row per region: its cost and accelerators, cheapest first."""
    rows = [_region_row(each, here) for each in found]
    names = ("region", "USD idle", "USD busy", "USD a million", "accelerators", "")
    ranks = (0, 1, 0, 2, 3, 4)
    return FittedTable(
        Column(name=name, cells=[row[at] for row in rows], is_number="USD" in name, rank=rank, is_wrapped=not name)
        for at, (name, rank) in enumerate(zip(names, ranks, strict=True))
    )


def _region_row(each: RegionPlan, here: str) -> tuple[str, ...]:
    name = f"{each.region} (this stack)" if each.region == here else each.region
    if each.plan is None:
        return (name, "-", "-", "-", "-", each.why_not or "")
    cost, used = each.plan.cost, sorted({model.accelerator for model in each.plan.models})
    note = f"no price for {_items(len(cost.unpriced))}" if cost.unpriced else ""
    spent = _usd(cost.usd_per_month_min), _usd(cost.usd_per_month_max)
    return (name, *spent, million_span(each.plan.models), ", ".join(used), note)


def _items(number: int) -> str:
    return f"{number} item" if number == 1 else f"{number} items"


def bill_table(bills: Collection[StackBill]) -> FittedTable:
    """Return one row per cluster stack, and the total."""
    held = tuple(bills)
    idle = whole_dollars([bill.usd_per_month_min for bill in held])
    busy = whole_dollars([bill.usd_per_month_max for bill in held])
    return FittedTable(
        (
            Column(name="cluster", cells=[bill.stack for bill in held], footer="total"),
            Column(name="region", cells=[bill.region for bill in held], rank=2),
            Column(
                name="models",
                cells=[f"{bill.models:,}" for bill in held],
                is_number=True,
                rank=1,
                footer=f"{sum(bill.models for bill in held):,}",
            ),
            Column(
                name="USD a month idle",
                cells=[f"{usd:,}" for usd in idle],
                is_number=True,
                rank=3,
                footer=f"{sum(idle):,}",
            ),
            Column(
                name="USD a month busy",
                cells=[f"{usd:,}" for usd in busy],
                is_number=True,
                footer=f"{sum(busy):,}",
            ),
            Column(
                name="",
                rank=4,
                cells=[f"no price for {_items(bill.unpriced)}" if bill.unpriced else "" for bill in held],
            ),
        )
    )


def _busy(lines: list[CostLine]) -> float:
    return sum(line.usd_per_month_max or 0 for line in lines)


def _usd(value: float | None, digits: int = 0) -> str:
    return "unknown" if value is None else f"{value:,.{digits}f}"


def explanation(model: ModelPlan, comparison: Comparison | None = None) -> RenderableType:
    """Explain the decisions for one model with their arithmetic, and compare the accelerators that it fits."""
    need = model.need
    where = "" if model.has_nodes else f" on {model.platform}"
    shape = f"{model.accelerator_count} x {model.accelerator_name} ({model.machine_type}){where}"
    head = Text(f"{model.key}: {model.id} @ {model.commit[:12]} on {shape}")
    why = Table(box=None, pad_edge=False, show_header=False)
    for reason in model.reasons:
        why.add_row(reason.topic, f"{reason.text}{f' [{reason.source}]' if reason.source else ''}")
    others = [
        Text(f"not {other.accelerator_count} x {other.machine_type}: {other.why}") for other in model.rejected
    ]
    warnings = [Text(f"warning: {warning}") for warning in model.warnings]
    longest = f"at most: {need.longest_context:,} tokens in one sequence"
    limits = Text(f"{longest}, or {need.concurrency} sequences of {need.context:,}")
    served = performance_lines(model)
    compared = [comparison_table(comparison)] if comparison and comparison.alternatives else []
    ways = [Text(line)] if comparison and (line := ways_line(comparison)) else []
    parts = (
        head,
        why,
        _memory_table(model),
        limits,
        served,
        *compared,
        *ways,
        _step_table(model),
        *others,
        *warnings,
    )
    return Group(*parts)


def command_line(model: ModelPlan) -> str:
    """Return a server's image and command on one line, quoted for a shell."""
    return shlex.join((model.server.image, *model.server.command, *model.server.args))


def _memory_table(model: ModelPlan) -> Table:
    """Return one row per memory term, with a bar scaled to the visible memory."""
    need = model.need
    table = Table(box=None, pad_edge=False, title="one accelerator", title_justify="left")
    for name in ("term", "GiB", "share of visible memory", "arithmetic"):
        table.add_column(name, justify="right" if name == "GiB" else "left", no_wrap=name != "arithmetic")
    for term in need.terms:
        table.add_row(term.name, f"{term.size_bytes / GIB:.2f}", _bar(term.size_bytes, need), term.how)
    left = need.kv_available_bytes
    table.add_row("KV cache", f"{left / GIB:.2f}", _bar(left, need, "░"), _cache(model))
    outside = need.visible_bytes - need.budget_bytes
    share = need.budget_bytes / need.visible_bytes
    table.add_row("reserved", f"{outside / GIB:.2f}", _bar(outside, need, "·"), f"the engine may use {share:.0%}")
    table.add_row("visible", f"{need.visible_bytes / GIB:.2f}", _bar(need.visible_bytes, need, "-"), "")
    return table


def _bar(size_bytes: int, need: MemoryNeed, sign: str = "█") -> str:
    cells = BAR_WIDTH * max(0, size_bytes) / need.visible_bytes
    return sign * (round(cells) or (1 if size_bytes > 0 else 0))


def _step_table(model: ModelPlan) -> FittedTable:
    steps = model.steps
    return FittedTable(
        (
            Column(
                name="bought",
                cells=[f"{step.kind} {step.reservation}" if step.reservation else str(step.kind) for step in steps],
            ),
            Column(name="machine type", cells=[step.machine_type for step in steps]),
            Column(name="needs", cells=[f"{step.needs_bytes / GIB:.1f}" for step in steps], rank=2, is_number=True),
            Column(
                name="may use GiB",
                cells=[f"{step.budget_bytes / GIB:.1f}" for step in steps],
                rank=2,
                is_number=True,
            ),
            Column(name="verdict", cells=[str(step.verdict) for step in steps], rank=1),
            Column(
                name="USD/h a replica", cells=[_usd(step.usd_per_replica_hour, 2) for step in steps], is_number=True
            ),
            Column(name="zones", cells=[", ".join(step.zones) for step in steps], rank=3, is_wrapped=True),
        )
    )


def _cache(model: ModelPlan) -> str:
    need = model.need
    if not need.kv_bytes_per_token and not need.kv_fixed_bytes:
        return "unused; this engine has no KV cache"
    fixed = f" + {need.kv_fixed_bytes:,} B a sequence" if need.kv_fixed_bytes else ""
    return (
        f"{need.kv_bytes_per_token:,} B a token{fixed}: {need.kv_tokens:,} tokens, "
        f"{need.concurrency} sequences of {need.context:,}"
    )


def _totals(items: Collection[list[CostLine]]) -> list[str]:
    idle = whole_dollars([sum(line.usd_per_month_min or 0 for line in lines) for lines in items])
    busy = whole_dollars([_busy(lines) for lines in items])
    return [_total(*each) for each in zip(items, idle, busy, strict=True)]


def _total(lines: list[CostLine], idle: int, busy: int) -> str:
    known = [line for line in lines if line.usd_per_month_max is not None]
    if not known:
        return "unknown"
    return _span(idle, busy) if len(known) == len(lines) else f"{_span(idle, busy)} + unpriced"


def _is_known(plan: Plan) -> bool:
    """Return whether any item has a price; if none has, the total is unknown rather than 0."""
    return any(line.usd_per_month_max is not None for line in plan.cost.lines)


def _together(plan: Plan) -> str:
    return _span(plan.cost.usd_per_month_min, plan.cost.usd_per_month_max) if _is_known(plan) else "unknown"


def _span(low: float, high: float) -> str:
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"
