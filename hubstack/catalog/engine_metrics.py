# SPDX-License-Identifier: Apache-2.0
"""The metrics that each engine exposes: names, types and buckets, by role.

Owns the table of engine_metrics.yaml and the selectors built from it. Does not own the queries: dashboards and
alerts are in `hubstack.deploy.monitoring`, scaling is with the manifests. A role that an engine lacks is None, and
`absent` says why.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hubstack.catalog.row import Row
from hubstack.kinds import EngineKind


class MetricType(StrEnum):
    """Prometheus metric types; they are suffixes of metric names in Cloud Monitoring."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric as used in PromQL."""

    name: str
    """Exposed name, including `_total` if present; for a histogram without `_bucket`."""
    type: MetricType
    where: str
    """Label matchers that select the relevant series, comma-separated; empty for all series."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, ascending, in the metric's unit."""

    def select(self, *matchers: str, suffix: str = "") -> str:
        """Return the PromQL selector with the metric's own matchers and the given ones.

        Args:
            matchers: such as `model="chat"`.
            suffix: `_bucket`, `_count` or `_sum` of a histogram.
        """
        inside = ",".join(part for part in (*matchers, self.where) if part)
        return f"{self.name}{suffix}{{{inside}}}" if inside else f"{self.name}{suffix}"

    def bucket_at_least(self, wanted: float) -> float | None:
        """Return the smallest bucket bound at or above a value, or None if there is none."""
        return next((bound for bound in self.buckets if bound >= wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMetrics:
    """The metrics of an engine; None for a role that it lacks."""

    engine: EngineKind
    time_to_first_token: Metric | None
    """Histogram, seconds."""
    inter_token_latency: Metric | None
    """Histogram, seconds."""
    request_duration: Metric | None
    """Histogram, seconds from arrival to the end of the response."""
    requests: Metric | None
    """Counter of finished requests, regardless of outcome."""
    errors: Metric | None
    """Counter of requests that failed because of the server."""
    queue_length: Metric | None
    """Gauge, waiting requests."""
    running: Metric | None
    """Gauge, running requests."""
    kv_cache_usage: Metric | None
    """Gauge, 0 to 1."""
    tokens_in: Metric | None
    """Counter of prompt tokens."""
    tokens_out: Metric | None
    """Counter of generated tokens."""
    absent: Mapping[str, str]
    """Role to the reason why the engine has no such metric, for exactly the roles that are None."""
    notes: tuple[str, ...]
    sources: tuple[str, ...]


ROLES: Mapping[str, MetricType] = {
    "time_to_first_token": MetricType.HISTOGRAM,
    "inter_token_latency": MetricType.HISTOGRAM,
    "request_duration": MetricType.HISTOGRAM,
    "requests": MetricType.COUNTER,
    "errors": MetricType.COUNTER,
    "queue_length": MetricType.GAUGE,
    "running": MetricType.GAUGE,
    "kv_cache_usage": MetricType.GAUGE,
    "tokens_in": MetricType.COUNTER,
    "tokens_out": MetricType.COUNTER,
}
"""Role to the type that its metric must have."""


def read_engine_metrics(file: Row) -> Iterator[EngineMetrics]:
    """Yield the metrics of each engine; every role must be present with the right type, or listed as absent."""
    for row in file.rows("engine_metrics"):
        told, why = row.row("metrics"), row.maybe_row("absent")
        absent = {role: why.text(role) for role in why.names()} if why else {}
        found = {role: _metric(metric, role) for role, metric in told.items()}
        odd = sorted((set(found) | set(absent)) ^ set(ROLES)) or sorted(set(found) & set(absent))
        if odd and "" not in odd:
            row.refuse(f"each role must be under either `metrics` or `absent`: check {', '.join(odd)}")
        notes, sources = row.texts("notes"), row.texts("sources")
        for engine in row.words("engines", EngineKind):
            yield EngineMetrics(
                engine=engine,
                absent=absent,
                notes=notes,
                sources=sources,
                **{role: found.get(role) for role in ROLES},
            )
        row.done()


def _metric(row: Row, role: str) -> Metric:
    metric = Metric(
        name=row.text("name"),
        type=row.word("type", MetricType),
        where=row.maybe_text("where") or "",
        buckets=row.figures("buckets"),
    )
    row.done()
    wanted = ROLES.get(role)
    is_histogram = metric.type is MetricType.HISTOGRAM
    if not row.is_sound:
        return metric
    if metric.type is not wanted:
        row.refuse(f"`{role}` must be a {wanted}, not a {metric.type}" if wanted else f"unknown role `{role}`")
    elif bool(metric.buckets) != is_histogram or list(metric.buckets) != sorted(metric.buckets):
        row.refuse("only a histogram must have `buckets`, in ascending order")
    return metric
