# SPDX-License-Identifier: Apache-2.0
"""What `hubstack diff` says of teams: what each pays, and a model that moves to another namespace."""

import json

from hubstack.review.diff.models import compare_models
from hubstack.review.diff.money import NO_MODEL, NO_TEAM, Amount, compare_money
from hubstack.review.diff.state import State
from tests.planner.test_teams import OF, planned

EMBED = "qwen3-embedding-0-6b"


def state_of(owners: dict[str, str]) -> State:
    return State(name="x", plan=json.loads(planned(of=owners).to_json()))


def test_the_bill_of_each_team_adds_up_and_says_which_models_came_and_left() -> None:
    base, head = state_of(OF), state_of({**OF, EMBED: "chat"})
    money = compare_money(base, head, {})
    assert money.by_team
    lines = {line.item: line for line in money.by_team}
    assert list(lines) == ["chat", "search", NO_TEAM, NO_MODEL]
    assert sum(line.after.busy for line in money.by_team) == money.after.busy
    assert sum(line.before.idle for line in money.by_team) == money.before.idle
    assert lines["search"].after == Amount()
    assert lines["search"].reasons == (f"0 models; no longer: {EMBED}",)
    assert lines["chat"].reasons == (f"2 models; new: {EMBED}",)


def test_a_model_that_moves_to_another_team_moves_to_its_namespace() -> None:
    (change,) = compare_models(state_of(OF), state_of({**OF, EMBED: "chat"}), {})
    (space,) = (each for each in change.settings if each.topic == "namespace")
    assert (change.key, space.before, space.after) == (EMBED, "models-search", "models-chat")
    assert "replaced" in (space.why or "")


def test_without_teams_there_is_no_bill_by_team() -> None:
    assert compare_money(state_of({}), state_of({}), {}).by_team is None
