# SPDX-License-Identifier: Apache-2.0
"""Renders the HTML report of a plan.

Owns bar widths and section order; all figures come from the plan. Texts from the Hub are untrusted: the template
escapes them, and the page makes no network request. Its only script, `page.js`, is allowed by its hash.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup, escape

from hubstack.files.page_template import page_template
from hubstack.files.terminal import shown_in_page
from hubstack.plan import MemoryNeed, ModelPlan, Plan
from hubstack.plan.bill import CostLine
from hubstack.plan.performance import Comparison, LoadPoint, usd_per_million
from hubstack.review.report.performance import served_cells
from hubstack.review.report.report import cards, command_line, group_warnings

GIB = 1024**3
_CLASSES = {
    "weights": "weights",
    "draft": "weights",
    "activation": "activation",
    "runtime": "runtime",
    "graphs": "graphs",
    "adapters": "adapters",
    "states": "states",
}

CHART_WIDTH, CHART_HEIGHT = 600, 120
MOST_CHOICES = 12
_LEGEND = (
    ("weights", "weights"),
    ("activation", "activation"),
    ("runtime", "runtime"),
    ("graphs", "graphs"),
    ("cache", "KV cache"),
    ("free", "free"),
    ("outside", "reserved"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One segment of a bar."""

    name: str
    css: str
    size: str
    """Formatted size."""
    width: float
    """Width in percent of the bar."""
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An accelerator in the chart of costs."""

    name: str
    machine_type: str
    usd: str
    speed: str
    width: float
    """Width in percent of the chart."""
    is_chosen: bool
    is_best: bool
    """Whether no other is better in both cost and speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The traffic of a model by hour of a day or week."""

    key: str
    bars: tuple[tuple[float, float, float], ...]
    """Left, top and height of each hour's load, in `CHART_WIDTH` x `CHART_HEIGHT`."""
    bar_width: float
    replicas: str
    """Points of an SVG polyline of what the running replicas serve."""
    peak: str
    most: int
    """Replicas in the busiest hour."""
    mean: str
    """Replicas that run on average."""
    is_week: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A latency by load."""

    name: str
    points: str
    """Of an SVG polyline, in `CHART_WIDTH` x `CHART_HEIGHT`."""
    least: str
    """Value at the lowest load."""
    most: str
    """Value at the highest load."""
    end: str
    """The highest load, in requests per second."""


def page_text(plan: Plan, model: str | None = None, comparison: Comparison | None = None) -> str:
    """Return the HTML report of a plan, explaining one model or all.

    Args:
        plan: the plan.
        model: key of the only model to explain.
        comparison: the accelerators that this model fits, drawn as charts.
    """
    shown = tuple(each for each in plan.models if model in {None, each.key})
    lines_of, script = plan.cost.by_item(), _script()
    return page_template("hubstack.review.report.page", "page.html.jinja").render(
        focus=model,
        chart=(CHART_WIDTH, CHART_HEIGHT),
        linked={each.key for each in shown},
        words={each.key: _words(each) for each in plan.models},
        commands={each.key: command_line(each) for each in shown},
        script=Markup(script),  # noqa: S704  trusted: our own file
        cards=cards,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
        plan=plan,
        shown=shown,
        bars={each.key: tuple(_memory(each.need)) for each in plan.models},
        costs=tuple(_costs(plan)),
        choices=tuple(_choices(comparison)) if comparison else (),
        generates=bool(comparison and comparison.curve),
        curves=tuple(_curves(comparison.curve)) if comparison else (),
        profiles=tuple(_profiles(shown)),
        served={each.key: served_cells(each) for each in plan.models},
        busy={each.key: _busy(lines_of.get(each.key, [])) for each in plan.models},
        sources=_sources(plan),
        beside=sum(not model.has_nodes for model in plan.models),
        legend=_LEGEND,
        warnings=group_warnings(plan.warnings),
        coded=_coded,
        count=_count,
        gib=_gib,
        usd=_usd,
    )


@cache
def _script() -> str:
    return files("hubstack.review.report").joinpath("page.js").read_text()


def _words(model: ModelPlan) -> str:
    """Return the text that the filter searches."""
    return " ".join((model.key, model.id, str(model.server.engine), cards(model), model.machine_type)).lower()


def _coded(text: str) -> Markup:
    """Return a text as HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(shown_in_page(text)))))  # noqa: S704  escaped


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items):,} {noun}{'' if len(items) == 1 else 's'}"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:,.1f}"


def _usd(value: float | None, digits: int = 0) -> str:
    return "unknown" if value is None else f"{value:,.{digits}f}"


def _memory(need: MemoryNeed) -> Iterator[Part]:
    """Yield the segments of one accelerator's visible memory; they add up to all of it."""
    visible = need.visible_bytes
    for term in need.terms:
        yield _part(term.name, _CLASSES.get(term.name, "runtime"), term.size_bytes, visible, term.how)
    cache_bytes = max(0, need.kv_available_bytes)
    if need.kv_bytes_per_token or need.kv_fixed_bytes:
        yield _part("KV cache", "cache", cache_bytes, visible, f"{need.kv_tokens:,} tokens")
    else:
        yield _part("free", "free", cache_bytes, visible, "this engine has no KV cache")
    outside = max(0, visible - need.total_bytes - cache_bytes)
    yield _part("outside", "outside", outside, visible, "reserved, not available to the engine")


def _part(name: str, css: str, size: int, visible: int, how: str) -> Part:
    return Part(name=name, css=css, size=f"{size / GIB:.2f} GiB", width=100 * size / visible, how=how)


def _costs(plan: Plan) -> Iterator[Part]:
    """Yield the busy monthly cost by capacity class, most expensive first, then costs other than nodes."""
    hours, total = plan.cost.hours_per_month, plan.cost.usd_per_month_max or 1
    nodes = [(pool.capacity_class, (pool.usd_per_hour_busy or 0) * hours, pool) for pool in plan.cost.pools]
    for name, usd, pool in sorted(nodes, key=lambda each: (-each[1], each[0])):
        how = f"{pool.nodes_busy} x {pool.machine_type}: {', '.join(pool.models)}"
        known = "unknown" if pool.usd_per_hour_busy is None else f"{usd:,.0f} USD"
        yield Part(name=name, css="nodes", size=known, width=100 * usd / total, how=how)
    managed = [(model, _instances(model) * hours) for model in plan.models if not model.has_nodes]
    for model, usd in sorted(managed, key=lambda each: (-each[1], each[0].key)):
        known = "unknown" if not usd else f"{usd:,.0f} USD"
        how = f"{model.replicas.max} x {model.machine_type} on {model.platform}"
        yield Part(name=model.key, css="nodes", size=known, width=100 * usd / total, how=how)
    beside = max(0.0, total - sum(usd for _, usd, _ in nodes) - sum(usd for _, usd in managed))
    yield Part(
        name="buckets and cluster",
        css="beside",
        size=f"{beside:,.0f} USD",
        width=100 * beside / total,
        how="weights in Cloud Storage, GKE's fee, system node, NAT, boot disks",
    )


def _profiles(models: Sequence[ModelPlan]) -> Iterator[Profile]:
    """Yield the charts of models whose list gives a profile."""
    for model in models:
        traffic = model.performance.traffic if model.performance else None
        if traffic is None or not traffic.hourly:
            continue
        hours, each = traffic.hourly, traffic.replica_requests_per_second.value
        top = max(each * max(hour.replicas for hour in hours), traffic.requests_per_second)
        width = CHART_WIDTH / len(hours)
        heights = [CHART_HEIGHT * hour.requests_per_second / top for hour in hours]
        steps = [
            f"{width * at:.1f},{CHART_HEIGHT * (1 - min(1.0, each * hours[int(side)].replicas / top)):.1f}"
            for side in range(len(hours))
            for at in (side, side + 1)
        ]
        yield Profile(
            key=model.key,
            bars=tuple((width * at, CHART_HEIGHT - high, high) for at, high in enumerate(heights)),
            bar_width=width * 0.9,
            replicas=" ".join(steps),
            peak=f"{traffic.requests_per_second:,g}",
            most=max(hour.replicas for hour in hours),
            mean=f"{sum(hour.replicas for hour in hours) / len(hours):.1f}",
            is_week=len(hours) > 24,
        )


def _choices(comparison: Comparison) -> Iterator[Choice]:
    """Yield a bar for each accelerator: the cost of a million tokens, relative to the most expensive one."""
    known = [(each, usd) for each in comparison.alternatives if (usd := usd_per_million(each.performance))]
    most = max((usd.value for _, usd in known), default=1.0)
    for each, usd in known[:MOST_CHOICES]:
        token = each.performance.token_ms
        yield Choice(
            name=f"{each.accelerator_count} x {each.accelerator}",
            machine_type=each.machine_type,
            usd=f"{usd.value:.2g} ({usd.low:.2g}-{usd.high:.2g}) USD",
            speed=f"{token.value:.2g} ms a token"
            if token
            else f"{each.performance.requests_per_second.value:,.0f} texts/s",
            width=100 * usd.value / most,
            is_chosen=each.is_chosen,
            is_best=each in comparison.frontier,
        )


def _curves(points: Sequence[LoadPoint]) -> Iterator[Curve]:
    """Yield latency by load as SVG polylines, each scaled to its own largest value."""
    if not points:
        return
    end = points[-1].requests_per_second
    for name, values in (
        ("first token, seconds", [point.first_token_ms / 1e3 for point in points]),
        ("time per token, milliseconds", [point.token_ms for point in points]),
    ):
        most = max(values)
        drawn = (
            f"{CHART_WIDTH * point.requests_per_second / end:.1f},{CHART_HEIGHT * (1 - value / most):.1f}"
            for point, value in zip(points, values, strict=True)
        )
        yield Curve(
            name=name, points=" ".join(drawn), most=f"{most:.2g}", least=f"{values[0]:.2g}", end=f"{end:.2g}"
        )


def _instances(model: ModelPlan) -> float:
    """Return the hourly USD cost of a Cloud Run model at its maximum instances; 0 if the price is unknown."""
    usd = model.cloud_run.usd_per_instance_hour if model.cloud_run else None
    return model.replicas.max * (usd or 0)


def _busy(lines: list[CostLine]) -> tuple[float, float]:
    return sum(line.usd_per_month_min or 0 for line in lines), sum(line.usd_per_month_max or 0 for line in lines)


def _sources(plan: Plan) -> tuple[str, ...]:
    rows = {f"{pool.price.source}, {pool.price.as_of}" for pool in plan.pools if pool.price}
    lines = {f"{line.source}, {line.as_of}" for line in plan.cost.lines if line.source}
    return tuple(sorted(rows | lines))
