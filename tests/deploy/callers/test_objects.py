# SPDX-License-Identifier: Apache-2.0
"""The proxy's objects, as a whole in objects.yaml, and what must hold for any stack.

`python -m tests.deploy.callers.test_objects` writes objects.yaml.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from hubstack.deploy.callers.limits import limits_config
from hubstack.deploy.callers.pods import callers_objects
from hubstack.deploy.callers.proxy import NOBODY
from hubstack.inputs.environment import find_environment
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from tests.support.plans import CHAT, RESTING, make_plan, with_callers, with_gateway, with_models

PROJECT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("objects.yaml")


def rendered() -> str:
    """Return the fixture's objects; texts of JSON as data, so that a change of them can be read."""
    inputs = StackInputs.of(Stack.load(find_environment("tests/deploy/callers/stack", PROJECT, PROJECT)))
    objects = callers_objects(plan_inputs(inputs))
    for each in objects.values():
        texts = each.get("data", {})
        for name in [name for name in texts if not name.endswith(".py")]:
            texts[name] = json.loads(texts[name])
        texts.pop("write_keys.py", None)
    return yaml.safe_dump(objects, sort_keys=True, width=110)


def plan() -> Plan:
    return with_callers(with_gateway(with_models(RESTING), GatewayPlan(timeout_seconds=600)))


def envoy(plan: Plan) -> dict[str, Any]:
    return json.loads(callers_objects(plan)["config"]["data"]["envoy.json"])


def routes(plan: Plan) -> list[dict[str, Any]]:
    (listener, _) = envoy(plan)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"]


def allowed(route: dict[str, Any]) -> list[str]:
    return route["typed_per_filter_config"]["envoy.filters.http.api_key_auth"]["allowed_clients"]


def test_the_objects_of_the_fixture_are_these() -> None:
    assert rendered() == GOLDEN.read_text(), "python -m tests.deploy.callers.test_objects, and look at the diff"


def test_each_container_has_a_root_that_is_not_written_a_user_requests_and_no_rights() -> None:
    objects = callers_objects(plan())
    for role in ("proxy", "counters"):
        pod = objects[role]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for each in (*pod["containers"], *pod.get("initContainers", ())):
            security = each["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert each["command"], "distroless images have no shell to fall back to"
            assert {"cpu", "memory", "ephemeral-storage"} == set(each["resources"]["requests"])


def test_a_route_admits_only_the_callers_of_its_model() -> None:
    found = plan()
    assert found.callers
    *_, search = found.callers.callers
    by_model = {"gated": ["research"], search.models[0]: ["research", "search"]}
    *models, unknown = routes(found)
    assert unknown == {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    for route in models:
        model = route["metadata"]["filter_metadata"]["hubstack.route"]["model"]
        assert allowed(route) == by_model.get(model, ["research"])


def test_a_model_of_no_caller_admits_nobody_rather_than_everybody() -> None:
    found = plan()
    assert found.callers
    *_, search = found.callers.callers
    alone = replace(found, callers=replace(found.callers, callers=(replace(search, models=("embed",)),)))
    assert {tuple(allowed(each)) for each in routes(alone)[:-1]} == {("search",), (NOBODY,)}


def test_a_resting_model_is_woken_through_the_interceptor_by_its_host() -> None:
    found = plan()
    clusters = {each["name"]: each for each in envoy(found)["static_resources"]["clusters"]}
    endpoint = json.dumps(clusters["chat"]["load_assignment"])
    assert "keda-add-ons-http-interceptor-proxy.keda.svc.cluster.local" in endpoint
    hosts = {each["route"].get("host_rewrite_literal") for each in routes(found)[:-1]}
    assert hosts == {None, "chat.models.svc.cluster.local"}


def test_a_canary_gets_its_share_from_the_proxy() -> None:
    made = make_plan()
    first = replace(CHAT, canary_of=None)
    canary = replace(CHAT, key="chat-canary", canary_of="chat", canary_weight=20)
    models = tuple(sorted((*(m for m in made.models if m.key != "chat"), first, canary), key=lambda m: m.key))
    found = with_callers(with_gateway(replace(made, models=models), GatewayPlan(timeout_seconds=600)))
    weighted = [each["route"] for each in routes(found)[:-1] if "weighted_clusters" in each["route"]]
    assert weighted
    assert weighted[0]["weighted_clusters"]["clusters"] == [
        {"name": "chat", "weight": 80},
        {"name": "chat-canary", "weight": 20},
    ]


def test_the_name_of_the_configuration_changes_with_it_and_only_with_it() -> None:
    one, same = callers_objects(plan()), callers_objects(plan())
    found = plan()
    assert found.callers
    fewer = callers_objects(replace(found, callers=replace(found.callers, callers=found.callers.callers[:1])))
    name = one["config"]["metadata"]["name"]
    assert name == same["config"]["metadata"]["name"] != fewer["config"]["metadata"]["name"]
    volumes = one["proxy"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": name}} in volumes


def test_a_caller_without_limits_is_counted_and_never_refused() -> None:
    found = plan()
    assert found.callers
    _, search = limits_config(found.callers)["descriptors"]
    assert [each["key"] for each in search["descriptors"]] == ["model"]
    assert all(used["shadow_mode"] for each in search["descriptors"] for used in each["descriptors"])


if __name__ == "__main__":
    GOLDEN.write_text(rendered())
