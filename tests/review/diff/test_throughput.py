# SPDX-License-Identifier: Apache-2.0
"""A diff names the throughput and the cost per token that a change moves, and is silent where they stay."""

import json
from typing import Any

import pytest

from hubstack.inputs.measured import Measurement
from hubstack.review.diff.change import compare
from hubstack.review.diff.models import Setting, compare_models
from hubstack.review.diff.render.sections import report
from hubstack.review.diff.state import State, Versions
from tests.inputs.test_measured import row
from tests.planner.performance.test_measured_rows import MODEL, setup
from tests.support.facts import hub, plan


def state(**settings: Any) -> State:
    decided = plan(hub(MODEL), **settings)
    return State(name="x", plan=json.loads(decided.to_json()))


def settings_of(base: State, head: State) -> dict[str, Setting]:
    changes = compare_models(base, head, {})
    return {each.topic: each for change in changes for each in change.settings}


def test_a_measurement_changes_throughput_and_cost_and_says_on_what_evidence() -> None:
    found = settings_of(state(), state(measured=(row(64, 9.0, setup()),)))
    assert set(found) == {"evidence", "throughput", "cost of a million tokens"}
    assert found["evidence"].after == "measured: 1 in acme.measured.yaml"
    assert found["throughput"].after == "9 requests/s, 30 ms a token"
    assert found["throughput"].why == "measured; one replica at full load"
    assert found["cost of a million tokens"].after.endswith(" USD")


def test_what_stays_is_not_reported() -> None:
    assert settings_of(state(), state()) == {}


def test_a_base_that_knew_no_performance_is_not_compared() -> None:
    base = state()
    assert base.plan is not None
    old = json.loads(json.dumps(base.plan))
    for model in old["models"]:
        del model["performance"]
    head = state(measured=(row(64, 9.0, setup()),))
    assert settings_of(State(name="x", plan=old), head) == {}


@pytest.mark.parametrize("base", [(), (row(64, 9.0, setup()),)], ids=["first", "edited"])
def test_a_pull_request_that_edits_measurements_is_told_so_in_the_verdict(base: tuple[Measurement, ...]) -> None:
    before, after = state(measured=base), state(measured=(row(64, 90.0, setup()),))
    verdict = report(compare("dev", Versions(base=before, head=after))).verdict
    assert verdict.startswith("DECIDE")
    assert "measured figures of qwen3-4b-instruct-2507 changed by the rows in acme.measured.yaml" in verdict
