# SPDX-License-Identifier: Apache-2.0
"""A fleet with teams: what is registered in whose namespace, under whose identity, and what did not change."""

from dataclasses import replace

import pytest
from pulumi_hubstack import Fleet, FleetArgs

from hubstack.plan.gateway import GatewayAuth, GatewayPlan
from hubstack.plan.teams import TeamPlan
from tests.components.recorder import Recorded, record
from tests.support.plans import RESTING, complete, with_gateway, with_models

SEARCH = TeamPlan(key="search", namespace="models-search", home="models", quota={"nvidia.com/gpu": 4}, priority=100)
IDLE = TeamPlan(key="idle", namespace="models-idle", home="models")
IAM = "gcp:storage/bucketIAMMember:BucketIAMMember"


def build(*teams: TeamPlan, gateway: GatewayPlan | None = None) -> Recorded:
    plan = with_models(RESTING)
    if teams:
        owned = tuple(replace(model, team="search") if model.key == "gated" else model for model in plan.models)
        plan = replace(plan, target=replace(plan.target, teams=teams), models=owned)
    plan = with_gateway(plan, gateway) if gateway else plan
    return record(lambda: Fleet("fleet", FleetArgs(plan=complete(plan))))


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return build(IDLE, SEARCH)


def namespaces_of(recorded: Recorded, start: str) -> set[str]:
    return {
        each.inputs["metadata"]["namespace"]
        for each in recorded.resources.values()
        if each.name.startswith(start) and "namespace" in each.inputs.get("metadata", {})
    }


def test_objects_of_a_teams_model_are_in_its_namespace_and_the_others_where_they_were(recorded: Recorded) -> None:
    assert namespaces_of(recorded, "gated-") == {"models-search"}
    assert namespaces_of(recorded, "embed-") == {"models"}


def test_a_teams_pods_read_their_bucket_and_the_token_under_its_namespace(recorded: Recorded) -> None:
    members = {each.inputs["member"] for each in recorded.of_type(IAM) if each.name.startswith("gated-")}
    members |= {
        each.inputs["member"] for each in recorded.of_type("gcp:secretmanager/secretIamMember:SecretIamMember")
    }
    assert members
    assert all("/subject/ns/models-search/sa/gated" in each for each in members)


def test_a_team_has_a_closed_namespace_a_quota_a_priority_and_an_authentication(recorded: Recorded) -> None:
    by_name = {each.name: each for each in recorded.resources.values()}
    for name, kind in {
        "team-search-models": "core/v1:Namespace",
        "team-search-default-deny": "networking.k8s.io/v1:NetworkPolicy",
        "team-idle-default-deny": "networking.k8s.io/v1:NetworkPolicy",
        "team-search-quota": "core/v1:ResourceQuota",
        "team-search-priority": "scheduling.k8s.io/v1:PriorityClass",
        "autoscaling-team-search-authentication": "keda.sh/v1alpha1:TriggerAuthentication",
    }.items():
        assert by_name[name].type == f"kubernetes:{kind}"
    assert "team-idle-quota" not in by_name
    assert by_name["team-search-priority"].inputs["value"] == 100


def test_the_api_key_is_synced_into_every_namespace_that_has_servers() -> None:
    recorded = build(SEARCH, gateway=GatewayPlan(timeout_seconds=3600, auth=GatewayAuth.API_KEYS))
    kind = next(each.type for each in recorded.resources.values() if each.name == "gateway-api-key-sync")
    assert {each.inputs["metadata"]["namespace"] for each in recorded.of_type(kind)} == {"models", "models-search"}
    members = {
        each.inputs["member"].rpartition("/ns/")[2]
        for each in recorded.of_type("gcp:secretmanager/secretIamMember:SecretIamMember")
        if each.name.startswith("gateway-")
    }
    assert {each.partition("/")[0] for each in members} == {"models", "models-search"}


def test_teams_add_resources_and_rename_none(recorded: Recorded) -> None:
    assert set(build().resources) <= set(recorded.resources)
