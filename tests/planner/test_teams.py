# SPDX-License-Identifier: Apache-2.0
"""Teams: which models are theirs, what their namespaces have, and what a quota allows."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from hubstack.deploy import manifests
from hubstack.deploy import monitoring as observability
from hubstack.deploy.callers.pods import callers_objects
from hubstack.deploy.manifests.network import CLIENT_LABEL, NAMESPACE_LABEL, SERVERS
from hubstack.files.errors import InputError, PlanError
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.plan import ModelPlan, Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.report.labels import label_table
from tests.support.golden import environment

TEAMS: dict[str, Any] = {
    "search": {"owner": "search@example.com", "quota": {"l4": 2}, "priority": 100, "labels": {"cost-center": "12"}},
    "chat": {},
}
OF = {"qwen3-embedding-0-6b": "search", "qwen3-4b-instruct-2507": "chat"}


def settings(teams: dict[str, Any] | None = None, **others: str) -> StackSettings:
    told = {"gcp:project": "acme-models", "gcp:region": "us-central1", "hubstack:labels": '{"cost-center": "77"}'}
    told |= {"hubstack:teams": json.dumps(TEAMS if teams is None else teams)}
    return read_settings("dev", told | {f"hubstack:{key}": value for key, value in others.items()})


def planned(teams: dict[str, Any] | None = None, of: dict[str, str] | None = None, **others: str) -> Plan:
    inputs = StackInputs.load(environment("quickstart"))
    owners = OF if of is None else of
    models = tuple(
        model.changed(team=owners[model.key]) if model.key in owners else model for model in inputs.request.models
    )
    return plan_inputs(
        replace(inputs, target=settings(teams, **others), request=replace(inputs.request, models=models))
    )


def model_of(plan: Plan, team: str | None) -> ModelPlan:
    (found,) = (model for model in plan.models if model.team == team)
    return found


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned()


def test_each_team_has_a_namespace_and_every_object_of_its_models_is_there(plan: Plan) -> None:
    assert plan.target.namespaces == ("models", "models-chat", "models-search")
    for model in plan.models:
        target = plan.target_of(model)
        wanted = "models" if model.team is None else f"models-{model.team}"
        made = (
            manifests.deployment(target, model),
            manifests.service(target, model),
            manifests.loader_job(target, model),
            manifests.scaled_object(target, model),
        )
        assert {each["metadata"]["namespace"] for each in made} == {wanted}
        assert f".{wanted}.svc" in plan.endpoints[model.key]
        assert model.scaling
        assert all(f'namespace="{wanted}"' in each.query for each in model.scaling.triggers)


def test_a_namespace_names_its_team_and_its_owner(plan: Plan) -> None:
    home, chat, search = (manifests.namespace(part)["metadata"] for part in plan.by_namespace())
    assert "hubstack.dev/team" not in home["labels"]
    assert chat["labels"]["hubstack.dev/team"] == "chat"
    assert search["annotations"] == {"hubstack.dev/owner": "search@example.com"}


def test_labels_of_a_team_are_over_the_stacks_and_under_the_models(plan: Plan) -> None:
    model = model_of(plan, "search")
    pods = manifests.deployment(plan.target_of(model), model)["spec"]["template"]["metadata"]["labels"]
    assert (pods["team"], pods["cost-center"]) == ("search", "12")
    other = model_of(plan, "chat")
    pods = manifests.deployment(plan.target_of(other), other)["spec"]["template"]["metadata"]["labels"]
    assert (pods["team"], pods["cost-center"]) == ("chat", "77")


def test_only_clients_of_the_team_may_call_its_models(plan: Plan) -> None:
    for part in plan.by_namespace():
        policies = {each["metadata"]["name"]: each for each in manifests.network_policies(part)}
        (rule,) = policies["same-namespace"]["spec"]["ingress"]
        asked = [
            each["namespaceSelector"].get("matchLabels", {}) for each in rule["from"] if "namespaceSelector" in each
        ]
        team = part.target.team
        assert {CLIENT_LABEL: "true", **({"hubstack.dev/team": team.key} if team else {})} in asked
        assert ({CLIENT_LABEL: "true"} in asked) is (team is None)
        assert all(each["metadata"]["namespace"] == part.target.namespace for each in policies.values())


def test_no_rule_of_a_team_without_models_opens_every_port() -> None:
    plan = planned(of={})
    for part in plan.by_namespace():
        for policy in manifests.network_policies(part):
            spec = policy["spec"]
            rules = [*spec.get("ingress", []), *spec.get("egress", [])]
            assert all(rule["ports"] for rule in rules), policy["metadata"]["name"]


def test_a_quota_is_a_resource_quota_for_all_gpus(plan: Plan) -> None:
    quotas = {part.target.namespace: manifests.team_quota(part.target) for part in plan.by_namespace()}
    assert quotas["models"] is quotas["models-chat"] is None
    quota = quotas["models-search"]
    assert quota
    assert quota["spec"]["hard"] == {"requests.google.com/tpu": "0", "requests.nvidia.com/gpu": "2"}


def test_servers_of_a_team_with_a_priority_have_its_class(plan: Plan) -> None:
    classes = [manifests.team_priority(part.target) for part in plan.by_namespace()]
    (made,) = filter(None, classes)
    assert (made["metadata"]["name"], made["value"]) == ("hubstack-dev-search", 100)
    for team, wanted in (("search", "hubstack-dev-search"), ("chat", None), (None, None)):
        model = model_of(plan, team)
        pod = manifests.deployment(plan.target_of(model), model)["spec"]["template"]["spec"]
        assert pod.get("priorityClassName") == wanted


@pytest.mark.parametrize(("quota", "says"), [({"l4": 0}, "allows 0 x l4"), ({"h100-80gb": 8}, "allows 0 x l4")])
def test_a_plan_over_a_teams_quota_is_refused(quota: dict[str, int], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        planned({"search": {"quota": quota}, "chat": {}})


def test_unknown_teams_and_accelerators_get_the_nearest_word() -> None:
    with pytest.raises(InputError, match="did you mean `search`") as caught:
        planned({"serach": {}, "search": {}, "chat": {}}, {**OF, "qwen3-embedding-0-6b": "searhc"})
    assert "`searhc` is not a team" in str(caught.value)
    with pytest.raises(InputError, match="did you mean `l4`"):
        planned({"search": {"quota": {"l-4": 2}}, "chat": {}})


def test_metrics_of_every_namespace_are_scraped_and_charted(plan: Plan) -> None:
    spaces = {each["metadata"]["namespace"] for each in observability.pod_monitorings(plan).values()}
    assert spaces == set(plan.target.namespaces)
    text = json.dumps([board.content for board in observability.list_dashboards(plan)])
    assert "models|models-chat|models-search" in text


def test_the_gateway_admits_routes_of_teams_and_their_routes_name_it() -> None:
    plan = planned(gateway='{"mode": "services"}')
    assert plan.gateway
    assert plan.traffic
    (listener,) = manifests.gateway(plan.target, plan.gateway)["spec"]["listeners"]
    (spaces,) = listener["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"]
    assert spaces["values"] == list(plan.target.namespaces)
    model = model_of(plan, "search")
    route = manifests.route(plan.target_of(model), plan.gateway, plan.traffic, model, None)
    assert route["metadata"]["namespace"] == "models-search"
    assert route["spec"]["parentRefs"] == [{"name": "models", "namespace": "models"}]


def test_the_proxy_of_callers_reaches_the_models_of_each_team_in_its_namespace_and_is_admitted_there() -> None:
    callers = {"research": {"models": list(OF)}}
    plan = planned(gateway='{"mode": "services"}', callers=json.dumps(callers), namespace="ai")
    made = callers_objects(plan)
    proxy = json.loads(made["config"]["data"]["envoy.json"])
    hosts = {
        each["name"]: each["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for each in proxy["static_resources"]["clusters"]
    }
    policies = {part.target.namespace: manifests.callers(part) for part in plan.by_namespace()}
    for model in plan.on_gke:
        target = plan.target_of(model)
        host = f"{model.key}.{target.namespace}.svc.cluster.local"
        assert model.scaling
        if model.replicas.min:
            assert hosts[model.key]["socket_address"]["address"] == host
        else:
            assert f'"host_rewrite_literal": "{host}"' in json.dumps(proxy), (
                "KEDA's interceptor knows it by this name"
            )
        (rule,) = policies[target.namespace]["spec"]["ingress"]
        away = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "ai"}}} if target.team else {}
        assert away | {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "callers"}}} in rule["from"]
        to = [each for rule in made["policy"]["spec"]["egress"] for each in rule["to"]]
        away = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: target.namespace}}} if target.team else {}
        assert away | {"podSelector": SERVERS} in to


def test_the_bill_is_split_by_team(plan: Plan) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(label_table(plan, "team"))
    lines = console.export_text().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["team", "chat", "search", "(no label)", "(shared)", "total"]


def test_without_teams_the_plan_is_as_it_was() -> None:
    plan = planned({}, {})
    assert plan.target.teams is None
    assert plan.by_namespace() == (plan,)
    assert '"team' not in plan.to_json()
