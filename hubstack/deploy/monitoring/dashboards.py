# SPDX-License-Identifier: Apache-2.0
"""Dashboards of Cloud Monitoring: one of the stack, one of each model, in the API's own field names.

Owns which charts there are and where they stand. A chart whose metric the engine lacks is left out, and the text
at the top says why. Form: monitoring.googleapis.com v1, `Dashboard` (discovery document in google-api-python-client
2.202.0).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hubstack import names
from hubstack.catalog import EngineMetrics, Metric
from hubstack.deploy.manifests import server_name
from hubstack.deploy.monitoring.alerts import BURNS, RUNBOOK, family
from hubstack.deploy.monitoring.queries import (
    failed_ratio,
    pending_pods,
    pods_of,
    quantile,
    rate_by_model,
    replicas,
    scope_of,
    slow_ratio,
)
from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.plan import ModelPlan, Plan

COLUMNS, WIDTH, HEIGHT, TEXT_HEIGHT = 48, 16, 14, 10
WINDOW = "${__interval}"
"""Cloud Monitoring puts the chart's own step here."""
Json = dict[str, Any]
Series = tuple[str, str]
"""A query and its legend; without one the chart names a line by its labels."""
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


def model_dashboard(plan: Plan, model: ModelPlan, table: Mapping[EngineKind, EngineMetrics]) -> Json:
    """Return the dashboard of one model."""
    metrics = table[model.server.engine]
    charts = [*_requests(plan, model, metrics), *_load(plan, model, metrics), *_pods(plan, model)]
    return _dashboard(f"hubstack {plan.target.stack}: {model.key}", _model_text(model, metrics), charts)


def stack_dashboard(plan: Plan, table: Mapping[EngineKind, EngineMetrics]) -> Json:
    """Return the dashboard of the stack: every model a line, and the nodes."""
    charts = [*_by_model(plan, table), *_cluster(plan)]
    title = f"hubstack {plan.target.stack}"
    text = f"{len(plan.on_gke)} models in {plan.target.region}. Each has a dashboard of its own: `{title}: KEY`."
    return _dashboard(title, f"{text} What alerts mean: {RUNBOOK}.", charts)


def _dashboard(title: str, text: str, charts: list[Json]) -> Json:
    tiles: list[Json] = [
        {"xPos": 0, "yPos": 0, "width": COLUMNS, "height": TEXT_HEIGHT,
         "widget": {"title": title, "text": {"content": text, "format": "MARKDOWN"}}}
    ]  # fmt: skip
    across = COLUMNS // WIDTH
    for at, chart in enumerate(charts):
        place = {"xPos": at % across * WIDTH, "yPos": TEXT_HEIGHT + at // across * HEIGHT}
        tiles.append({**place, "width": WIDTH, "height": HEIGHT, "widget": chart})
    return {"displayName": title, "mosaicLayout": {"columns": COLUMNS, "tiles": tiles}}


def _chart(
    title: str, series: Iterable[Series], unit: str = "", line: tuple[float, str] | None = None, *,
    stacked: bool = False,
) -> Json:  # fmt: skip
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
    promised = next((reason.text for reason in model.reasons if reason.topic == "slo"), "nothing")
    lines = [f"{model.id} at `{model.commit[:12]}`, {metrics.engine} on {on}.", f"Promised: {promised}."]
    lines += [f"No chart of {role.replace('_', ' ')}: {why}." for role, why in sorted(metrics.absent.items())]
    if model.servers_per_accelerator > 1:
        lines.append("No chart of the accelerator: of a shared card Google exports nothing by container.")
    return "  \n".join([*lines, f"What alerts mean: {RUNBOOK}."])


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
        yield _chart("Time of a request", whole, "s", None if first else line)
    if metrics.requests and metrics.errors:
        every = rate_by_model(metrics.requests.select(*matchers), WINDOW)
        failed = rate_by_model(metrics.errors.select(*matchers), WINDOW)
        yield _chart("Requests a second", [(every, "all"), (failed, "failed")], "1/s")
    burning = list(_burning(model, metrics, matchers))
    if burning:
        (rate, long, _), _ = BURNS
        yield _chart(f"Budget burnt over {long}, of what a month allows", burning, "times", (rate, "alert"))


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
        yield _chart("Tokens a second", series, "1/s")


def _pods(plan: Plan, model: ModelPlan) -> Iterator[Json]:
    wanted, ready = (replicas(plan, [model], ready=flag) for flag in (False, True))
    yield _chart("Replicas", [(wanted, "wanted"), (ready, "ready")])
    inside = ",".join((*scope_of(plan).system, f'pod_name=~"{pods_of(model)}"'))
    if model.servers_per_accelerator == 1:
        kind = "chip" if model.accelerator_kind is AcceleratorKind.TPU else "card"
        busy = f"avg by (pod_name) (kubernetes_io:container_accelerator_duty_cycle{{{inside}}})"
        yield _chart(f"Time that the {kind}s compute", [(busy, "")], "%")
        used, total = (f"sum by (pod_name) (kubernetes_io:container_accelerator_memory_{part}{{{inside}}})"
                       for part in ("used", "total"))  # fmt: skip
        yield _chart(f"Memory of the {kind}s in use", [(f"{used} / {total} * 100", "")], "%")
    restarts = f"sum(increase(kubernetes_io:container_restart_count{{{inside}}}[{WINDOW}]))"
    yield _chart("Restarts", [(restarts, "restarts")])


def _by_model(plan: Plan, table: Mapping[EngineKind, EngineMetrics]) -> Iterator[Json]:
    """Charts with every model a line; one query for each family of engines."""
    matchers = scope_of(plan).prometheus
    used = sorted({model.server.engine for model in plan.on_gke})
    shown: dict[str, dict[str, str]] = {
        title: {} for title in ("Requests a second", "Failed requests, %", "Wait, p95", "Requests waiting",
                                "Tokens made a second")
    }  # fmt: skip
    for kind in used:
        metrics = table[kind]
        if metrics.requests and metrics.errors:
            name = family(table, "requests", metrics.requests)
            shown["Requests a second"][name] = rate_by_model(metrics.requests.select(*matchers), WINDOW)
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
            shown["Tokens made a second"][name] = rate_by_model(metrics.tokens_out.select(*matchers), WINDOW)
    units = {"Wait, p95": "s", "Failed requests, %": "%"}
    for title, queries in shown.items():
        if queries:
            yield _chart(title, [(query, "") for query in queries.values()], units.get(title, ""))


def _cluster(plan: Plan) -> Iterator[Json]:
    """Charts of replicas, nodes and cards. A pool's name says what it is and how it is bought."""
    scope = scope_of(plan)
    yield _chart("Replicas ready", [(replicas(plan, plan.on_gke, ready=True), "")])
    yield _chart("Pods that wait for a node", [(pending_pods(plan), "")])
    pool = '"metadata_user_cloud.google.com/gke-nodepool"'
    nodes = f'count by ({pool}) ({{"__name__"="kubernetes.io/node/cpu/total_cores",{",".join(scope.nodes)}}})'
    yield _chart("Nodes by pool", [(nodes, "")], stacked=True)
    if any(pool.accelerator_kind is AcceleratorKind.GPU for pool in plan.pools):
        cluster = f'cluster="{names.cluster_name(plan.target.stack)}"'
        busy = f"avg by (modelName) (DCGM_FI_DEV_GPU_UTIL{{{cluster}}})"
        used, free = (f"sum by (modelName) (DCGM_FI_DEV_FB_{part}{{{cluster}}})" for part in ("USED", "FREE"))
        yield _chart("GPU time in use, by card", [(busy, "")], "%")
        memory = f"{used} / ({used} + {free}) * 100"
        yield _chart("GPU memory in use, by card", [(memory, "")], "%")
    restarts = (
        f"sum by (pod_name) (increase(kubernetes_io:container_restart_count{{{','.join(scope.system)}}}[{WINDOW}]))"
    )
    yield _chart("Restarts", [(restarts, "")])
