# SPDX-License-Identifier: Apache-2.0
"""Cloud Monitoring dashboards as API objects: one for the stack and one for each model.

Owns the charts and their layout. A chart whose metric the engine does not expose is omitted, and the text at the
top says why. Format: monitoring.googleapis.com v1, `Dashboard` (discovery document in google-api-python-client
2.202.0).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubstack.catalog import EngineMetrics, Metric
from hubstack.deploy.callers.limits import COST, REQUESTS
from hubstack.deploy.manifests import server_name
from hubstack.deploy.monitoring.alerts import BURNS, RUNBOOK, family
from hubstack.deploy.monitoring.queries import (
    failed_ratio,
    pending_pods,
    pods_of,
    quantile,
    rate_by_model,
    refused_callers,
    replicas,
    scope_of,
    slow_ratio,
    used_by_callers,
)
from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.plan import ModelPlan, Plan

COLUMNS, WIDTH, HEIGHT, TEXT_HEIGHT = 48, 16, 14, 10
WINDOW = "${__interval}"
"""Cloud Monitoring substitutes the chart's step for this variable."""
Json = dict[str, Any]
Series = tuple[str, str]
"""A query and its legend; without a legend, the chart names lines by their labels."""
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard of the stack or of one model."""

    content: Json
    model: str | None = None
    """Key of the model; None for the stack's."""
    was: tuple[str, ...] = ()
    """Former keys of the model."""


def list_dashboards(plan: Plan) -> tuple[Dashboard, ...]:
    """Return the dashboards of a plan: one for the stack and one for each model on GKE; empty without any."""
    if not plan.on_gke:
        return ()
    boards = (Dashboard(content=model_dashboard(plan, each), model=each.key, was=each.was) for each in plan.on_gke)
    return (Dashboard(content=stack_dashboard(plan)), *boards)


def model_dashboard(plan: Plan, model: ModelPlan) -> Json:
    """Return the dashboard of one model."""
    metrics = plan.engine_metrics[model.server.engine]
    charts = [*_requests(plan, model, metrics), *_load(plan, model, metrics), *_pods(plan, model)]
    return _dashboard(f"hubstack {plan.target.stack}: {model.key}", _model_text(model, metrics), charts)


def stack_dashboard(plan: Plan) -> Json:
    """Return the stack's dashboard: one line per model, and the nodes."""
    charts = [*_by_model(plan, plan.engine_metrics), *_by_caller(plan), *_cluster(plan)]
    title = f"hubstack {plan.target.stack}"
    text = f"{len(plan.on_gke)} models in {plan.target.region}. Each has its own dashboard: `{title}: KEY`."
    return _dashboard(title, f"{text} Alert runbook: {RUNBOOK}.", charts)


def _dashboard(title: str, text: str, charts: list[Json]) -> Json:
    tiles: list[Json] = [
        {
            "xPos": 0,
            "yPos": 0,
            "width": COLUMNS,
            "height": TEXT_HEIGHT,
            "widget": {"title": title, "text": {"content": text, "format": "MARKDOWN"}},
        }
    ]
    across = COLUMNS // WIDTH
    for at, chart in enumerate(charts):
        place = {"xPos": at % across * WIDTH, "yPos": TEXT_HEIGHT + at // across * HEIGHT}
        tiles.append({**place, "width": WIDTH, "height": HEIGHT, "widget": chart})
    return {"displayName": title, "mosaicLayout": {"columns": COLUMNS, "tiles": tiles}}


def _chart(
    title: str,
    series: Iterable[Series],
    unit: str = "",
    line: tuple[float, str] | None = None,
    *,
    stacked: bool = False,
) -> Json:
    chart: Json = {"dataSets": [_data(*one, stacked=stacked) for one in series]}
    chart["yAxis"] = {"label": unit, "scale": "LINEAR"}
    if line:
        chart["thresholds"] = [{"value": line[0], "label": line[1], "targetAxis": "Y1"}]
    return {"title": title, "xyChart": chart}


def _data(query: str, legend: str, *, stacked: bool) -> Json:
    data: Json = {"timeSeriesQuery": {"prometheusQuery": query}, "targetAxis": "Y1"}
    data["plotType"] = "STACKED_AREA" if stacked else "LINE"
    return data | ({"legendTemplate": legend} if legend else {})


def _model_text(model: ModelPlan, metrics: EngineMetrics) -> str:
    on = f"{model.accelerator_count} x {model.accelerator_name} ({model.machine_type})"
    promised = next((reason.text for reason in model.reasons if reason.topic == "slo"), "none")
    lines = [f"{model.id} at `{model.commit[:12]}`, {metrics.engine} on {on}.", f"Objective: {promised}."]
    lines += [f"No chart for {role.replace('_', ' ')}: {why}." for role, why in sorted(metrics.absent.items())]
    if model.servers_per_accelerator > 1:
        lines.append("No chart for the accelerator: Google exports no per-container metrics for shared GPUs.")
    return "  \n".join([*lines, f"Alert runbook: {RUNBOOK}."])


def _quantiles(metric: Metric, matchers: tuple[str, ...]) -> list[Series]:
    return [(quantile(metric, share, matchers, WINDOW), name) for share, name in QUANTILES]


def _requests(plan: Plan, model: ModelPlan, metrics: EngineMetrics) -> Iterator[Json]:
    matchers = (*scope_of(plan).prometheus, f'model="{server_name(model)}"')
    slo = model.slo
    line = (slo.bucket_seconds, f"{slo.latency_percent:g} % within") if slo and slo.bucket_seconds else None
    first = metrics.time_to_first_token
    if first:
        yield _chart("Time to first token", _quantiles(first, matchers), "s", line)
    if metrics.inter_token_latency:
        yield _chart("Time between tokens", _quantiles(metrics.inter_token_latency, matchers), "s")
    if metrics.request_duration:
        whole = _quantiles(metrics.request_duration, matchers)
        yield _chart("Request duration", whole, "s", None if first else line)
    if metrics.requests and metrics.errors:
        every = rate_by_model(metrics.requests.select(*matchers), WINDOW)
        failed = rate_by_model(metrics.errors.select(*matchers), WINDOW)
        yield _chart("Requests per second", [(every, "all"), (failed, "failed")], "1/s")
    burning = list(_burning(model, metrics, matchers))
    if burning:
        (rate, long, _), _ = BURNS
        yield _chart(f"Error budget burn rate over {long}", burning, "times", (rate, "alert"))


def _burning(model: ModelPlan, metrics: EngineMetrics, matchers: tuple[str, ...]) -> Iterator[Series]:
    slo, window = model.slo, BURNS[0][1]
    if slo and slo.measured and slo.bucket_seconds:
        slow = slow_ratio(getattr(metrics, slo.measured), slo.bucket_seconds, matchers, window)
        yield f"{slow} / {(100 - slo.latency_percent) / 100:.6g}", "latency"
    if slo and slo.error_percent and metrics.errors and metrics.requests:
        failed = failed_ratio(metrics.errors, metrics.requests, matchers, window)
        yield f"{failed} / {slo.error_percent / 100:.6g}", "errors"


def _load(plan: Plan, model: ModelPlan, metrics: EngineMetrics) -> Iterator[Json]:
    matchers = (*scope_of(plan).prometheus, f'model="{server_name(model)}"')
    waiting = [(metrics.queue_length, "waiting"), (metrics.running, "running")]
    series = [(f"sum by (model) ({metric.select(*matchers)})", name) for metric, name in waiting if metric]
    if series:
        yield _chart("Requests waiting and running", series)
    if metrics.kv_cache_usage:
        usage = f"max by (pod) ({metrics.kv_cache_usage.select(*matchers)}) * 100"
        yield _chart("KV cache in use", [(usage, "")], "%")
    tokens = [(metrics.tokens_in, "in"), (metrics.tokens_out, "out")]
    series = [(rate_by_model(metric.select(*matchers), WINDOW), name) for metric, name in tokens if metric]
    if series:
        yield _chart("Tokens per second", series, "1/s")


def _pods(plan: Plan, model: ModelPlan) -> Iterator[Json]:
    wanted, ready = (replicas(plan, [model], ready=flag) for flag in (False, True))
    yield _chart("Replicas", [(wanted, "wanted"), (ready, "ready")])
    inside = ",".join((*scope_of(plan).system, f'pod_name=~"{pods_of(model)}"'))
    if model.servers_per_accelerator == 1:
        kind = "chip" if model.accelerator_kind is AcceleratorKind.TPU else "card"
        busy = f"avg by (pod_name) (kubernetes_io:container_accelerator_duty_cycle{{{inside}}})"
        yield _chart(f"{kind.capitalize()} utilization", [(busy, "")], "%")
        used, total = (
            f"sum by (pod_name) (kubernetes_io:container_accelerator_memory_{part}{{{inside}}})"
            for part in ("used", "total")
        )
        yield _chart(f"{kind.capitalize()} memory in use", [(f"{used} / {total} * 100", "")], "%")
    restarts = f"sum(increase(kubernetes_io:container_restart_count{{{inside}}}[{WINDOW}]))"
    yield _chart("Restarts", [(restarts, "restarts")])


def _by_model(plan: Plan, table: Mapping[EngineKind, EngineMetrics]) -> Iterator[Json]:
    """Yield charts with one line per model, with one query per family of engines."""
    matchers = scope_of(plan).prometheus
    used = sorted({model.server.engine for model in plan.on_gke})
    shown: dict[str, dict[str, str]] = {
        title: {}
        for title in (
            "Requests per second",
            "Failed requests, %",
            "Wait, p95",
            "Requests waiting",
            "Tokens generated per second",
        )
    }
    for kind in used:
        metrics = table[kind]
        if metrics.requests and metrics.errors:
            name = family(table, "requests", metrics.requests)
            shown["Requests per second"][name] = rate_by_model(metrics.requests.select(*matchers), WINDOW)
            failed = failed_ratio(metrics.errors, metrics.requests, matchers, WINDOW)
            shown["Failed requests, %"][name] = f"{failed} * 100"
        role = "time_to_first_token" if metrics.time_to_first_token else "request_duration"
        wait: Metric | None = getattr(metrics, role)
        if wait:
            shown["Wait, p95"][family(table, role, wait)] = quantile(wait, 0.95, matchers, WINDOW, by="model")
        if metrics.queue_length:
            name = family(table, "queue_length", metrics.queue_length)
            shown["Requests waiting"][name] = f"sum by (model) ({metrics.queue_length.select(*matchers)})"
        if metrics.tokens_out:
            name = family(table, "tokens_out", metrics.tokens_out)
            shown["Tokens generated per second"][name] = rate_by_model(metrics.tokens_out.select(*matchers), WINDOW)
    units = {"Wait, p95": "s", "Failed requests, %": "%"}
    for title, queries in shown.items():
        if queries:
            yield _chart(title, [(query, "") for query in queries.values()], units.get(title, ""))


def _by_caller(plan: Plan) -> Iterator[Json]:
    """Yield charts with one line per caller: what each uses and costs, and what it is refused."""
    if plan.callers is None:
        return
    for title, used, unit, factor in (
        ("Requests per minute by caller", REQUESTS, "1/min", 60.0),
        ("Prompt tokens per minute by caller", "input", "1/min", 60.0),
        ("Generated tokens per minute by caller", "output", "1/min", 60.0),
        ("Cost by caller, USD per hour", COST, "USD", 3600 * plan.callers.unit_usd),
    ):
        rate = f"sum by (caller) (rate({used_by_callers(plan, used)}[{WINDOW}])) * {factor:g}"
        yield _chart(title, [(rate, "")], unit, stacked=True)
    refused = f"sum by (caller, limit) (increase({refused_callers(plan)}[{WINDOW}]))"
    yield _chart("Refused requests by caller and limit", [(refused, "")])


def _cluster(plan: Plan) -> Iterator[Json]:
    """Yield charts of replicas, nodes and cards. A pool's name shows its machine and capacity kind."""
    scope = scope_of(plan)
    yield _chart("Replicas ready", [(replicas(plan, plan.on_gke, ready=True), "")])
    yield _chart("Pods waiting for a node", [(pending_pods(plan), "")])
    pool = '"metadata_user_cloud.google.com/gke-nodepool"'
    nodes = f'count by ({pool}) ({{"__name__"="kubernetes.io/node/cpu/total_cores",{",".join(scope.nodes)}}})'
    yield _chart("Nodes by pool", [(nodes, "")], stacked=True)
    if any(pool.accelerator_kind is AcceleratorKind.GPU for pool in plan.pools):
        cluster = f'cluster="{plan.target.cluster_name}"'
        busy = f"avg by (modelName) (DCGM_FI_DEV_GPU_UTIL{{{cluster}}})"
        used, free = (f"sum by (modelName) (DCGM_FI_DEV_FB_{part}{{{cluster}}})" for part in ("USED", "FREE"))
        yield _chart("GPU utilization by card", [(busy, "")], "%")
        memory = f"{used} / ({used} + {free}) * 100"
        yield _chart("GPU memory in use by card", [(memory, "")], "%")
    restarts = (
        f"sum by (pod_name) (increase(kubernetes_io:container_restart_count{{{','.join(scope.system)}}}[{WINDOW}]))"
    )
    yield _chart("Restarts", [(restarts, "")])
