# SPDX-License-Identifier: Apache-2.0
"""What a diff says of models with another name: kept, made anew, or made anew as a former key was forgotten."""

import pytest

from hubstack.review.diff import Change, Versions, compare
from hubstack.review.diff.models import ModelAction
from hubstack.review.diff.render import report
from hubstack.review.diff.resources import Action
from tests.identity.sides import side

FIRST, SECOND = "qwen3-4b-instruct-2507", "jdvm3-4y-rmhgifxg-2507"


def change(before: str, after: str) -> Change:
    return compare(
        "quickstart", Versions(base=side("quickstart", before).state, head=side("quickstart", after).state)
    )


def said(found: Change, was: str) -> str:
    (one,) = (each for each in found.models if each.was == was)
    return one.said


@pytest.mark.parametrize(
    ("before", "after"),
    [("base", "rename"), ("rename", "rename again"), ("base", "rename again"), ("rename", "rename back")],
)
def test_a_rename_that_says_what_it_was_is_routine(before: str, after: str) -> None:
    found = change(before, after)
    assert [(each.action, each.is_kept) for each in found.models] == [(ModelAction.RENAMED, True)] * 3
    assert all(each.said.startswith("nothing is replaced") for each in found.models)
    assert report(found).verdict.startswith("ROUTINE")
    assert not found.of(Action.CREATE, Action.REPLACE, Action.DELETE)
    assert (found.reach_new, found.reach_gone) == ((), ())


def test_another_name_without_what_it_was_is_another_model() -> None:
    found = change("base", "rename without an alias")
    assert [each.is_kept for each in found.models] == [False] * 3
    assert f"`was: {FIRST}` to the model to keep everything" in said(found, FIRST)
    assert report(found).verdict.startswith("DECIDE")


def test_a_second_rename_that_forgets_the_first_key_is_told_what_to_write() -> None:
    found = change("rename", "rename and forget")
    assert f"`was: [{FIRST}, {SECOND}]` to the model to keep everything" in said(found, SECOND)
    assert len(found.at_risk) == 3, "the buckets have other names"


def test_a_former_key_that_is_taken_out_is_said_to_rename_the_resources() -> None:
    found = change("rename", "rename without an alias")
    named = {
        each.key: [(one.before, one.after) for one in each.settings if one.topic == "resource names"]
        for each in found.models
    }
    assert named[SECOND] == [(FIRST, SECOND)]
    assert len(found.at_risk) == 3
