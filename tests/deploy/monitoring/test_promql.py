# SPDX-License-Identifier: Apache-2.0
"""Queries under Prometheus' own engine: each parses, and alerts fire when they must and only then.

Proves nothing about Google's evaluation of them, nor that an engine exports these series.
"""

import json
from dataclasses import replace
from functools import cache

import pytest

from hubstack.deploy.monitoring import list_alerts
from hubstack.deploy.monitoring.dashboards import model_dashboard, stack_dashboard
from hubstack.kinds import EngineKind
from hubstack.plan import Plan
from hubstack.plan.settings import MonitoringPlan
from tests.support.observed import observed_plan, with_level
from tests.support.plans import CHAT
from tests.support.promql_engine import ask

HERE = 'cluster="hubstack-test",namespace="models"'
HOURS = 3600


def queries(plan: Plan) -> list[str]:
    boards = [stack_dashboard(plan), *(model_dashboard(plan, model) for model in plan.models)]
    charted = [
        data["timeSeriesQuery"]["prometheusQuery"].replace("${__interval}", "1m")
        for board in boards
        for tile in board["mosaicLayout"]["tiles"]
        for data in tile["widget"].get("xyChart", {}).get("dataSets", ())
    ]
    return charted + [alert.query for alert in list_alerts(plan) if alert.query]


def test_every_query_of_every_engine_is_promql() -> None:
    plan = observed_plan()
    models = [with_level(replace(CHAT, key=f"m-{kind}"), kind) for kind in EngineKind]
    models += [with_level(replace(CHAT, key="wide", hosts=2), EngineKind.VLLM)]
    found = queries(replace(plan, models=(*plan.models, *models)))
    assert len(found) > 100
    for query, answer in zip(found, ask((query, 0) for query in found), strict=True):
        assert not answer.error, f"{answer.error}: {query}"


def test_a_query_that_is_not_promql_is_seen() -> None:
    assert ask([("sum by (model (rate(x[5m])))", 0)])[0].error


@cache
def alert(key: str) -> str:
    return next(each.query or "" for each in list_alerts(observed_plan()) if each.key.startswith(key))


def latency(fast: str, count: str, model: str = "chat") -> str:
    name = "vllm:time_to_first_token_seconds"
    return (
        f'load 1m\n  {name}_bucket{{{HERE},model="{model}",le="2.5"}} {fast}\n'
        f'  {name}_count{{{HERE},model="{model}"}} {count}\n'
    )


SLO_CASES = [
    # Sixty requests a minute. The budget is 5 %: 14.4 of it are 72 %, 6 of it 30 %.
    pytest.param("0+60x400", "0+60x400", 400, False, id="all-fast"),
    pytest.param("0+57x400", "0+60x400", 400, False, id="five-percent-slow-is-the-budget-itself"),
    pytest.param("0+15x400", "0+60x400", 400, True, id="three-quarters-slow-for-hours"),
    pytest.param("0+60x300 18000+10x100", "0+60x400", 400, True, id="five-sixths-slow-for-an-hour-and-more"),
    pytest.param("0+60x330 19800+30x70", "0+60x400", 400, False, id="half-slow-for-an-hour-burns-too-slowly"),
    pytest.param("0+60x390 23400+0x10", "0+60x400", 400, False, id="ten-bad-minutes"),
    pytest.param("0+10x300 3000+60x100", "0+60x400", 400, False, id="bad-but-over-for-more-than-an-hour"),
    pytest.param("0+36x400", "0+60x400", 400, True, id="forty-percent-slow-burns-slowly"),
    pytest.param("0+0x400", "0+0.05x400", 400, False, id="three-slow-requests-an-hour-are-too-few"),
]


@pytest.mark.parametrize(("fast", "count", "minute", "fires"), SLO_CASES)
def test_the_latency_alert_fires_when_the_budget_burns(fast: str, count: str, minute: int, fires: bool) -> None:
    answer = ask([(alert("slo-latency-vllm"), minute * 60)], latency(fast, count))[0]
    assert not answer.error
    assert ("chat" in answer.values) is fires


def test_the_latency_alert_names_the_model_that_is_slow_and_no_other() -> None:
    both = latency("0+0x400", "0+60x400") + latency("0+60x400", "0+60x400", "gated").removeprefix("load 1m\n")
    assert set(ask([(alert("slo-latency-vllm"), 400 * 60)], both)[0].values) == {"chat"}


def test_another_stack_of_the_project_is_not_looked_at() -> None:
    theirs = latency("0+0x400", "0+60x400").replace("hubstack-test", "hubstack-prod")
    assert ask([(alert("slo-latency-vllm"), 400 * 60)], theirs)[0].values == {}


@pytest.mark.parametrize("bucket", ['le="1.0"', 'le="1"'])
def test_a_whole_bucket_is_found_however_it_is_written(bucket: str) -> None:
    model = with_level(replace(CHAT, key="chat"), EngineKind.VLLM, seconds=1.0)
    query = next(a.query for a in list_alerts(replace(observed_plan(), models=(model,))) if "latency" in a.key)
    series = latency("0+60x400", "0+60x400").replace('le="2.5"', bucket)
    slow = latency("0+0x400", "0+60x400").replace('le="2.5"', bucket)
    assert query
    assert [bool(ask([(query, 400 * 60)], text)[0].values) for text in (series, slow)] == [False, True]


@pytest.mark.parametrize(
    ("failed", "every", "fires"),
    [
        ("0+0x400", "0+60x400", False),
        ("0+0.5x400", "0+60x400", False),
        ("0+12x400", "0+48x400", True),
        ("0+6x400", "0+54x400", True),
    ],
)
def test_the_error_alert_counts_the_server_s_own_faults(failed: str, every: str, fires: bool) -> None:
    line = f'http_requests_total{{{HERE},model="chat",method="POST",handler="/v1/chat/completions"'
    load = f'load 1m\n  {line},status="5xx"}} {failed}\n  {line},status="2xx"}} {every}\n'
    answer = ask([(alert("slo-errors-vllm"), 400 * 60)], load)[0]
    assert not answer.error
    assert bool(answer.values) is fires


def test_a_caller_s_own_mistakes_are_no_errors() -> None:
    line = f'http_requests_total{{{HERE},model="chat",method="POST",handler="/v1/chat/completions"'
    load = f'load 1m\n  {line},status="4xx"}} 0+60x400\n  {line},status="2xx"}} 0+1x400\n'
    assert ask([(alert("slo-errors-vllm"), 400 * 60)], load)[0].values == {}


def test_pending_pods_are_told_apart_by_model() -> None:
    plan = observed_plan()
    plan = replace(plan, models=(*plan.models, replace(CHAT, key="wide-2", hosts=2)))
    query = next(each.query for each in list_alerts(plan) if each.key == "pending")
    pods = {
        "chat-7d9c6b9f5-abcde": 1,
        "chat-7d9c6b9f5-fghij": 1,
        "embed-64f8b7c9dd-xkcdz": 0,
        "wide-2-0": 1,
        "wide-2-0-1": 1,
        "chat-load-1a2b3c4d-zzzzz": 0,
    }
    lines = [f'  kube_pod_status_unschedulable{{{HERE},pod="{pod}"}} {value}x30' for pod, value in pods.items()]
    assert query
    assert ask([(query, 1200)], "load 1m\n" + "\n".join(lines) + "\n")[0].values == {"chat": 2, "wide-2": 2}


def test_a_model_that_must_run_and_has_no_ready_replica_is_named() -> None:
    query = alert("unavailable")
    series = {"embed": 0, "gated": 1, "chat": 0}
    lines = [
        f'  kube_deployment_status_replicas_available{{{HERE},deployment="{key}"}} {value}x30'
        for key, value in series.items()
    ]
    found = ask([(query, 1200)], "load 1m\n" + "\n".join(lines) + "\n")[0].values
    assert found == {"embed": 0}, "chat may rest at zero; gated is ready"


def test_a_dashboard_is_json_of_the_same_text_each_time() -> None:
    plan = replace(observed_plan(), monitoring=MonitoringPlan())
    assert json.dumps(stack_dashboard(plan)) == json.dumps(stack_dashboard(plan))
