# SPDX-License-Identifier: Apache-2.0
"""A plan as tables for a terminal.

Owns the layout only: each figure is taken from the plan as it is. Sums of money are rounded to dollars.
"""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hubstack.plan import CostLine, MemoryNeed, ModelPlan, Plan, PoolPlan

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
    footer = _span(plan.cost.usd_per_month_min, plan.cost.usd_per_month_max)
    table.add_column("USD a month", justify="right", footer=footer, no_wrap=True)
    for model in plan.models:
        lines = [line for line in plan.cost.lines if line.item == model.key]
        table.add_row(
            model.key, str(model.server.engine), f"{model.accelerator_count} x {model.accelerator}",
            memory_bar(model.need), f"{model.need.context:,}",
            f"{model.replicas.min}-{model.replicas.max}", _total(lines),
        )  # fmt: skip
    return table


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


def why_lines(plan: Plan) -> str:
    """Say for each model why this engine and this accelerator; `hubstack explain` has the arithmetic."""
    lines = ["Why:"]
    for model in plan.models:
        said = {reason.topic: reason.text for reason in model.reasons}
        lines.append(f"  {model.key}: {said['engine']}; {said['accelerator']}")
    return "\n".join(lines)


def cost_notes(plan: Plan) -> str:
    """Say the price of the whole, and what it leaves out."""
    cost = plan.cost
    together = _span(cost.usd_per_month_min, cost.usd_per_month_max)
    notes = [
        (
            f"Price a month ({cost.hours_per_month} hours, {plan.target.region}): {together} USD, from every "
            f"model at its fewest replicas to every model at its most."
        )
    ]
    if cost.unpriced:
        notes.append(f"No source gives a price for: {'; '.join(cost.unpriced)}.")
    notes.append(f"Not counted: {', '.join(cost.not_counted)}.")
    notes += [f"Warning: {warning}." for warning in plan.warnings]
    return "\n".join(notes)


def explanation(model: ModelPlan) -> RenderableType:
    """One model's decisions with their arithmetic."""
    need = model.need
    head = Text(f"{model.key}: {model.id} @ {model.commit[:12]}")
    why = Table(box=None, pad_edge=False, show_header=False)
    for reason in model.reasons:
        why.add_row(reason.topic, f"{reason.text}{f' [{reason.source}]' if reason.source else ''}")
    memory = Table(box=None, pad_edge=False, title="one accelerator, GiB", title_justify="left")
    for name in ("term", "GiB", "arithmetic"):
        memory.add_column(name, justify="right" if name == "GiB" else "left")
    for term in need.terms:
        memory.add_row(term.name, f"{term.size_bytes / GIB:.2f}", term.how)
    memory.add_row("KV cache", f"{need.kv_available_bytes / GIB:.2f}", _cache(model))
    memory.add_row("of visible", f"{need.visible_bytes / GIB:.2f}", f"{need.budget_bytes / GIB:.2f} may be used")
    others = [
        Text(f"not {other.accelerator_count} x {other.machine_type}: {other.why}") for other in model.rejected
    ]
    warnings = [Text(f"warning: {warning}") for warning in model.warnings]
    command = Text(f"{model.server.image} {' '.join(model.server.args)}")
    return Group(head, memory_bar(need), why, memory, *others, *warnings, command)


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
    span = _span(
        sum(line.usd_per_month_min or 0 for line in lines), sum(line.usd_per_month_max or 0 for line in known)
    )
    return span if len(known) == len(lines) else f"{span} + unpriced"


def _span(low: float, high: float) -> str:
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"
