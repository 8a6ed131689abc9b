# SPDX-License-Identifier: Apache-2.0
"""The alerts of a stack.

Owns the list of alerts, their thresholds and their texts (runbook.yaml). One alert covers all models it treats
alike and distinguishes them by the label `model`, so the number of alerts does not grow with the list
(docs/adr/0010).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast

import yaml

from hubstack.catalog import EngineMetrics, Metric
from hubstack.deploy.callers.limits import COST
from hubstack.deploy.manifests import server_name
from hubstack.deploy.monitoring.queries import (
    failed_ratio,
    limiter_errors,
    one_of,
    pending_pods,
    rate_by_model,
    refused_callers,
    replicas,
    scope_of,
    slow_ratio,
)
from hubstack.kinds import CapacityKind, EngineKind
from hubstack.plan import ModelPlan, Plan

BURNS = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
"""Burn rate of the 30-day error budget, long window, short window; both windows must exceed the rate. These rates
use 2 % of the budget in an hour and 5 % in six (Google, The Site Reliability Workbook, chapter 5,
sre.google/workbook/alerting-on-slos)."""
MIN_REQUESTS = 20
"""Minimum requests in the long window. Our choice: among a handful, one slow request is a large share."""
PENDING_SECONDS = 900
"""Our choice: a new GPU node with its driver and image takes minutes, but less than a quarter of an hour."""
UNAVAILABLE_SECONDS = 600
"""Margin added to the longest load time of the models that always run."""
LIMITER_SECONDS = 300
"""Our choice: longer than the counters need to move to another node."""
RUNBOOK = "docs/concepts/monitoring.md"
Severity = Literal["CRITICAL", "ERROR", "WARNING"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting policy with one condition."""

    key: str
    """Last part of the logical name."""
    title: str
    severity: Severity
    query: str | None = None
    """PromQL; each series it returns is an incident."""
    log_filter: str | None = None
    """Cloud Logging filter, used instead of a query."""
    label_extractors: tuple[tuple[str, str], ...] = ()
    """Incident labels extracted from the log entry."""
    duration_seconds: int = 0
    """How long the condition must hold."""
    documentation: str
    """Markdown."""


Table = Mapping[EngineKind, EngineMetrics]


def list_alerts(plan: Plan) -> tuple[Alert, ...]:
    """Return the alerts of a plan, sorted by key; empty if monitoring is off or no model runs on GKE."""
    if plan.monitoring is None or not plan.on_gke:
        return ()
    table = plan.engine_metrics
    found = [*_slow(plan, table), *_failing(plan, table), _pending(plan), _load_failed(plan)]
    found += [*_unavailable(plan), *_preempted(plan), *_callers(plan)]
    return tuple(sorted(found, key=lambda alert: alert.key))


def family(table: Table, role: str, metric: Metric) -> str:
    """Return the family name of engines that share a metric: the first such engine in the table."""
    return min(kind.value for kind, metrics in table.items() if getattr(metrics, role) == metric)


def _slow(plan: Plan, table: Table) -> Iterable[Alert]:
    groups: dict[tuple[str, float, float], list[ModelPlan]] = {}
    metrics: dict[str, Metric] = {}
    for model in plan.on_gke:
        slo = model.slo
        if slo is None or slo.measured is None or slo.bucket_seconds is None:
            continue
        metric = cast("Metric", getattr(table[model.server.engine], slo.measured))
        name = family(table, slo.measured, metric)
        metrics[name] = metric
        groups.setdefault((name, slo.bucket_seconds, slo.latency_percent), []).append(model)
    for (name, bucket, percent), models in groups.items():
        metric = metrics[name]
        every = [key[0] for key in groups].count(name) == 1
        matchers = scope_of(plan).prometheus + (() if every else (one_of("model", map(server_name, models)),))
        burns = [
            _burn(
                [slow_ratio(metric, bucket, matchers, window) for window in (long, short)],
                rate * (100 - percent) / 100,
                metric.select(*matchers, suffix="_count"),
                long,
            )
            for rate, long, short in BURNS
        ]
        told = f"Objective: {percent:g} % of requests wait at most {bucket:.4g} s."
        yield _alert(
            f"slo-latency-{_slug(name, f'{bucket:.4g}s', f'{percent:g}')}",
            "slo-latency",
            "CRITICAL",
            query=" or ".join(burns),
            extra=told,
        )


def _failing(plan: Plan, table: Table) -> Iterable[Alert]:
    groups: dict[tuple[str, float], list[ModelPlan]] = {}
    for model in plan.on_gke:
        errors = table[model.server.engine].errors
        if model.slo and model.slo.error_percent is not None and errors:
            groups.setdefault((family(table, "errors", errors), model.slo.error_percent), []).append(model)
    for (name, percent), models in groups.items():
        metrics = table[models[0].server.engine]
        errors, requests = cast("Metric", metrics.errors), cast("Metric", metrics.requests)
        every = [key[0] for key in groups].count(name) == 1
        matchers = scope_of(plan).prometheus + (() if every else (one_of("model", map(server_name, models)),))
        burns = [
            _burn(
                [failed_ratio(errors, requests, matchers, window) for window in (long, short)],
                rate * percent / 100,
                requests.select(*matchers),
                long,
            )
            for rate, long, short in BURNS
        ]
        yield _alert(
            f"slo-errors-{_slug(name, f'{percent:g}')}",
            "slo-errors",
            "CRITICAL",
            query=" or ".join(burns),
            extra=f"Objective: at most {percent:g} % of requests fail.",
        )


def _burn(ratios: list[str], threshold: float, counted: str, window: str) -> str:
    """Return a query that is true if both windows exceed the threshold and there are enough requests."""
    seconds = int(window[:-1]) * 3600
    enough = f"{rate_by_model(counted, window)} * {seconds} >= {MIN_REQUESTS}"
    return "(" + " and ".join([*(f"{ratio} > {threshold:.6g}" for ratio in ratios), enough]) + ")"


def _pending(plan: Plan) -> Alert:
    return _alert("pending", "pending", "ERROR", query=f"{pending_pods(plan)} > 0", seconds=PENDING_SECONDS)


def _unavailable(plan: Plan) -> Iterable[Alert]:
    kept = [model for model in plan.on_gke if model.replicas.min > 0]
    if kept:
        load = max(model.server.load_seconds for model in kept)
        yield _alert(
            "unavailable",
            "unavailable",
            "CRITICAL",
            query=f"{replicas(plan, kept, ready=True)} < 1",
            seconds=-(-(UNAVAILABLE_SECONDS + load) // 60) * 60,
        )


def _load_failed(plan: Plan) -> Alert:
    """Return the alert on the Job controller's event, which GKE logs; Google collects no Job metrics."""
    target, job = plan.target, "jsonPayload.involvedObject"
    parts = (
        f'logName="projects/{target.cluster_project}/logs/events"',
        f'resource.labels.cluster_name="{target.cluster_name}"',
        f'{job}.kind="Job"',
        f"{job}.namespace={_any_of(target.namespaces)}",
        'jsonPayload.reason=("BackoffLimitExceeded" OR "PodFailurePolicy" OR "DeadlineExceeded")',
    )
    found = _alert("load-failed", "load-failed", "ERROR")
    extractors = (("job", f"EXTRACT({job}.name)"),)
    return replace(found, log_filter=" AND ".join(parts), label_extractors=extractors)


def _any_of(values: Iterable[str]) -> str:
    """Return what a field of a log entry must be."""
    quoted = [f'"{each}"' for each in values]
    return quoted[0] if len(quoted) == 1 else f"({' OR '.join(quoted)})"


def _preempted(plan: Plan) -> Iterable[Alert]:
    if not any(pool.capacity is CapacityKind.SPOT for pool in plan.pools):
        return
    # Node names start with this prefix; GKE truncates cluster and pool names to 32 characters in total.
    cluster = plan.target.cluster_name[:16]
    parts = (
        f'logName="projects/{plan.target.cluster_project}/logs/cloudaudit.googleapis.com%2Fsystem_event"',
        'resource.type="gce_instance"',
        'protoPayload.methodName="compute.instances.preempted"',
        f'protoPayload.resourceName=~"/instances/gke-{cluster}"',
    )
    found = _alert("preempted", "preempted", "WARNING")
    extractors = (("zone", "EXTRACT(resource.labels.zone)"),)
    yield replace(found, log_filter=" AND ".join(parts), label_extractors=extractors)


def _callers(plan: Plan) -> Iterable[Alert]:
    if plan.callers is None:
        return
    if any(caller.budget_units is not None for caller in plan.callers.callers):
        refused = refused_callers(plan, f'limit="{COST}"')
        query = f"sum by (caller) (increase({refused}[5m])) > 0"
        yield _alert("caller-budget", "caller-budget", "WARNING", query=query)
    query = f"sum(increase({limiter_errors(plan)}[5m])) > 0"
    yield _alert("caller-limits", "caller-limits", "ERROR", query=query, seconds=LIMITER_SECONDS)


def _alert(
    key: str, section: str, severity: Severity, *, query: str | None = None, seconds: int = 0, extra: str = ""
) -> Alert:
    told = _runbook()[section]
    text = [f"**{told['means']}**", extra, told["do"], f"More: {RUNBOOK}#{section}"]
    return Alert(
        key=key,
        title=told["title"],
        severity=severity,
        query=query,
        duration_seconds=seconds,
        documentation="\n\n".join(part for part in text if part),
    )


@cache
def _runbook() -> Mapping[str, Mapping[str, str]]:
    path = Path(__file__).with_name("runbook.yaml")
    return cast("Mapping[str, Mapping[str, str]]", yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))


def _slug(*parts: str) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
