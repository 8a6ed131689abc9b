# SPDX-License-Identifier: Apache-2.0
"""Which models a caller may use, what its tokens cost, and what is said of a caller that cannot be served."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hubstack.inputs.callers import MOST
from hubstack.inputs.environment import find_environment
from hubstack.inputs.models import parse_request
from hubstack.inputs.settings import StackSettings, read_settings
from hubstack.inputs.stack import Stack
from hubstack.plan import Plan
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.planner.serving.callers import budget_problems, caller_problems, plan_callers, unit_of

PROJECT = Path(__file__).resolve().parents[3]
LIST = """models:
  - {id: acme/first, name: chat, was: [talk], canary: {revision: next, weight: 5}, replicas: {min: 1, max: 2}}
  - {id: acme/second, name: embeddings}
  - {id: acme/third, name: small, platform: cloud-run}
"""


def settings(callers: dict[str, Any], **more: Any) -> StackSettings:
    values = {
        "gcp:project": "acme-models-test",
        "gcp:region": "us-central1",
        "hubstack:gateway": '{"mode": "services"}',
        "hubstack:callers": json.dumps(callers),
    }
    return read_settings("test", values | more)


def said(models: list[str]) -> list[tuple[str, str | None]]:
    found = caller_problems(parse_request(LIST, "models.yaml"), settings({"search": {"models": models}}))
    return [(each.message, each.hint) for each in found]


@pytest.mark.parametrize("name", ["chat", "talk", "acme/first", "embeddings", "acme/second"])
def test_a_model_is_named_by_its_key_a_former_key_or_its_hub_id(name: str) -> None:
    assert said([name]) == []


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("embedings", "is not a model of the list", "did you mean `embeddings`?"),
        ("unheard-of", "is not a model of the list", "the gateway serves chat, embeddings"),
        ("small", "runs on cloud-run", "remove it"),
        ("acme/third", "runs on cloud-run", "remove it"),
        ("chat-canary", "a share of the requests to `chat`", "name `chat` alone"),
    ],
)
def test_a_model_that_the_gateway_does_not_serve_is_refused(name: str, what: str, hint: str) -> None:
    ((message, told),) = said(["embeddings", name])
    assert f"names `{name}`" in message
    assert what in message
    assert hint in str(told)


def test_a_model_that_is_left_out_of_a_plan_is_still_a_model_of_the_list() -> None:
    request = parse_request(LIST, "models.yaml")
    (refused,) = (model for model in request.models if model.key == "embeddings")
    rest = replace(request, models=tuple(m for m in request.models if m is not refused), left_out=(refused,))
    assert not list(caller_problems(rest, settings({"search": {"models": ["embeddings"]}})))


def test_a_model_named_twice_under_two_names_is_refused() -> None:
    ((message, _),) = said(["chat", "acme/first"])
    assert "names `chat` twice: as `chat` and as `acme/first`" in message


def planned() -> tuple[Plan, StackSettings]:
    inputs = StackInputs.of(Stack.load(find_environment("tests/deploy/callers/stack", PROJECT, PROJECT)))
    return plan_inputs(inputs), inputs.target


def test_a_caller_pays_what_the_plan_says_a_token_costs() -> None:
    plan, _ = planned()
    assert plan.callers
    (chat,) = (model for model in plan.models if model.key == "chat")
    assert chat.performance
    assert chat.performance.cost
    price = plan.callers.prices["chat"]
    assert price.usd_per_million_input == chat.performance.cost.usd_per_million_input_tokens.value
    assert chat.performance.cost.usd_per_million_output_tokens
    assert price.usd_per_million_output == chat.performance.cost.usd_per_million_output_tokens.value
    assert plan.callers.prices["embeddings"].usd_per_million_output == 0
    research, search = plan.callers.callers
    assert (research.budget_units, search.budget_units) == (500_000_000, 50_500_000)
    assert search.models == ("embeddings",)


def test_a_budget_needs_a_cost_for_each_model() -> None:
    plan, target = planned()
    assert plan.callers
    unpriced = replace(plan.callers, prices={})
    found = [each.message for each in budget_problems(unpriced, target)]
    assert [each.partition("` cannot be enforced: ")[2] for each in found] == [
        "the plan has no cost per token for `chat`, `embeddings`",
        "the plan has no cost per token for `embeddings`",
    ]
    free = replace(unpriced, callers=tuple(replace(each, budget_units=None) for each in unpriced.callers))
    assert not list(budget_problems(free, target))


@pytest.mark.parametrize("budget", [0.01, 1, 4294, 4295, 42_949, 500_000, 1e9])
def test_the_largest_budget_fits_into_the_service_s_counters(budget: float) -> None:
    unit = 10.0 ** unit_of([1.0, budget])
    assert budget / unit <= MOST
    assert unit == pytest.approx(1e-6) or budget / (unit / 10) > MOST


def test_a_stack_of_one_cluster_may_name_the_models_of_another() -> None:
    plan, target = planned()
    from hubstack.catalog import load_catalog  # noqa: PLC0415

    only_chat = [model for model in plan.models if model.key == "chat"]
    shard = target.changed(shard_of="stacks/Pulumi.prod.yaml")
    found = plan_callers(only_chat, shard, load_catalog())
    assert [(each.name, each.models) for each in found.callers] == [("research", ("chat",)), ("search", ())]
    assert not list(caller_problems(parse_request(LIST, "models.yaml"), shard))
