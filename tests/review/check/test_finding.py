# SPDX-License-Identifier: Apache-2.0
"""What waivers let pass, until when, and what is said of the waivers themselves."""

import datetime as dt

import pytest

from hubstack.files.documents import Mark
from hubstack.review.check.finding import Finding, merged, settled
from hubstack.review.check.policy_file import PlacedWaiver, Policy
from hubstack.review.check.policy_schema import Waiver
from hubstack.review.check.rules import catalogue, defaults

LAST = dt.date(2027, 1, 31)
MARK = Mark("policy.yaml", 3, 5, "")


def waiver(rule: str, **about: str) -> PlacedWaiver:
    return PlacedWaiver(waiver=Waiver(rule=rule, owner="a@b.c", until=LAST, why="x", **about), mark=MARK)


def policy(*waivers: PlacedWaiver, **levels: str) -> Policy:
    every = {rule.id: rule.level for rule in catalogue().values()}
    return Policy(limits=defaults(), levels={**every, **levels}, waivers=waivers, marks={})


def told(found: list[Finding], held: Policy, today: dt.date = LAST) -> list[tuple[str, bool]]:
    return [(one.rule, one.is_failure) for one in settled(found, held, today)]


PICKLE = Finding(rule="HS004", message="pickles", model="old")
BUCKET = Finding(rule="HS011", message="open", model="old", resource="old-weights-bucket")
MONEY = Finding(rule="HS021", message="dear")


def test_without_a_waiver_an_error_fails_and_a_warning_does_not() -> None:
    assert told([PICKLE, Finding(rule="HS019", message="x", resource="r")], policy()) == [
        ("HS004", True),
        ("HS019", False),
    ]


@pytest.mark.parametrize(
    ("finding", "held"),
    [
        (PICKLE, waiver("HS004", model="old")),
        (BUCKET, waiver("HS011", resource="old-weights-bucket")),
        (BUCKET, waiver("HS011", model="old")),
        (MONEY, waiver("HS021")),
    ],
)
def test_a_waiver_lets_its_finding_pass_until_its_last_day_and_not_after(
    finding: Finding, held: PlacedWaiver
) -> None:
    assert told([finding], policy(held)) == [(finding.rule, False)]
    after = told([finding], policy(held), LAST + dt.timedelta(days=1))
    assert after == [(finding.rule, True), ("HS040", True)], "an ended waiver is a finding itself"


@pytest.mark.parametrize(
    "held",
    [
        waiver("HS005", model="old"),
        waiver("HS004", model="other"),
        waiver("HS004", resource="old"),
        waiver("HS004"),
    ],
)
def test_a_waiver_of_something_else_lets_nothing_pass_and_is_named(held: PlacedWaiver) -> None:
    assert told([PICKLE], policy(held)) == [("HS004", True), ("HS041", False)]


def test_levels_decide_what_fails() -> None:
    assert told([PICKLE], policy(HS004="warn")) == [("HS004", False)]
    assert told([PICKLE], policy(HS004="off")) == []


def test_what_both_opinions_say_of_a_model_is_said_once() -> None:
    seen = Finding(rule="HS004", message="pickles", model="old", resource="old-deployment")
    alone = Finding(rule="HS004", message="pickles", model="new", resource="new-deployment")
    assert merged([PICKLE, seen, alone, BUCKET]) == [PICKLE, alone, BUCKET]
    counted = Finding(rule="HS020", message="node pools may grow to 9 nvidia-l4; allowed: 1", mark=MARK)
    assert merged([counted, Finding(rule="HS020", message=counted.message)]) == [counted]
