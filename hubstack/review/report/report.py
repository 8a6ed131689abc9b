# SPDX-License-Identifier: Apache-2.0
"""A plan as tables for a terminal.

Owns the layout only: each figure is taken from the plan as it is. Sums of money are rounded to dollars.
"""

from collections.abc import Collection, Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hubstack.plan import MemoryNeed, ModelPlan, Plan, PoolPlan
from hubstack.plan.bill import CostLine, StackBill
from hubstack.planner.placement.regions import RegionPlan
from hubstack.review.report.performance import performance_lines

GIB = 1024**3
BAR_WIDTH = 16


def plan_table(plan: Plan) -> Table:
    """One row a model: what it is, where it runs, how full it is, what it costs a month."""
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("model", footer="together", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    table.add_column("accelerator", no_wrap=True)
    table.add_column(f"memory ({'█'} weights, {'▒'} other, {'░'} KV cache)", no_wrap=True)
    table.add_column("context", justify="right", no_wrap=True)
    table.add_column("replicas", justify="right", no_wrap=True)
    over = plan.cost.over_budget_usd
    footer = f"{_together(plan)}{f' (over by ${over:,.0f})' if over else ''}"
    table.add_column("USD a month", justify="right", footer=footer, no_wrap=True)
    lines_of = plan.cost.by_item()
    rows = [
        (
            model.key, str(model.server.engine), cards(model),
            memory_bar(model.need).plain, f"{model.need.context:,}",
            f"{model.replicas.min}-{model.replicas.max}", _total(lines_of.get(model.key, [])),
        )
        for model in plan.models
    ]  # fmt: skip
    # One cell a column, a line a model: of a thousand models it is laid out in a fifth of the time of their cells.
    table.add_row(*(Text("\n".join(column)) for column in zip(*rows, strict=True)))
    return table


def cards(model: ModelPlan) -> str:
    """Name the accelerators of one replica: `2 x l4`, or `1/4 x l4` of a shared card; beside GKE with the place."""
    part = f"1/{model.servers_per_accelerator}" if model.servers_per_accelerator > 1 else model.accelerator_count
    where = "" if model.has_nodes else f" on {model.platform}"
    return f"{part} x {model.accelerator}{where}"


def _whole(model: ModelPlan) -> str:
    where = "" if model.has_nodes else f" on {model.platform}"
    return f"{model.accelerator_count} x {model.accelerator}{where}"


def memory_bar(need: MemoryNeed) -> Text:
    """Draw one accelerator's visible memory: weights, the other terms, what is left for the KV cache."""
    visible = need.visible_bytes
    weights = next(term.size_bytes for term in need.terms)
    other = need.total_bytes - weights
    cells = [round(BAR_WIDTH * part / visible) for part in (weights, other)]
    has_cache = need.kv_bytes_per_token or need.kv_fixed_bytes
    cache_bytes = max(0, need.kv_available_bytes) if has_cache else 0
    bar = "█" * cells[0] + "▒" * cells[1] + "░" * round(BAR_WIDTH * cache_bytes / visible)
    used = (need.total_bytes + cache_bytes) / GIB
    return Text(f"{bar[:BAR_WIDTH].ljust(BAR_WIDTH, '·')} {used:.1f} of {visible / GIB:.1f} GiB")


def pool_table(pools: Iterable[PoolPlan]) -> Table:
    """One row a node pool."""
    table = Table(box=None, pad_edge=False)
    for name in ("node pool", "machine type", "bought", "nodes", "USD a node-hour", "price row", "models"):
        table.add_column(name, no_wrap=name != "models")
    for pool in pools:
        price = pool.price
        table.add_row(
            pool.key, pool.machine_type,
            f"{pool.capacity} {pool.reservation}" if pool.reservation else str(pool.capacity),
            f"{pool.min_nodes}-{pool.max_nodes}", f"{price.usd_per_hour:,.4f}" if price else "unknown",
            f"{price.source}, {price.as_of}" if price else "-", ", ".join(pool.models),
        )  # fmt: skip
    return table


def service_table(models: Iterable[ModelPlan]) -> Table:
    """One row a Cloud Run service."""
    table = Table(box=None, pad_edge=False)
    for name in (
        "service",
        "instance",
        "instances",
        "requests at once",
        "USD an instance-hour",
        "price row",
        "reached",
    ):
        table.add_column(name, no_wrap=True)
    for model in models:
        run = model.cloud_run
        if run is None:
            continue
        source = f"{run.price_source}, {run.price_as_of}" if run.price_source else "-"
        table.add_row(
            model.key, f"{run.accelerator}, {run.vcpu} vCPU, {run.memory_gib} GiB",
            f"{model.replicas.min}-{model.replicas.max}", str(run.concurrency),
            _usd(run.usd_per_instance_hour, 4), source,
            str(run.ingress),
        )  # fmt: skip
    return table


def budget_lines(plan: Plan) -> tuple[str, ...]:
    """Say by how much a plan is over its budget; nothing where it is not."""
    over, budget = plan.cost.over_budget_usd, plan.cost.budget_usd_per_month
    return (f"OVER BUDGET by ${over:,.0f} a month (`hubstack:budget`: ${budget:,.0f}).",) if over else ()


def why_lines(plan: Plan) -> str:
    """Say for each model why this engine and this accelerator; `hubstack explain` has the arithmetic."""
    lines = ["Why:"]
    for model in plan.models:
        said = {reason.topic: reason.text for reason in model.reasons}
        lines.append(f"  {model.key}: {said['engine']}; {said['accelerator']}")
        if "break-even" in said:
            lines.append(f"    break-even: {said['break-even']}")
    return "\n".join(lines)


def cost_notes(plan: Plan) -> str:
    """Say the price of the whole, idle and busy, and what it leaves out."""
    cost = plan.cost
    notes = list(budget_lines(plan)) + (
        [
            (
                f"Price a month ({cost.hours_per_month} hours, {plan.target.region}): "
                f"{cost.usd_per_month_min:,.0f} USD idle (every model at its fewest replicas), "
                f"{cost.usd_per_month_max:,.0f} USD busy (every model at its most)."
            )
        ]
        if _is_known(plan)
        else [f"Price a month ({plan.target.region}): unknown."]
    )
    committed = [pool for pool in cost.pools if pool.usd_per_month_committed_1y is not None and pool.nodes_busy]
    if committed:
        one = sum(pool.usd_per_month_committed_1y or 0 for pool in committed)
        machines = ", ".join(sorted({pool.machine_type for pool in committed}))
        notes.append(f"The busy nodes of {machines} under a commitment of one year: {one:,.0f} USD a month.")
    if cost.unpriced:
        notes.append(f"No source gives a price for: {'; '.join(cost.unpriced)}.")
    notes.append(f"Not counted: {', '.join(cost.not_counted)}.")
    notes += [f"Warning: {warning}." for warning in plan.warnings]
    return "\n".join(notes)


def cost_table(plan: Plan) -> Table:
    """One row a capacity class: its nodes and what they cost an hour and a month."""
    table = Table(box=None, pad_edge=False)
    table.add_column("nodes of", no_wrap=True)
    for name in ("idle", "busy", "USD/h idle", "USD/h busy", "USD a month busy", "1 year committed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("accelerator-hours a month", justify="right", no_wrap=True)
    for pool in plan.cost.pools:
        hour = pool.usd_per_hour_busy
        table.add_row(
            pool.capacity_class, str(pool.nodes_idle), str(pool.nodes_busy), _usd(pool.usd_per_hour_idle, 2),
            _usd(hour, 2), _usd(None if hour is None else hour * plan.cost.hours_per_month),
            _usd(pool.usd_per_month_committed_1y), f"{pool.accelerator_hours_busy:,} {pool.accelerator}",
        )  # fmt: skip
    return table


def difference_table(before: Plan, after: Plan) -> Table:
    """One row a model that changes: where it runs and what it costs, before and after."""
    table = Table(box=None, pad_edge=False, show_footer=True)
    change = after.cost.usd_per_month_max - before.cost.usd_per_month_max
    footers = ("together", "", "", "", _usd(before.cost.usd_per_month_max), _usd(after.cost.usd_per_month_max),
               f"{change:+,.0f}")  # fmt: skip
    names = ("model", "accelerator", "what if", "context", "USD busy", "what if", "difference")
    for at, (name, footer) in enumerate(zip(names, footers, strict=True)):
        table.add_column(name, footer=footer, justify="right" if at > 2 else "left", no_wrap=True)
    old = {model.key: model for model in before.models}
    lines_before, lines_after = before.cost.by_item(), after.cost.by_item()
    for model in after.models:
        was = old[model.key]
        low, high = (_busy(lines.get(model.key, [])) for lines in (lines_before, lines_after))
        is_same = all(
            getattr(was, name) == getattr(model, name) for name in ("platform", "machine_type", "accelerator_count")
        )
        table.add_row(
            model.key, _whole(was), "=" if is_same else _whole(model),
            f"{was.need.context:,} -> {model.need.context:,}" if was.need.context != model.need.context
            else f"{model.need.context:,}",
            _usd(low), _usd(high), f"{high - low:+,.0f}",
        )  # fmt: skip
    return table


def region_table(found: Iterable[RegionPlan], here: str) -> Table:
    """One row a region: what the list costs there and on what, the cheapest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("region", "USD idle", "USD busy", "accelerators", ""):
        table.add_column(name, justify="right" if "USD" in name else "left", no_wrap=name != "")
    for each in found:
        name = f"{each.region} (this stack)" if each.region == here else each.region
        if each.plan is None:
            table.add_row(name, "-", "-", "-", each.why_not or "")
            continue
        cost, used = each.plan.cost, sorted({model.accelerator for model in each.plan.models})
        note = f"no price for {len(cost.unpriced)} items" if cost.unpriced else ""
        table.add_row(name, _usd(cost.usd_per_month_min), _usd(cost.usd_per_month_max), ", ".join(used), note)
    return table


def bill_table(bills: Collection[StackBill]) -> Table:
    """One row a cluster's stack, and their sum."""
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("cluster", footer="together", no_wrap=True)
    table.add_column("region", no_wrap=True)
    for name, total in (
        ("models", f"{sum(bill.models for bill in bills):,}"),
        ("USD a month idle", _usd(sum(bill.usd_per_month_min for bill in bills))),
        ("USD a month busy", _usd(sum(bill.usd_per_month_max for bill in bills))),
    ):
        table.add_column(name, justify="right", footer=total, no_wrap=True)
    table.add_column("")
    for bill in bills:
        note = f"no price for {bill.unpriced} items" if bill.unpriced else ""
        money = _usd(bill.usd_per_month_min), _usd(bill.usd_per_month_max)
        table.add_row(bill.stack, bill.region, f"{bill.models:,}", *money, note)
    return table


def _busy(lines: list[CostLine]) -> float:
    return sum(line.usd_per_month_max or 0 for line in lines)


def _usd(value: float | None, digits: int = 0) -> str:
    return "unknown" if value is None else f"{value:,.{digits}f}"


def explanation(model: ModelPlan) -> RenderableType:
    """One model's decisions with their arithmetic, on one screen."""
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
    command = Text(f"{model.server.image} {' '.join((*model.server.command, *model.server.args))}")
    longest = f"at most: {need.longest_context:,} tokens in one sequence"
    limits = Text(f"{longest}, or {need.concurrency} sequences of {need.context:,}")
    served = performance_lines(model)
    return Group(head, why, _memory_table(model), limits, served, _step_table(model), *others, *warnings, command)


def _memory_table(model: ModelPlan) -> Table:
    """One bar a term, to the scale of the memory that the engine sees."""
    need = model.need
    table = Table(box=None, pad_edge=False, title="one accelerator", title_justify="left")
    for name in ("term", "GiB", "of what is visible", "arithmetic"):
        table.add_column(name, justify="right" if name == "GiB" else "left", no_wrap=name != "arithmetic")
    for term in need.terms:
        table.add_row(term.name, f"{term.size_bytes / GIB:.2f}", _bar(term.size_bytes, need), term.how)
    left = need.kv_available_bytes
    table.add_row("KV cache", f"{left / GIB:.2f}", _bar(left, need, "░"), _cache(model))
    outside = need.visible_bytes - need.budget_bytes
    share = need.budget_bytes / need.visible_bytes
    table.add_row("outside", f"{outside / GIB:.2f}", _bar(outside, need, "·"), f"the engine is given {share:.0%}")
    table.add_row("visible", f"{need.visible_bytes / GIB:.2f}", _bar(need.visible_bytes, need, "-"), "")
    return table


def _bar(size_bytes: int, need: MemoryNeed, sign: str = "█") -> str:
    cells = BAR_WIDTH * max(0, size_bytes) / need.visible_bytes
    return sign * (round(cells) or (1 if size_bytes > 0 else 0))


def _step_table(model: ModelPlan) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("bought", "machine type", "needs", "may use GiB", "verdict", "USD/h a replica", "zones"):
        table.add_column(name, no_wrap=name != "zones")
    for step in model.steps:
        bought = f"{step.kind} {step.reservation}" if step.reservation else str(step.kind)
        table.add_row(
            bought, step.machine_type, f"{step.needs_bytes / GIB:.1f}", f"{step.budget_bytes / GIB:.1f}",
            str(step.verdict), _usd(step.usd_per_replica_hour, 2), ", ".join(step.zones),
        )  # fmt: skip
    return table


def _cache(model: ModelPlan) -> str:
    need = model.need
    if not need.kv_bytes_per_token and not need.kv_fixed_bytes:
        return "left over; this engine keeps no KV cache"
    fixed = f" + {need.kv_fixed_bytes:,} B a sequence" if need.kv_fixed_bytes else ""
    return (
        f"{need.kv_bytes_per_token:,} B a token{fixed}: {need.kv_tokens:,} tokens, "
        f"{need.concurrency} sequences of {need.context:,}"
    )


def _total(lines: list[CostLine]) -> str:
    known = [line for line in lines if line.usd_per_month_max is not None]
    if not known:
        return "unknown"
    span = _span(
        sum(line.usd_per_month_min or 0 for line in lines), sum(line.usd_per_month_max or 0 for line in known)
    )
    return span if len(known) == len(lines) else f"{span} + unpriced"


def _is_known(plan: Plan) -> bool:
    """Whether anything has a price: a sum of nothing is not 0."""
    return any(line.usd_per_month_max is not None for line in plan.cost.lines)


def _together(plan: Plan) -> str:
    return _span(plan.cost.usd_per_month_min, plan.cost.usd_per_month_max) if _is_known(plan) else "unknown"


def _span(low: float, high: float) -> str:
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"
