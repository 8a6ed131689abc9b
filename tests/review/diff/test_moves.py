# SPDX-License-Identifier: Apache-2.0
"""A model that changes its cluster is one move, told on both sides; a copy and a farewell are not moves."""

import json
from collections.abc import Mapping

import pytest

from hubstack.review.diff import Change, Versions, compare, tripped
from hubstack.review.diff.models import ModelAction
from hubstack.review.diff.render import report
from hubstack.review.diff.state import State
from tests.support.facts import llama, plan

STAYS, MOVES = llama("acme/stays"), llama("acme/moves")


def cluster(name: str, *, has: bool, elsewhere: Mapping[str, tuple[str, ...]]) -> State:
    """One cluster that serves one model or two, and what other clusters of its environment serve."""
    planned = plan(STAYS, MOVES) if has else plan(STAYS)
    return State(name=name, plan=json.loads(planned.to_json()), graph={"resources": []}, elsewhere=elsewhere)


def change(base: State, head: State) -> Change:
    return compare("prod-eu", Versions(base=base, head=head))


def moved(found: Change) -> tuple[ModelAction, str]:
    (one,) = [each for each in found.models if each.key == "moves"]
    return one.action, one.said


def test_where_it_comes_to_it_is_said_where_it_was() -> None:
    found = change(
        cluster("base", has=False, elsewhere={"moves": ("prod-us",)}), cluster("head", has=True, elsewhere={})
    )
    action, said = moved(found)
    assert action is ModelAction.MOVED
    assert said.startswith("moved here from prod-us: vllm ")
    assert "1 model moved" in report(found).verdict


def test_where_it_leaves_it_is_said_where_it_is_now_and_no_gate_calls_it_removed() -> None:
    found = change(
        cluster("base", has=True, elsewhere={}), cluster("head", has=False, elsewhere={"moves": ("prod-us",)})
    )
    assert moved(found) == (ModelAction.MOVED, "moved to prod-us")
    assert tripped(found, ("remove",)) == ()


@pytest.mark.parametrize("there", [("prod-us",), ("prod-asia", "prod-us")])
def test_a_copy_in_another_cluster_is_a_new_model(there: tuple[str, ...]) -> None:
    both = {"moves": there}
    found = change(cluster("base", has=False, elsewhere=both), cluster("head", has=True, elsewhere=both))
    assert moved(found)[0] is ModelAction.ADDED


def test_a_model_that_leaves_one_of_two_clusters_is_removed_and_who_still_serves_it_is_named() -> None:
    both = {"moves": ("prod-us",)}
    found = change(cluster("base", has=True, elsewhere=both), cluster("head", has=False, elsewhere=both))
    action, said = moved(found)
    assert action is ModelAction.REMOVED
    assert said.endswith("still served by prod-us")
    assert tripped(found, ("remove",))


def test_a_model_that_nobody_serves_any_more_is_removed() -> None:
    found = change(cluster("base", has=True, elsewhere={}), cluster("head", has=False, elsewhere={}))
    assert moved(found)[0] is ModelAction.REMOVED
