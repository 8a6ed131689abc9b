# SPDX-License-Identifier: Apache-2.0
"""What `hubstack diff` says of teams: what each pays, and a model that moves to another namespace."""

import json

import pytest

from hubstack.files.errors import InputError
from hubstack.review.diff import Versions, compare
from hubstack.review.diff.models import compare_models
from hubstack.review.diff.money import NO_TEAM, Amount, compare_money
from hubstack.review.diff.render import report
from hubstack.review.diff.state import State
from hubstack.review.report.labels import SHARED
from tests.planner.test_teams import OF, TEAMS, planned

EMBED = "qwen3-embedding-0-6b"


def state_of(owners: dict[str, str]) -> State:
    return State(name="x", plan=json.loads(planned(of=owners).to_json()))


def test_the_bill_of_each_team_adds_up_and_says_which_models_came_and_left() -> None:
    base, head = state_of(OF), state_of({**OF, EMBED: "chat"})
    money = compare_money(base, head, {})
    assert money.by_team
    lines = {line.item: line for line in money.by_team}
    assert list(lines) == ["chat", "search", NO_TEAM, SHARED]
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


def versions(label_of_search: str) -> Versions:
    changed = {**TEAMS, "search": {**TEAMS["search"], "labels": {"cost-center": label_of_search}}}
    base, head = (json.loads(planned(teams).to_json()) for teams in (TEAMS, changed))
    return Versions(base=State(name="base", plan=base), head=State(name="head", plan=head), quota={})


def test_the_bill_by_a_label_adds_up_and_follows_a_model_whose_label_changes() -> None:
    change = compare("dev", versions("99"), label="cost-center")
    assert change.money.by_label
    lines = {line.item: line for line in change.money.by_label.lines}
    assert list(lines) == ["12", "77", "99", SHARED]
    for side in ("before", "after"):
        for state in ("idle", "busy"):
            parts = sum(getattr(getattr(line, side), state) for line in lines.values())
            assert parts == getattr(getattr(change.money, side), state)
    assert (lines["12"].after, lines["99"].after) == (Amount(), lines["12"].before)
    assert lines["99"].reasons == (f"1 model; new: {EMBED}",)
    assert lines["77"].before == lines["77"].after
    titles = [section.title for section in report(change, ()).sections]
    assert "Money by cost-center, USD a month" in titles
    assert json.loads(change.to_json())["money"]["by_label"]["label"] == "cost-center"


def test_a_bill_by_team_that_was_asked_for_stands_once_also_without_a_change() -> None:
    report_of_teams = report(compare("dev", versions("12"), label="team"), ())
    titles = [section.title for section in report_of_teams.sections if section.rows]
    assert titles.count("Money by team, USD a month") == 1
    unasked = report(compare("dev", versions("12")), ())
    assert "Money by team, USD a month" not in [section.title for section in unasked.sections if section.rows]


def test_a_label_of_neither_version_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as refused:
        compare("dev", versions("12"), label="cost-centre")
    assert refused.value.problems[0].hint == "did you mean `cost-center`?"
