# SPDX-License-Identifier: Apache-2.0
"""What carries scaling out: KEDA's objects, the way to a resting model, the charts.

That an API server takes them is for the sandbox to prove.
"""

from dataclasses import replace

import pytest

from hubstack.deploy import manifests
from hubstack.deploy.manifests import scaling
from hubstack.plan import ModelPlan
from hubstack.planner.serving.routing import endpoint_of
from tests.support.plans import BUSY, CHAT, EMBED, RESTING, SCALING, make_plan, with_models

PLAN = with_models(RESTING, BUSY)
WAKE = "chat-wake.models.svc.cluster.local"


def spec(model: ModelPlan) -> dict:
    return manifests.scaled_object(PLAN.target, model)["spec"]


def triggers(model: ModelPlan) -> dict[str, dict]:
    return {trigger["name"]: trigger for trigger in spec(model)["triggers"]}


def test_bounds_and_rest_are_the_plans() -> None:
    assert (spec(RESTING)["minReplicaCount"], spec(RESTING)["maxReplicaCount"]) == (0, 2)
    assert spec(RESTING)["cooldownPeriod"] == 900


def test_the_scaler_counts_groups_where_a_replica_spans_nodes() -> None:
    assert spec(BUSY)["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gated"}
    wide = spec(replace(BUSY, hosts=2))["scaleTargetRef"]
    assert wide == {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "gated-group"}


def test_only_a_resting_model_is_scaled_by_requests_at_the_interceptor() -> None:
    assert list(triggers(BUSY)) == ["queue", "kv-cache"]
    assert list(triggers(RESTING)) == ["queue", "kv-cache", "requests"]
    assert triggers(RESTING)["requests"]["metadata"]["interceptorRoute"] == "chat"
    assert triggers(RESTING)["requests"]["type"] == "external-push", (
        "a poll would let the first request wait longer"
    )


def test_metrics_come_from_the_projects_managed_prometheus() -> None:
    queue = triggers(BUSY)["queue"]
    assert queue["metadata"]["serverAddress"].startswith(
        "https://monitoring.googleapis.com/v1/projects/acme-models-test/"
    )
    auth = manifests.trigger_authentication(PLAN.target)
    assert queue["authenticationRef"]["name"] == auth["metadata"]["name"]
    assert auth["metadata"]["namespace"] == "models", "it is looked for beside the scaler"
    assert auth["spec"] == {"podIdentity": {"provider": "gcp"}}, "no key"


def test_missing_figures_are_an_error_only_of_a_model_that_always_runs() -> None:
    assert triggers(RESTING)["queue"]["metadata"]["ignoreNullValues"] == "true"
    assert triggers(BUSY)["queue"]["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize("model", [RESTING, BUSY], ids=lambda model: model.key)
def test_without_figures_what_runs_stays(model: ModelPlan) -> None:
    fallback = spec(model)["fallback"]
    assert fallback["behavior"] == "currentReplicasIfHigher"
    assert fallback["replicas"] == 1, "KEDA takes a fallback of zero for none and would stop a busy model"


def test_replicas_go_slowly_and_are_at_most_doubled_while_the_last_ones_load() -> None:
    behavior = spec(RESTING)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert {policy["periodSeconds"] for policy in behavior["scaleUp"]["policies"]} == {SCALING.settle_seconds}
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300


def test_every_number_in_a_triggers_metadata_is_text() -> None:
    for model in (RESTING, BUSY):
        for trigger in triggers(model).values():
            assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_a_request_is_held_as_long_as_the_plan_says_and_then_answered_for_up_to_an_hour() -> None:
    timeouts = manifests.interceptor_route(PLAN.target, RESTING)["spec"]["timeouts"]
    assert timeouts == {"readiness": "1500s", "responseHeader": "3600s", "request": "5100s"}


def test_the_interceptor_knows_a_model_by_the_names_that_callers_use() -> None:
    (rule,) = manifests.interceptor_route(PLAN.target, RESTING)["spec"]["rules"]
    assert rule["hosts"] == [
        "chat.models.svc.cluster.local",
        "chat-wake",
        "chat-wake.models",
        "chat-wake.models.svc",
        WAKE,
    ]


def test_the_route_ends_at_the_servers_own_service() -> None:
    target, service = (
        manifests.interceptor_route(PLAN.target, RESTING)["spec"]["target"],
        manifests.service(PLAN.target, RESTING),
    )
    assert target["service"] == service["metadata"]["name"]
    assert target["port"] in [port["port"] for port in service["spec"]["ports"]]


def test_a_resting_models_address_leads_to_the_interceptor_and_any_others_to_its_servers() -> None:
    assert endpoint_of(RESTING, "models") == f"http://{WAKE}:8080/v1"
    assert endpoint_of(BUSY, "models") == "http://gated.models.svc.cluster.local/v1"
    assert endpoint_of(CHAT, "models") == "http://chat.models.svc.cluster.local/v1", "scaled by hand"
    service = manifests.activation_service(PLAN.target, RESTING)
    assert service["metadata"]["name"] == WAKE.split(".", maxsplit=1)[0]
    assert service["spec"]["externalName"] == "keda-add-ons-http-interceptor-proxy.keda.svc.cluster.local"


def test_a_model_that_is_not_scaled_has_no_scaler() -> None:
    with pytest.raises(ValueError, match="embed is not autoscaled"):
        manifests.scaled_object(PLAN.target, EMBED)


def test_the_interceptor_may_reach_the_servers_only_where_a_model_rests() -> None:
    def callers(plan: object) -> list[dict]:
        return manifests.callers(plan)["spec"]["ingress"][0]["from"]  # type: ignore[arg-type]

    (new,) = [caller for caller in callers(PLAN) if caller not in callers(make_plan())]
    assert new["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "keda"}
    assert new["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "interceptor", (
        "not KEDA's other pods"
    )
    assert callers(with_models(BUSY)) == callers(make_plan())


def test_an_interceptor_that_stops_keeps_its_requests_for_the_longest_cold_start() -> None:
    longest = replace(RESTING, key="second", scaling=replace(RESTING.scaling, activation_timeout_seconds=4000))  # type: ignore[type-var]
    plan = replace(PLAN, models=(*PLAN.models, longest))
    values = manifests.http_add_on_chart("keda", manifests.max_activation_timeout(plan)).values["interceptor"]
    assert values["drainTimeout"] == values["readinessTimeout"] == "4000s"
    assert values["terminationGracePeriodSeconds"] > 4000
    assert values["replicas"]["min"] >= 2, "one goes, the other takes new requests"


CHARTS = (manifests.keda_chart(), manifests.http_add_on_chart("keda", 1500), manifests.lws_chart())


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.release)
def test_charts_are_pinned_and_their_namespaces_restricted(chart: manifests.Chart) -> None:
    assert all(part.isdigit() for part in chart.version.split("."))
    assert (chart.repository is None) == chart.chart.startswith("oci://")
    labels = manifests.chart_namespace(chart.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_keda_scales_only_kinds_that_models_are_made_of_and_reads_no_secrets() -> None:
    values = manifests.keda_chart().values
    kinds = values["rbac"]["scaledRefKinds"]
    assert kinds == [{"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}], (
        "Deployments it may anyway"
    )
    assert all(part["restrict"]["secret"] for part in values["permissions"].values())


def test_the_control_plane_reaches_kedas_servers_through_gkes_firewall() -> None:
    values = manifests.keda_chart().values
    assert {values["service"]["portHttpsTarget"], values["webhooks"]["port"]} == {10250}


def test_every_name_of_a_host_is_of_the_models_namespace() -> None:
    plan = replace(PLAN, target=replace(PLAN.target, namespace="team-a"))
    assert all("models" not in host for host in scaling.hosts(plan.target, RESTING))
    assert "chat-wake.team-a.svc.cluster.local" in scaling.hosts(plan.target, RESTING)
