# SPDX-License-Identifier: Apache-2.0
"""Own weights in a comparison: what a bucket says of an object decides whether it changed."""

from typing import Any

import pytest

from hubstack.review.diff.facts import FactChange, Topic, compare_facts
from hubstack.review.diff.state import State

ROW: dict[str, Any] = {
    "path": "model.safetensors",
    "size_bytes": 8,
    "generation": 1,
    "crc32c": "AAAAAA==",
    "md5": "0" * 32,
}
TEMPLATE = ROW | {"path": "chat_template.jinja"}


def side(commit: str, *rows: dict[str, Any]) -> State:
    facts = {"id": "gs://b/m", "commit": commit * 40, "files": [{k: v for k, v in r.items() if v} for r in rows]}
    return State(name="x", plan={"models": [{"key": "m", "id": "gs://b/m", "commit": commit * 40}]}, facts=(facts,))


def risks(before: State, after: State) -> list[FactChange]:
    return [each for each in compare_facts(before, after, {}) if each.is_risk]


@pytest.mark.parametrize(
    "swap",
    [
        {"crc32c": "BBBBBB=="},
        {"md5": "1" * 32},
        {"generation": 2, "md5": None},
        {"generation": 2, "crc32c": "BBBBBB==", "md5": None},
    ],
)
def test_another_object_under_the_same_commit_is_a_risk(swap: dict[str, Any]) -> None:
    (found,) = risks(side("a", ROW), side("a", ROW | swap))
    assert found.topic is Topic.CONTENT
    assert "model.safetensors" in found.text


def test_an_object_without_its_checksums_is_a_risk() -> None:
    bare = ROW | {"generation": None, "crc32c": None, "md5": None}
    assert [each.topic for each in risks(side("a", ROW), side("a", bare))] == [Topic.CONTENT]


def test_a_template_that_is_replaced_in_the_bucket_is_named() -> None:
    after = side("b", ROW, TEMPLATE | {"generation": 2, "md5": "1" * 32})
    assert [each.topic for each in risks(side("a", ROW, TEMPLATE), after)] == [Topic.TEMPLATE]


def test_the_same_content_uploaded_again_is_not_called_changed() -> None:
    assert risks(side("a", TEMPLATE), side("b", TEMPLATE | {"generation": 2})) == []
