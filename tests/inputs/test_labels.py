# SPDX-License-Identifier: Apache-2.0
"""Labels of the user's own: where each appears, and which belong to others."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.deploy import cloud_run_names
from hubstack.files.errors import InputError
from hubstack.inputs.models import parse_request
from hubstack.inputs.settings import read_settings
from hubstack.names import labels
from hubstack.plan import Plan
from hubstack.plan.gateway import GatewayPlan
from tests.components.recorder import Recorded, record
from tests.support.light_plans import light_plan
from tests.support.plans import complete, make_plan, with_gateway

OWN = {"team": "search", "cost-center": "1234"}


def labelled(plan: Plan, **of_model: dict[str, str]) -> Plan:
    models = tuple(replace(each, labels=of_model.get(each.key)) for each in plan.models)
    return replace(plan, models=models, target=replace(plan.target, labels=labels(plan.target.stack, OWN)))


def pods(recorded: Recorded) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the labels of every pod template that is registered, with the resource's name."""

    def templates(value: Any) -> Iterator[dict[str, str]]:
        if isinstance(value, dict):
            spec = value.get("spec")
            if isinstance(spec, dict) and "containers" in spec:
                yield value.get("metadata", {}).get("labels", {})
            for each in value.values():
                yield from templates(each)
        elif isinstance(value, list):
            for each in value:
                yield from templates(each)

    for each in recorded.resources.values():
        if each.type.startswith("kubernetes:"):
            for found in templates(each.inputs):
                yield each.name, found


def build(plan: Plan) -> Recorded:
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


def test_every_pod_and_every_google_resource_has_the_labels_of_the_stack() -> None:
    recorded = build(labelled(with_gateway(make_plan(), GatewayPlan(timeout_seconds=3600))))
    found = list(pods(recorded))
    assert len(found) > 8
    assert [name for name, held in found if not OWN.items() <= held.items()] == []
    provider = recorded.one("pulumi:providers:gcp").inputs
    assert OWN.items() <= json.loads(provider["defaultLabels"]).items()


def test_labels_change_no_selector_and_without_them_nothing_changes() -> None:
    plan = make_plan()
    before, after = build(plan), build(labelled(plan))
    assert before.resources.keys() == after.resources.keys()
    for urn, each in after.resources.items():
        spec, old = each.inputs.get("spec", {}), before.resources[urn].inputs.get("spec", {})
        if isinstance(spec, dict):
            assert spec.get("selector") == old.get("selector"), each.name
    assert "cost-center" not in json.dumps([each.inputs for each in before.resources.values()], default=str)


def test_a_models_own_labels_take_precedence_on_its_pods_and_its_bucket() -> None:
    recorded = build(labelled(make_plan(), chat={"team": "chat"}))
    teams = {name: held["team"] for name, held in pods(recorded)}
    assert {team for name, team in teams.items() if name.startswith("chat-")} == {"chat"}
    assert {team for name, team in teams.items() if name.startswith("embed-")} == {"search"}
    buckets = {
        each.name: each.inputs["labels"] for each in recorded.resources.values() if each.type.endswith(":Bucket")
    }
    (chat,) = (held for name, held in buckets.items() if name.startswith("chat-"))
    assert (chat["team"], chat["hubstack-model"], chat["hubstack-stack"]) == ("chat", "chat", "test")


def test_a_model_on_cloud_run_has_its_labels_too() -> None:
    plan = light_plan()
    model = replace(plan.models[0], labels={"team": "chat"})
    held = cloud_run_names.labels(plan.target, model)
    assert held["team"] == "chat"
    assert held["hubstack-commit"] == model.commit[:12]


def test_settings_and_list_read_them_as_they_are_written() -> None:
    config = {"gcp:project": "acme-models", "gcp:region": "us-central1", "hubstack:labels": json.dumps(OWN)}
    assert read_settings("dev", config).labels == OWN
    text = "defaults: {labels: {team: search}}\nmodels: [Qwen/Qwen3-8B, {id: a/b, labels: {team: chat}}]\n"
    held = {each.id: each.settings.labels for each in parse_request(text, "m.yaml").models}
    assert held == {"Qwen/Qwen3-8B": {"team": "search"}, "a/b": {"team": "chat"}}


@pytest.mark.parametrize(
    "key", ["managed-by", "hubstack-stack", "hubstack", "goog-managed-by", "k8s-label", "kubernetes-io-cluster-a"]
)
def test_a_label_of_others_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="reserved by hubstack, Google or Kubernetes"):
        parse_request(f"models: [{{id: a/b, labels: {{{key}: x}}}}]\n", "m.yaml")
