# SPDX-License-Identifier: Apache-2.0
"""The reasons that a report gives for money."""

import json

from hubstack.review.diff.models import find_renamed
from hubstack.review.diff.money import compare_money
from hubstack.review.diff.render.words import rise, usd
from hubstack.review.diff.state import State
from tests.support.facts import ask, llama, plan

IDS = ("acme/first", "acme/second", "acme/third")


def side(name: str, last: str, was: tuple[str, ...] = (), replicas: int = 1) -> State:
    """Three models that share nodes, of which the last has this key."""
    models = [(llama(each), ask(each, key=each.partition("/")[2])) for each in IDS[:2]]
    models.append((llama(IDS[2]), ask(IDS[2], key=last, was=was, replicas={"max": replicas})))
    return State(name=name, plan=json.loads(plan(*models).to_json()))


def reasons(base: State, head: State) -> set[str]:
    lines = compare_money(base, head, find_renamed(base, head)).lines
    return {reason for line in lines if line.item in {"first", "second"} for reason in line.reasons}


def test_a_neighbour_that_only_has_another_name_neither_came_nor_left() -> None:
    renamed = reasons(side("old", "third"), side("new", "a-first-name", ("third",)))
    assert renamed == {"node sharing changed: a-first-name was renamed"}
    replaced = reasons(side("old", "third"), side("new", "a-first-name"))
    assert replaced == {"node sharing changed: a-first-name joined; third left"}


def test_a_neighbour_with_other_replicas_is_named() -> None:
    found = reasons(side("old", "third"), side("new", "renamed", ("third",), replicas=2))
    assert found == {"node sharing changed: renamed changed replicas"}


def test_prices_of_one_s_own_that_change_are_named() -> None:
    base, head = (State(name=name, plan=json.loads(plan(llama()).to_json())) for name in ("old", "new"))
    assert compare_money(base, head, {}).own_prices == ()
    for pool in head.pools:
        pool["price"].update(usd_per_hour=0.1, source="your price, prices.yaml:3")
    assert compare_money(base, head, {}).own_prices == ("g2-standard-4 on-demand",)
    for pool in head.pools:
        pool["price"].update(source="a newer list")
    assert compare_money(base, head, {}).own_prices == (), "another list price is the reason of a line, no decision"


def test_a_sum_below_zero_has_its_sign_before_the_dollar_and_no_percentage() -> None:
    assert [usd(cents) for cents in (27_400, -2_300, -49)] == ["$274", "-$23", "$0"]
    assert rise(27_400, -2_300) == "-$297"
    assert rise(20_000, 25_000) == "+$50, +25 %"
