# SPDX-License-Identifier: Apache-2.0
"""The comparison of accelerators: what fits, at the price of one replica alone, and which no other beats."""

from itertools import pairwise
from pathlib import Path

import pytest

from hubstack.inputs.environment import find_environment
from hubstack.plan.performance import Comparison, usd_per_million
from hubstack.planner.alternatives import compare_accelerators
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs

PROJECT = Path(__file__).resolve().parents[2]


def compared(example: str, key: str) -> Comparison:
    inputs = StackInputs.load(find_environment(f"examples/{example}", PROJECT, PROJECT))
    (model,) = (each for each in plan_inputs(inputs).models if each.key == key)
    return compare_accelerators(inputs, model)


def usd(comparison: Comparison) -> list[float]:
    costs = [usd_per_million(each.performance) for each in comparison.alternatives]
    return [cost.value for cost in costs if cost]


def test_the_chosen_accelerator_is_among_them_and_the_cheapest_tokens_come_first() -> None:
    found = compared("fleet", "qwen3-8b")
    (chosen,) = (each for each in found.alternatives if each.is_chosen)
    assert (chosen.accelerator, chosen.accelerator_count) == ("l4", 2)
    assert usd(found) == sorted(usd(found))
    shapes = [(each.accelerator, each.accelerator_count) for each in found.alternatives]
    assert len(set(shapes)) == len(shapes)


def test_a_card_of_a_node_of_eight_costs_the_node() -> None:
    found = compared("fleet", "qwen3-8b")
    prices = {each.usd_per_hour for each in found.alternatives if each.machine_type == "a3-highgpu-8g"}
    assert len(prices) == 1
    assert prices > {None} or next(iter(prices)) > 80  # pyright: ignore[reportOptionalOperand]


def test_what_is_beaten_in_cost_and_speed_is_not_on_the_frontier() -> None:
    found = compared("fleet", "qwen3-8b")
    for each in found.alternatives:
        cost, token = usd_per_million(each.performance), each.performance.token_ms
        assert cost
        assert token
        beaten = any(
            other.performance.token_ms
            and (price := usd_per_million(other.performance))
            and price.value < cost.value
            and other.performance.token_ms.value < token.value
            for other in found.alternatives
        )
        assert not (beaten and each in found.frontier)
    assert found.frontier


def test_latency_never_falls_with_load() -> None:
    curve = compared("quickstart", "qwen3-4b-instruct-2507").curve
    for before, after in pairwise(curve):
        assert after.requests_per_second > before.requests_per_second
        assert after.first_token_ms >= before.first_token_ms
        assert after.token_ms >= before.token_ms


def test_a_model_that_embeds_has_no_curve() -> None:
    found = compared("quickstart", "qwen3-embedding-0-6b")
    assert found.curve == ()
    assert found.alternatives


@pytest.mark.parametrize("key", ["qwen3-30b-a3b-instruct-2507"])
def test_a_model_on_cloud_run_is_compared_with_the_machines_of_cloud_run(key: str) -> None:
    found = compared("cloud-run", key)
    assert all(each.machine_type.startswith("cloud-run-") for each in found.alternatives)


def test_the_chosen_nodes_are_compared_by_how_they_are_bought() -> None:
    found = compared("quickstart", "qwen3-4b-instruct-2507")
    ways = {each.way: each for each in found.ways}
    assert {"spot", "on-demand", "1 year committed", "3 years committed"} <= set(ways)
    assert [each.usd_per_million for each in found.ways] == sorted(each.usd_per_million for each in found.ways)
    ratio = ways["spot"].usd_per_million / ways["on-demand"].usd_per_million
    assert ratio == pytest.approx(ways["spot"].usd_per_hour / ways["on-demand"].usd_per_hour, rel=1e-4)
