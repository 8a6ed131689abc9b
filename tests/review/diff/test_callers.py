# SPDX-License-Identifier: Apache-2.0
"""A change of callers says who may use more than before, and who less."""

from typing import Any

import pytest

from hubstack.review.diff.callers import caller_changes

SEARCH: dict[str, Any] = {"models": ["chat"], "usd_per_month": 50}


@pytest.mark.parametrize(
    ("base", "head", "text", "is_more"),
    [
        ({}, {"search": SEARCH}, "`search`: a new caller may use `chat`, with `usd_per_month: 50`", True),
        (
            {"a": SEARCH},
            {"a": SEARCH, "b": {"models": ["x"]}},
            "`b`: a new caller may use `x`, without limits",
            True,
        ),
        ({"search": SEARCH, "a": SEARCH}, {"a": SEARCH}, "`search`: no longer a caller", False),
        ({"search": SEARCH}, {"search": SEARCH | {"models": ["chat", "x"]}}, "`search` may now use `x`", True),
        ({"search": SEARCH}, {"search": SEARCH | {"models": ["x"]}}, "`search` may no longer use `chat`", False),
        (
            {"search": SEARCH},
            {"search": SEARCH | {"usd_per_month": 60}},
            "`search` `usd_per_month`: 50 -> 60",
            True,
        ),
        (
            {"search": SEARCH},
            {"search": SEARCH | {"usd_per_month": 40}},
            "`search` `usd_per_month`: 50 -> 40",
            False,
        ),
        ({"search": SEARCH}, {"search": {"models": ["chat"]}}, "`search` `usd_per_month`: 50 -> no limit", True),
        (
            {"search": SEARCH},
            {"search": SEARCH | {"tokens_per_minute": 9}},
            "`search` `tokens_per_minute`: no limit -> 9",
            False,
        ),
        (
            {"search": SEARCH},
            {"search": SEARCH | {"readers": ["user:a@b.c"]}},
            "`search` its keys may now be read by `user:a@b.c`",
            True,
        ),
        (
            {"search": SEARCH},
            {},
            "keys, models and limits of callers no longer apply",
            True,
        ),
    ],
)
def test_a_change_is_named_and_judged(base: dict[str, Any], head: dict[str, Any], text: str, is_more: bool) -> None:
    assert (text, is_more) in list(caller_changes(base, head))


def test_what_stays_the_same_is_not_mentioned() -> None:
    assert list(caller_changes({"search": SEARCH}, {"search": SEARCH})) == []


@pytest.mark.parametrize("said", [3, None, [], {"models": 3}, {"models": {"a": 1}, "usd_per_month": "much"}])
def test_callers_that_are_not_valid_are_compared_all_the_same(said: object) -> None:
    assert list(caller_changes({"search": SEARCH}, {"search": said}))
