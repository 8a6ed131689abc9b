# SPDX-License-Identifier: Apache-2.0
"""Which alerts a plan has, and what they say to whoever is woken."""

import re
from dataclasses import replace
from pathlib import Path

from hubstack.catalog import load_catalog
from hubstack.deploy.monitoring import Alert, list_alerts, pod_monitorings, state_metrics
from hubstack.deploy.monitoring.alerts import _runbook
from hubstack.kinds import CapacityKind, EngineKind
from hubstack.plan import Plan
from tests.support.observed import observed_plan, with_level
from tests.support.plans import CHAT, EMBED, with_callers

TABLE = load_catalog().engine_metrics
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "concepts" / "monitoring.md"


def alerts(plan: Plan) -> dict[str, Alert]:
    return {alert.key: alert for alert in list_alerts(plan)}


def test_a_stack_has_these_alerts() -> None:
    assert sorted(alerts(observed_plan())) == [
        "load-failed",
        "pending",
        "preempted",
        "slo-errors-tei-1",
        "slo-errors-vllm-1",
        "slo-latency-tei-2-876s-95",
        "slo-latency-vllm-2-5s-95",
        "unavailable",
    ]


def test_two_hundred_models_have_no_more_alerts_than_two() -> None:
    plan = observed_plan()
    many = tuple(replace(plan.models[at % 4], key=f"model-{at:03}") for at in range(200))
    assert set(alerts(replace(plan, models=many))) == set(alerts(plan))


def test_models_that_are_promised_something_else_have_an_alert_of_their_own() -> None:
    plan = observed_plan()
    slower = with_level(replace(CHAT, key="batch"), EngineKind.VLLM, seconds=30, percent=99)
    found = alerts(replace(plan, models=(*plan.models, slower)))
    assert 'model="batch"' in str(found["slo-latency-vllm-40s-99"].query)
    assert 'model=~"chat|gated|tpu"' in str(found["slo-latency-vllm-2-5s-95"].query)
    assert "40 s" in found["slo-latency-vllm-40s-99"].documentation


def test_an_engine_that_measures_nothing_has_no_alert_on_it() -> None:
    only = with_level(CHAT, EngineKind.LLAMA_CPP)
    found = alerts(replace(observed_plan(), models=(only,)))
    assert not [key for key in found if key.startswith("slo")]
    assert "pending" in found


def test_without_spot_pools_no_one_waits_for_preemptions() -> None:
    plan = observed_plan()
    bought = tuple(pool for pool in plan.pools if pool.capacity is not CapacityKind.SPOT)
    assert "preempted" not in alerts(replace(plan, pools=bought))


def test_a_stack_that_may_rest_is_never_unavailable() -> None:
    assert "unavailable" not in alerts(replace(observed_plan(), models=(observed_plan().models[0],)))


def test_a_slow_load_is_waited_for() -> None:
    plan = observed_plan()
    slow = replace(plan.models[1], server=replace(plan.models[1].server, load_seconds=3000))
    assert slow.key == EMBED.key
    assert alerts(replace(plan, models=(slow,)))["unavailable"].duration_seconds == 3600


def test_switched_off_there_is_nothing() -> None:
    off = replace(observed_plan(), monitoring=None)
    assert list_alerts(off) == ()
    assert state_metrics(off) == ()


def test_every_alert_says_what_to_do_and_where_more_is_written() -> None:
    headings = {
        re.sub(r"[^a-z-]", "", line[3:]) for line in GUIDE.read_text().splitlines() if line.startswith("## ")
    }
    for alert in alerts(with_callers(observed_plan())).values():
        link = re.search(r"docs/concepts/monitoring\.md#([a-z-]+)", alert.documentation)
        assert link
        assert link.group(1) in headings
        assert len(alert.documentation) < 8192, "the API's limit"
        assert (alert.query is None) is (alert.log_filter is not None)


def test_every_section_of_the_runbook_is_used() -> None:
    plans = (observed_plan(), with_callers(observed_plan()))
    found = [alert for plan in plans for alert in alerts(plan).values()]
    used = {re.findall(r"#([a-z-]+)", alert.documentation)[-1] for alert in found}
    assert used == set(_runbook())


def test_the_servers_of_all_models_are_scraped_by_one_object() -> None:
    found = pod_monitorings(observed_plan())
    assert list(found) == ["servers"]
    spec = found["servers"]["spec"]
    assert spec["selector"] == {"matchLabels": {"app.kubernetes.io/name": "server"}}
    assert spec["targetLabels"]["fromPod"] == [{"from": "app.kubernetes.io/instance", "to": "model"}]
    assert spec["endpoints"][0]["port"] == "http"
    assert spec["endpoints"][0]["path"] == "/metrics"


def test_no_metric_of_the_table_is_dropped_when_it_is_scraped() -> None:
    regex = pod_monitorings(observed_plan())["servers"]["spec"]["endpoints"][0]["metricRelabeling"][0]["regex"]
    for metrics in TABLE.values():
        for role in ("time_to_first_token", "request_duration", "requests", "errors", "queue_length", "tokens_out"):
            metric = getattr(metrics, role)
            assert metric is None or not re.fullmatch(regex, metric.name)
    assert re.fullmatch(regex, "python_gc_objects_collected_total")


def test_another_metrics_path_has_an_object_of_its_own() -> None:
    plan = observed_plan()
    odd = replace(plan.models[0], server=replace(plan.models[0].server, metrics_path="/stats"))
    found = pod_monitorings(replace(plan, models=(odd, *plan.models[1:])))
    assert sorted(found) == ["servers", "servers-stats"]
    assert found["servers-stats"]["spec"]["selector"]["matchExpressions"][0]["values"] == ["chat"]
    assert found["servers"]["spec"]["selector"]["matchExpressions"][0]["values"] == ["embed", "gated", "tpu"]
