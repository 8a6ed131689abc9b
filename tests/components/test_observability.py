# SPDX-License-Identifier: Apache-2.0
"""Observability registers what its plan says: scraping, dashboards, policies, channels and the budget."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

from pulumi_hubstack import Fleet, FleetArgs
from pulumi_hubstack.observability import Observability, ObservabilityArgs

from hubstack.deploy.monitoring import list_alerts, list_dashboards, pod_monitorings
from hubstack.plan import Plan
from hubstack.plan.settings import Money, MonitoringPlan
from tests.components.recorder import Recorded, record
from tests.support.observed import observed_plan
from tests.support.plans import complete

POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
BUDGET = "gcp:billing/budget:Budget"
THEIRS = "projects/acme/notificationChannels/123"


def watched(plan: Plan) -> Recorded:
    assert plan.monitoring
    args = ObservabilityArgs(
        target=plan.target,
        monitoring=plan.monitoring,
        pod_monitorings=pod_monitorings(plan),
        dashboards=list_dashboards(plan),
        alerts=list_alerts(plan),
        project_number="42",
        after=(),
    )
    return record(lambda: Observability("observability", args))


@cache
def build(monitoring: MonitoringPlan = MonitoringPlan()) -> Recorded:  # noqa: B008  frozen
    return watched(observed_plan(monitoring))


def policy(name: str, monitoring: MonitoringPlan = MonitoringPlan()) -> dict[str, Any]:  # noqa: B008
    return build(monitoring).one(POLICY, f"observability-{name}").inputs


def test_a_stack_has_a_dashboard_and_one_for_each_model() -> None:
    boards = build().of_type("gcp:monitoring/dashboard:Dashboard")
    assert [board.name for board in boards] == [
        "chat-dashboard",
        "embed-dashboard",
        "gated-dashboard",
        "observability-stack",
        "tpu-dashboard",
    ]
    assert json.loads(boards[0].inputs["dashboardJson"])["displayName"] == "hubstack test: chat"


def test_without_settings_policies_are_there_and_tell_nobody() -> None:
    assert len(build().of_type(POLICY)) == 8
    assert build().of_type(CHANNEL) == []
    assert build().of_type(BUDGET) == []
    assert not policy("pending").get("notificationChannels")


def test_a_query_and_a_log_entry_are_conditions_of_their_kinds() -> None:
    asked, logged = policy("pending"), policy("preempted")
    condition = asked["conditions"][0]["conditionPrometheusQueryLanguage"]
    assert condition["duration"] == "900s"
    assert condition["disableMetricValidation"] is True, "the first server has not exported anything yet"
    assert "notificationRateLimit" not in asked["alertStrategy"], "the API takes it for logs only"
    assert logged["alertStrategy"]["notificationRateLimit"] == {"period": "3600s"}
    assert set(logged["conditions"][0]) == {"conditionMatchedLog", "displayName"}


def test_every_policy_tells_every_address_and_channel() -> None:
    told = MonitoringPlan(emails=("ops@example.org",), channels=(THEIRS,))
    recorded = build(told)
    channel = recorded.of_type(CHANNEL)[0]
    assert channel.name.startswith("observability-ops-example-org-")
    assert channel.inputs["labels"] == {"email_address": "ops@example.org"}
    for each in recorded.of_type(POLICY):
        assert THEIRS in each.inputs["notificationChannels"]
        assert len(each.inputs["notificationChannels"]) == 2


def test_two_addresses_with_one_slug_are_two_channels() -> None:
    assert len(build(MonitoringPlan(emails=("a.b@example.org", "a-b@example.org"))).of_type(CHANNEL)) == 2


def test_the_budget_warns_at_half_nine_tenths_all_and_when_it_will_be_passed() -> None:
    inputs = (
        build(MonitoringPlan(billing_account="0A1B2C-3D4E5F-678901", budget_usd_per_month=5000)).one(BUDGET).inputs
    )
    assert inputs["amount"] == {"specifiedAmount": {"currencyCode": "USD", "units": "5000"}}
    rules = [(rule["thresholdPercent"], rule["spendBasis"]) for rule in inputs["thresholdRules"]]
    assert rules == [(0.5, "CURRENT_SPEND"), (0.9, "CURRENT_SPEND"), (1, "CURRENT_SPEND"), (1, "FORECASTED_SPEND")]
    assert inputs["budgetFilter"] == {"projects": ["projects/42"], "labels": {"hubstack-stack": "test"}}


def fleet(monitoring: MonitoringPlan | None) -> Recorded:
    plan = observed_plan(monitoring)
    if monitoring is None:
        plan = type(plan)(**{**{name: getattr(plan, name) for name in plan.__slots__}, "monitoring": None})
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def test_a_fleet_is_watched_and_its_cluster_collects_what_the_alerts_read() -> None:
    recorded = fleet(MonitoringPlan())
    assert recorded.component("hubstack:observability:Observability")[0].name == "observability"
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs["monitoringConfig"]
    assert cluster["enableComponents"] == ["SYSTEM_COMPONENTS", "DCGM", "POD", "DEPLOYMENT"]


def test_switched_off_a_fleet_has_none_of_it() -> None:
    recorded = fleet(None)
    assert recorded.of_type("hubstack:observability:Observability") == []
    cluster = recorded.one("gcp:container/cluster:Cluster").inputs["monitoringConfig"]
    assert cluster["enableComponents"] == ["SYSTEM_COMPONENTS", "DCGM"]


def test_the_alert_is_in_the_account_s_currency() -> None:
    euros = MonitoringPlan(billing_account="0A1B2C-3D4E5F-678901", budget=Money(units=5000, currency="EUR"))
    amount = build(euros).one(BUDGET).inputs["amount"]["specifiedAmount"]
    assert amount == {"currencyCode": "EUR", "units": "5000"}


def test_the_billing_api_is_turned_on_for_a_budget_only() -> None:
    budget = MonitoringPlan(billing_account="0A1B2C-3D4E5F-678901", budget_usd_per_month=5000)
    names = [
        [r.name for r in fleet(each).of_type("gcp:projects/service:Service")] for each in (MonitoringPlan(), budget)
    ]
    assert ["api-billingbudgets" in each for each in names] == [False, True]


def test_beside_a_cluster_only_the_budget_watches() -> None:
    light = tuple(replace(model, has_nodes=False) for model in observed_plan().models)
    budget = MonitoringPlan(billing_account="0A1B2C-3D4E5F-678901", budget_usd_per_month=5000)
    recorded = watched(replace(observed_plan(budget), models=light))
    assert [r.type for r in recorded.resources.values()] == ["hubstack:observability:Observability", BUDGET]
