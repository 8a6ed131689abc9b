# SPDX-License-Identifier: Apache-2.0
"""Graphs compared: replacement by the providers' facts, what follows, options, aliases; and laws of any pair."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.review.diff.replacement import load_replacement
from hubstack.review.diff.resources import Action, ResourceChange, compare_resources
from hubstack.review.diff.state import State
from tests.support.golden import EXAMPLES, read_graph

RULES = load_replacement()
PROJECT = Path(__file__).resolve().parents[3]
BUCKET, POOL, CLUSTER = (
    "gcp:storage/bucket:Bucket",
    "gcp:container/nodePool:NodePool",
    "gcp:container/cluster:Cluster",
)
MEMBER, CONFIG_MAP = "gcp:storage/bucketIAMMember:BucketIAMMember", "kubernetes:core/v1:ConfigMap"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:s::p::{kind}::{name}"


def resource(kind: str, name: str, inputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"urn": urn(kind, name), "type": kind, "name": name, "custom": True, "inputs": inputs or {}, **more}


def side(*resources: dict[str, Any]) -> State:
    return State(name="side", plan={}, graph={"resources": list(resources)})


def changes(base: State, head: State) -> dict[str, ResourceChange]:
    return {each.name: each for each in compare_resources(base, head, RULES)}


def only(base: dict[str, Any], head: dict[str, Any]) -> ResourceChange | None:
    return changes(side(base), side(head)).get(head["name"])


def test_an_argument_that_the_provider_forces_replaces_and_is_named() -> None:
    found = only(
        resource(BUCKET, "b", {"location": "US", "name": "x"}),
        resource(BUCKET, "b", {"location": "EU", "name": "x"}),
    )
    assert found
    assert (found.action, found.because, found.deletes_first) == (Action.REPLACE, ("location",), True)
    assert found.held
    assert found.refused, "a bucket without forceDestroy that holds objects is not deleted"


def test_another_argument_is_an_update_in_place() -> None:
    found = only(resource(BUCKET, "b", {"labels": {"a": "1"}}), resource(BUCKET, "b", {"labels": {"a": "2"}}))
    assert found
    assert (found.action, [each.path for each in found.changes]) == (Action.UPDATE, ["labels.a"])


def test_a_block_that_comes_with_a_forcing_part_replaces() -> None:
    config = {"machineType": "g2"}
    found = only(
        resource(POOL, "p", {"nodeConfig": config}), resource(POOL, "p", {"nodeConfig": {**config, "spot": True}})
    )
    assert found
    assert found.because == ("nodeConfig.spot",)
    affinity = {**config, "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}}
    found = only(resource(POOL, "p", {"nodeConfig": config}), resource(POOL, "p", {"nodeConfig": affinity}))
    assert found
    assert found.because == ("nodeConfig.reservationAffinity",)


def test_a_default_that_is_written_down_and_a_value_that_is_kept_change_nothing() -> None:
    assert (
        only(resource(POOL, "p", {"nodeConfig": {}}), resource(POOL, "p", {"nodeConfig": {"spot": False}})) is None
    )
    assert only(resource(POOL, "p", {"maxPodsPerNode": 32}), resource(POOL, "p")) is None


def test_ignored_arguments_change_nothing_and_asked_ones_replace() -> None:
    ignoring = {"options": {"ignoreChanges": ["spec.replicas", "nodeConfig"]}}
    base = resource("kubernetes:apps/v1:Deployment", "d", {"spec": {"replicas": 1}}, **ignoring)
    assert only(base, resource(base["type"], "d", {"spec": {"replicas": 2}}, **ignoring)) is None
    spot = resource(POOL, "p", {"nodeConfig": {"spot": True}}, **ignoring)
    assert only(spot, resource(POOL, "p", {"nodeConfig": {}}, **ignoring)) is None
    asked = {"options": {"replaceOnChanges": ["labels"]}}
    found = only(
        resource(BUCKET, "b", {"labels": {"a": "1"}}), resource(BUCKET, "b", {"labels": {"a": "2"}}, **asked)
    )
    assert found
    assert found.because == ("labels.a",)


def test_a_protected_resource_is_said_to_be_refused_even_where_the_change_takes_the_protection_away() -> None:
    base = resource(BUCKET, "b", {"name": "x", "forceDestroy": True}, options={"protect": True})
    gone = changes(side(base), side())["b"]
    assert gone.action is Action.DELETE
    assert gone.refused
    replaced = only(base, resource(BUCKET, "b", {"name": "y", "forceDestroy": True}))
    assert replaced
    assert replaced.refused


def test_what_is_retained_is_not_at_risk() -> None:
    gone = changes(side(resource(BUCKET, "b", {}, options={"retainOnDelete": True})), side())["b"]
    assert gone.kept_in_cloud
    assert not gone.held


def test_what_is_made_through_a_provider_that_is_replaced_follows() -> None:
    provider = "pulumi:providers:kubernetes"
    cluster = {"name": "c", "location": "a", "deletionProtection": False}
    takes = {"propertyDependencies": {"clusterIdentifier": [urn(CLUSTER, "c")]}}
    through = {"provider": f"{urn(provider, 'k')}::id"}
    rest = (
        resource(provider, "k", {"clusterIdentifier": "[unknown]"}, **takes),
        resource(CONFIG_MAP, "m", {"metadata": {"name": "m"}}, **through),
    )
    found = changes(
        side(resource(CLUSTER, "c", cluster), *rest),
        side(resource(CLUSTER, "c", {**cluster, "location": "b"}), *rest),
    )
    assert {name: each.action for name, each in found.items()} == dict.fromkeys("ckm", Action.REPLACE)
    assert found["m"].because == ("its provider k is replaced",)


def test_what_takes_a_value_of_a_resource_that_is_deleted_first_follows_even_if_the_value_is_known() -> None:
    grant = resource(MEMBER, "g", {"bucket": "x", "role": "r"}, propertyDependencies={"bucket": [urn(BUCKET, "b")]})
    before, after = ({"name": "x", "location": place, "forceDestroy": True} for place in ("US", "EU"))
    found = changes(side(resource(BUCKET, "b", before), grant), side(resource(BUCKET, "b", after), grant))
    assert found["g"].action is Action.REPLACE
    last = {"options": {"deleteBeforeReplace": False}}
    found = changes(side(resource(BUCKET, "b", before), grant), side(resource(BUCKET, "b", after, **last), grant))
    assert "g" not in found


def test_a_provider_s_project_replaces_what_names_none() -> None:
    provider = "pulumi:providers:gcp"
    through = {"provider": f"{urn(provider, 'g')}::id"}
    found = changes(
        side(resource(provider, "g", {"project": "a"}), resource(POOL, "p", **through)),
        side(resource(provider, "g", {"project": "b"}), resource(POOL, "p", **through)),
    )
    assert found["p"].because == ("project",)
    assert found["g"].action is Action.UPDATE


def test_a_type_without_facts_is_unknown_and_never_called_replaced() -> None:
    found = only(
        resource("gcp:redis/instance:Instance", "r", {"tier": "a"}),
        resource("gcp:redis/instance:Instance", "r", {"tier": "b"}),
    )
    assert found
    assert found.is_unknown
    assert found.action is Action.UPDATE


def test_an_alias_keeps_a_resource_and_its_children() -> None:
    comp = "x:y:Z"
    old_parent = {"urn": urn(comp, "old"), "type": comp, "name": "old", "custom": False}
    new_parent = {
        "urn": urn(comp, "new"),
        "type": comp,
        "name": "new",
        "custom": False,
        "aliases": [{"spec": {"name": "old"}}],
    }
    kind = f"{comp}${BUCKET}"
    base = {
        **resource(BUCKET, "old-bucket", {"name": "x"}),
        "urn": urn(kind, "old-bucket"),
        "parent": old_parent["urn"],
    }
    head = {
        **resource(BUCKET, "new-bucket", {"name": "x"}),
        "urn": urn(kind, "new-bucket"),
        "parent": new_parent["urn"],
    }
    found = changes(side(old_parent, base), side(new_parent, head))
    assert {name: each.action for name, each in found.items()} == {"new-bucket": Action.SETTINGS}


def test_an_option_or_the_order_of_work_is_a_setting() -> None:
    found = only(
        resource(BUCKET, "b"), resource(BUCKET, "b", options={"protect": True}, dependencies=[urn(BUCKET, "a")])
    )
    assert found
    assert found.action is Action.SETTINGS
    assert [each.path for each in found.changes] == ["protect", "dependsOn"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_type_of_an_example_has_facts(example: str) -> None:
    kinds = {each["type"] for each in read_graph(example)["resources"] if each["custom"]}
    assert [kind for kind in sorted(kinds) if RULES.facts(kind) is None] == [], (
        "add them to benchmarks/replacement_facts.py or hubstack/review/diff/replacement.yaml"
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "[unknown]"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "x", "y.z"]), inner, max_size=2)
    ),
    max_leaves=6,
)
RESOURCES = st.dictionaries(
    st.tuples(
        st.sampled_from([BUCKET, POOL, MEMBER, CONFIG_MAP, "gcp:redis/instance:Instance"]), st.sampled_from("abc")
    ),
    st.dictionaries(st.sampled_from(["name", "location", "data", "metadata", "nodeConfig"]), VALUES, max_size=3),
    max_size=5,
).map(lambda each: side(*(resource(kind, name, inputs) for (kind, name), inputs in each.items())))


@given(RESOURCES)
def test_equal_sides_have_no_change(graph: State) -> None:
    assert compare_resources(graph, graph, RULES) == ()


@given(RESOURCES, RESOURCES)
def test_what_comes_and_goes_is_exactly_the_difference_of_the_names(base: State, head: State) -> None:
    found = compare_resources(base, head, RULES)
    by_action = {action: {each.urn for each in found if each.action is action} for action in Action}
    assert by_action[Action.CREATE] == head.resources.keys() - base.resources.keys()
    assert by_action[Action.DELETE] == base.resources.keys() - head.resources.keys()
    differing = {
        u
        for u in base.resources.keys() & head.resources.keys()
        if base.resources[u]["inputs"] != head.resources[u]["inputs"]
    }
    assert by_action[Action.REPLACE] | by_action[Action.UPDATE] <= differing
    silent = differing - by_action[Action.REPLACE] - by_action[Action.UPDATE]
    facts = {u: RULES.facts(head.resources[u]["type"]) for u in silent}
    assert all(each and (each.kept or each.defaults) for each in facts.values()), (
        "only what a provider keeps is silent"
    )
