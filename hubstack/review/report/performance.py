# SPDX-License-Identifier: Apache-2.0
"""Terminal tables of throughput, latency and cost per million tokens.

Owns the layout only; all figures come from the plan.
"""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from hubstack.plan import ModelPlan, Plan
from hubstack.plan.performance import Comparison, Estimate, PerformancePlan, TrafficPlan, usd_per_million
from hubstack.review.report.tables import Column, FittedTable

COLUMNS = (
    "model",
    "tokens in + out",
    "concurrent",
    "requests/s",
    "tokens/s out",
    "ms/token",
    "TTFT s",
    "queues from req/s",
    "USD a million in",
    "out",
    "evidence",
)

MOST_ALTERNATIVES = 5
"""Rows of the comparison; those that no other beats come before others."""
_RANKS = (0, 7, 5, 1, 2, 3, 4, 6, 0, 0, 8)
"""Order in which columns are dropped on a narrow terminal, highest first; cost columns are always shown."""


def performance_table(models: Iterable[ModelPlan]) -> FittedTable:
    """Return one row per model: one replica at full load, each figure with its 80 % range."""
    rows = [_row(model) for model in models]
    last = len(COLUMNS) - 1
    return FittedTable(
        Column(name=name, cells=[row[at] for row in rows], is_number=0 < at < last, rank=_RANKS[at])
        for at, name in enumerate(COLUMNS)
    )


def unused_notes(plan: Plan) -> Iterator[str]:
    """Yield a note per node pool whose accelerators stay partly unused with every model at maximum replicas."""
    for pool in plan.cost.pools:
        used, paid = pool.places_used_busy, pool.places_busy
        if not 0 < used < paid:
            continue
        text = f"{used} of {paid} {pool.accelerator} of {pool.machine_type} are in use ({used / paid:.0%})"
        text = f"{text} by {', '.join(pool.models)}, but all are billed."
        if 2 * used < paid:
            text = f"Warning: {text} A smaller accelerator, or more models on this one, may cost less."
        yield text


def _row(model: ModelPlan) -> tuple[str, ...]:
    found = model.performance
    if found is None:
        return (model.key, *("-" for _ in COLUMNS[1:-1]), "unknown: the lock lacks the model's dimensions")
    cost = found.cost
    lengths = (
        f"{found.input_tokens:,} + {found.output_tokens:,}" if found.output_tokens else f"{found.input_tokens:,}"
    )
    return (
        model.key,
        lengths,
        f"{found.sequences:,}",
        _ranged(found.requests_per_second),
        _ranged(found.output_tokens_per_second) if found.output_tokens else "-",
        _ranged(found.token_ms),
        _ranged(found.first_token_ms, 1e-3),
        f"{found.queue_from_requests_per_second:,g}",
        _ranged(cost.usd_per_million_input_tokens) if cost else "unknown",
        _ranged(cost.usd_per_million_output_tokens) if cost else "unknown",
        _evidence(found),
    )


def _evidence(found: PerformancePlan) -> str:
    noun = "run" if found.formula else "row"
    return (
        f"{found.evidence} ({found.rows} {noun}{'s' if found.rows > 1 else ''})" if found.rows else found.evidence
    )


def _asked(traffic: TrafficPlan) -> Iterator[str]:
    each = _ranged(traffic.replica_requests_per_second)
    slow = ""
    if traffic.replicas_if_slow > traffic.replicas:
        slow = f", {traffic.replicas_if_slow} if each is at the low end of its range"
    rate = f"{traffic.requests_per_second:,g} requests/s at the peak"
    yield f"  traffic: {rate}: {traffic.replicas} x {each} requests/s{slow}"
    if traffic.token_ms and traffic.first_token_ms:
        first = _ranged(traffic.first_token_ms, 1e-3)
        yield (
            f"  at the peak: a token every {_ranged(traffic.token_ms)} ms; {traffic.percent:g} % get their first "
            f"within {first} s"
        )
    if traffic.usd_per_month is not None and traffic.cost:
        cost, out = traffic.cost, traffic.cost.usd_per_million_output_tokens
        wrote = f" and ${_digits(out.value)} out" if out else ""
        yield (
            f"  ${traffic.usd_per_month:,.0f} a month for the hours above: "
            f"${_digits(cost.usd_per_million_input_tokens.value)} a million tokens in{wrote}"
        )


def _ranged(figure: Estimate | None, scale: float = 1.0) -> str:
    if figure is None:
        return "-"
    return f"{_digits(figure.value * scale)} ({_digits(figure.low * scale)}-{_digits(figure.high * scale)})"


def _digits(value: float) -> str:
    """Format a value with two significant digits, without an exponent."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{float(f'{value:.2g}'):g}"


def comparison_table(found: Comparison) -> FittedTable:
    """Return the accelerators that a model fits, cheapest million tokens first; `>` marks the chosen one."""
    important = sorted(found.alternatives, key=lambda each: (not each.is_chosen, each not in found.frontier))
    ordered = [each for each in found.alternatives if each in important[:MOST_ALTERNATIVES]]
    plans = [each.performance for each in ordered]
    cells = {
        "alternatives": [
            f"{'>' if each.is_chosen else ' '} {each.accelerator_count} x {each.accelerator}" for each in ordered
        ],
        "machine type": [each.machine_type for each in ordered],
        "USD/h": ["unknown" if each.usd_per_hour is None else f"{each.usd_per_hour:,.2f}" for each in ordered],
        "requests/s": [_digits(plan.requests_per_second.value) for plan in plans],
        "ms/token": [_digits(plan.token_ms.value) if plan.token_ms else "-" for plan in plans],
        "TTFT s": [_digits(plan.first_token_ms.value / 1e3) if plan.first_token_ms else "-" for plan in plans],
        "USD a million": [_ranged(usd_per_million(plan)) for plan in plans],
        "best": ["yes" if each in found.frontier else "" for each in ordered],
    }
    ranks = (0, 4, 1, 2, 3, 6, 0, 5)
    return FittedTable(
        Column(name=name, cells=held, is_number=name not in {"alternatives", "machine type", "best"}, rank=rank)
        for (name, held), rank in zip(cells.items(), ranks, strict=True)
    )


def ways_line(found: Comparison) -> str | None:
    """Return what a million tokens cost on the chosen nodes by how these are bought; None without prices."""
    said = [
        f"{each.way} ${_digits(each.usd_per_million)} (${each.usd_per_hour:,.2f} an hour)" for each in found.ways
    ]
    return f"a million tokens on these nodes, by how they are bought: {', '.join(said)}" if said else None


def million_span(models: Iterable[ModelPlan]) -> str:
    """Return what a million tokens cost at full load, from the cheapest model to the dearest; `-` if unknown."""
    known = [usd.value for each in models if (usd := usd_of(each)) is not None]
    if not known:
        return "-"
    low, high = _digits(min(known)), _digits(max(known))
    return low if low == high else f"{low} to {high}"


def million_change(before: ModelPlan, after: ModelPlan) -> str:
    """Return what a million tokens of a model cost at full load, before and after a change."""
    usd = [_digits(found.value) if (found := usd_of(each)) else "-" for each in (before, after)]
    return usd[1] if usd[0] == usd[1] else f"{usd[0]} -> {usd[1]}"


def served_cells(model: ModelPlan) -> tuple[tuple[str, float], ...]:
    """Return requests per second, time per token, first token and cost per million, as text and for sorting."""
    found = model.performance
    if found is None:
        return (("-", 0.0),) * 4
    figures = (found.requests_per_second, found.token_ms, found.first_token_ms, usd_of(model))
    scales = (1.0, 1.0, 1e-3, 1.0)
    return tuple(
        (_digits(each.value * scale), each.value * scale) if each else ("-", 0.0)
        for each, scale in zip(figures, scales, strict=True)
    )


def usd_of(model: ModelPlan) -> Estimate | None:
    """Return the cost of a million generated tokens, or of input tokens if none are generated."""
    return usd_per_million(model.performance) if model.performance else None


def performance_lines(model: ModelPlan) -> RenderableType:
    """Describe the performance of one model in sentences."""
    found = model.performance
    if found is None:
        return Text("performance: unknown, the lock lacks the model's dimensions")
    lines = [Text(line) for line in _sentences(found)]
    return Group(*lines, *(Text(f"warning: {warning}") for warning in found.warnings))


def _rows(found: PerformancePlan) -> str:
    if found.formula:
        return f"{found.rows:,} {'run' if found.rows == 1 else 'runs'} of this setup"
    if found.rows:
        return f"{found.rows:,} benchmark rows for this engine and GPU generation"
    return "no benchmark row for this engine on this GPU generation"


def _sentences(found: PerformancePlan) -> Iterator[str]:
    assumed = " (assumed: no `traffic:` in the list)" if found.is_assumed else ""
    rows = _rows(found)
    if not found.output_tokens:
        yield (
            f"performance, one replica, texts of {found.input_tokens:,} tokens{assumed}: "
            f"{_ranged(found.requests_per_second)} texts/s, {_ranged(found.input_tokens_per_second)} tokens/s"
        )
    else:
        asked = f"{found.input_tokens:,} tokens in and {found.output_tokens:,} out{assumed}"
        tokens = _ranged(found.input_tokens_per_second), _ranged(found.output_tokens_per_second)
        yield (
            f"performance, one replica, {asked}: {_ranged(found.requests_per_second)} requests/s with "
            f"{found.sequences:,} concurrent, {tokens[0]} tokens/s in and {tokens[1]} out"
        )
        first = _ranged(found.first_token_ms, 1e-3), _ranged(found.first_token_queue_ms, 1e-3)
        yield (
            f"  a token every {_ranged(found.token_ms)} ms ({_ranged(found.token_alone_ms)} alone); the first "
            f"after {first[0]} s alone, {first[1]} s where queueing starts, "
            f"at {found.queue_from_requests_per_second:,g} requests/s"
        )
    if found.first_token_longest_ms:
        longest = _ranged(found.first_token_longest_ms, 1e-3)
        yield f"  the longest prompt, {found.longest_input_tokens:,} tokens: the first after {longest} s alone"
    if found.cost:
        out = found.cost.usd_per_million_output_tokens
        wrote = f", ${_ranged(out)} out" if out else ""
        yield f"  at full load: ${_ranged(found.cost.usd_per_million_input_tokens)} a million tokens in{wrote}"
    if found.traffic:
        yield from _asked(found.traffic)
    yield f"  80 % ranges in parentheses; {found.evidence}: {rows} (docs/concepts/performance.md)"
    if found.formula:
        token = f", a token every {_digits(found.formula.token_ms)} ms" if found.formula.token_ms else ""
        yield f"  predicted without measurements: {_digits(found.formula.requests_per_second)} requests/s{token}"
