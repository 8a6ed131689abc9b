# SPDX-License-Identifier: Apache-2.0
"""`plan --by LABEL`: each model is in one group, and the groups add up to the plan's price."""

from dataclasses import replace

import pytest

from hubstack.files.errors import InputError
from hubstack.inputs.environment import find_environment
from hubstack.names import labels
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.report.labels import SHARED, WITHOUT, label_table
from tests.support.golden import PROJECT


@pytest.fixture(scope="module")
def quickstart() -> Plan:
    return plan_inputs(StackInputs.load(find_environment("examples/quickstart", PROJECT, PROJECT)))


def labelled(plan: Plan, **of_model: dict[str, str]) -> Plan:
    by_key = {key.replace("_", "-"): held for key, held in of_model.items()}
    return replace(plan, models=tuple(replace(each, labels=by_key.get(each.key)) for each in plan.models))


def columns(plan: Plan, label: str) -> dict[str, list[str]]:
    return {each.name: [*each.cells, each.footer] for each in label_table(plan, label)._columns}


def test_each_model_is_in_one_group_and_the_groups_are_the_bill(quickstart: Plan) -> None:
    plan = labelled(quickstart, bge_small_en_v1_5={"team": "search"}, qwen3_embedding_0_6b={"team": "search"})
    found = columns(plan, "team")
    assert found["team"] == ["search", WITHOUT, SHARED, "total"]
    assert found["models"][:3] == ["bge-small-en-v1-5, qwen3-embedding-0-6b", "qwen3-4b-instruct-2507", ""]
    for name, usd in (
        ("USD a month idle", plan.cost.usd_per_month_min),
        ("USD a month busy", plan.cost.usd_per_month_max),
    ):
        *parts, total = (int(each.replace(",", "")) for each in found[name])
        assert sum(parts) == total == round(usd)


def test_a_label_of_the_stack_is_that_of_each_model_without_its_own(quickstart: Plan) -> None:
    target = replace(quickstart.target, labels=labels(quickstart.target.stack, {"team": "platform"}))
    plan = labelled(replace(quickstart, target=target), bge_small_en_v1_5={"team": "search"})
    assert columns(plan, "team")["team"] == ["platform", "search", SHARED, "total"]


def test_a_label_that_nothing_has_is_refused_with_the_nearest(quickstart: Plan) -> None:
    with pytest.raises(InputError) as refused:
        label_table(labelled(quickstart, bge_small_en_v1_5={"team": "search"}), "tem")
    assert refused.value.problems[0].hint == "did you mean `team`?"
    with pytest.raises(InputError) as refused:
        label_table(quickstart, "team")
    assert refused.value.problems[0].hint == "set `hubstack:labels`"
