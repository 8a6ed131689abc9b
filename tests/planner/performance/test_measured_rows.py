# SPDX-License-Identifier: Apache-2.0
"""A plan uses the measurements of exactly its own setup, and no others."""

import random
from dataclasses import replace

import pytest

from hubstack.inputs.measured import Measurement, Milliseconds, Setup
from hubstack.plan import ModelPlan
from hubstack.planner.performance.costs import Layout, Lengths
from hubstack.planner.performance.measured import corrected
from hubstack.planner.performance.replica import Replica
from hubstack.review.bench.load import setup_of
from tests.inputs.test_measured import row
from tests.planner.performance.test_replica import CARDS, WORKS
from tests.planner.performance.test_replica import setup_of as formula_setup
from tests.planner.performance.test_traffic import fleet_usd, traffic
from tests.support.facts import hub, plan, plan_one

MODEL = "Qwen/Qwen3-4B-Instruct-2507"


def planned(*measured: Measurement, model: str = MODEL, **asked: object) -> ModelPlan:
    return plan_one(hub(model), measured=measured, **asked)


def setup() -> Setup:
    return setup_of(planned())


def test_at_a_measured_load_the_prediction_is_the_measurement() -> None:
    clients = planned().performance.sequences  # pyright: ignore[reportOptionalMemberAccess]
    found = planned(row(clients, 3.21, setup())).performance
    assert found is not None
    assert found.evidence == "measured"
    assert found.rows == 1
    assert found.requests_per_second.value == pytest.approx(3.21, rel=1e-2)
    assert found.token_ms is not None
    assert found.token_ms.value == pytest.approx(30.0, rel=1e-2)
    assert found.requests_per_second.low < 3.21 < found.requests_per_second.high


def test_the_formula_is_kept_beside_the_measurement() -> None:
    before, after = planned().performance, planned(row(8, 3.21, setup())).performance
    assert before is not None
    assert after is not None
    assert before.formula is None
    assert after.formula is not None
    assert after.formula.requests_per_second == before.requests_per_second.value


def test_the_price_of_a_million_tokens_follows_the_measurement() -> None:
    before = planned().performance
    assert before is not None
    half = row(before.sequences, before.requests_per_second.value / 2, setup())
    after = planned(half).performance
    assert after is not None
    assert before.cost is not None
    assert after.cost is not None
    assert before.cost.usd_per_million_output_tokens is not None
    assert after.cost.usd_per_million_output_tokens is not None
    was, now = before.cost.usd_per_million_output_tokens, after.cost.usd_per_million_output_tokens
    assert now.value == pytest.approx(2 * was.value, rel=0.02)


@pytest.mark.parametrize(
    "other",
    [
        {"accelerator": "h100-80gb"},
        {"commit": "b" * 40},
        {"model": "acme/other"},
        {"version": "0.32.0"},
        {"engine": "sglang"},
        {"tensor_parallel": 2, "accelerators": 2},
        {"kv_cache_dtype": "fp8"},
        {"servers_per_accelerator": 2},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_measurement_of_another_setup_changes_nothing(other: dict[str, object]) -> None:
    elsewhere = Setup.model_validate(setup().model_dump() | other)
    assert planned(row(8, 0.1, elsewhere)).performance == planned().performance


def test_requests_of_very_different_lengths_are_not_compared() -> None:
    long = row(8, 0.1, setup()).model_copy(update={"input_tokens": 6000})
    assert planned(long).performance == planned().performance


def test_the_nearest_lengths_win() -> None:
    near, far = row(8, 3.0, setup()), row(8, 0.1, setup()).model_copy(update={"input_tokens": 1700})
    assert planned(near, far).performance == planned(near).performance


def test_between_two_measured_loads_the_correction_is_between_theirs() -> None:
    of_formula = formula_setup(WORKS[MODEL], CARDS["l4"], Layout(tensor_parallel=1, pipeline_parallel=1))
    replica = Replica(of_formula, Lengths(prompt=1000, answer=300))
    full = int(replica.full)

    def measured(clients: int, factor: float) -> Measurement:
        token = Milliseconds(median=1e3 * factor * replica.token_seconds(clients), p99=1e4)
        return row(clients, replica.rate_of(clients)).model_copy(update={"token_ms": token})

    curve = corrected(of_formula, (measured(1, 3.0), measured(full, 1.0))).correction.token
    assert curve.at(1) == pytest.approx(3.0)
    assert curve.at(full) == pytest.approx(1.0)
    assert 1.0 < curve.at(full**0.5) < 3.0
    assert curve.at(10 * full) == curve.at(full)


def test_a_setup_that_measures_slow_gets_more_replicas_or_loses_to_another() -> None:
    asked = {"traffic": traffic(2.0), "accelerator": "l4"}
    fast = planned(**asked)
    assert fast.performance is not None
    slow = row(fast.performance.sequences, 0.3, setup_of(fast))
    again = planned(slow, **asked)
    assert (again.accelerator_count, again.replicas.max) != (fast.accelerator_count, fast.replicas.max)
    assert fleet_usd(again) > fleet_usd(fast)


def test_an_embedding_model_has_measured_texts_per_second() -> None:
    model = "Qwen/Qwen3-Embedding-0.6B"
    own = setup_of(planned(model=model))
    texts = row(64, 123.0, own).model_copy(
        update={"input_tokens": 256, "output_tokens": 0, "token_ms": None, "first_token_ms": None}
    )
    found = planned(texts, model=model).performance
    assert found is not None
    assert found.requests_per_second.value == pytest.approx(123.0, rel=1e-2)
    assert replace(found, formula=None) != found


def test_no_row_that_the_file_may_hold_breaks_a_plan_and_the_order_of_rows_changes_none() -> None:
    own, chance = setup(), random.Random(1)  # noqa: S311  a fixed seed, no secret
    extremes, counts = (1e-6, 1e-3, 1.0, 1e4, 1e9), (1, 2, 64, 10**9)
    for _ in range(25):
        rows = tuple(
            Measurement.model_validate(
                {
                    **dict(row(chance.choice(counts), chance.choice(extremes), own)),
                    "token_ms": chance.choice([None, Milliseconds(median=chance.choice(extremes), p99=1.0)]),
                    "first_token_ms": chance.choice([None, Milliseconds(median=chance.choice(extremes), p99=1.0)]),
                    "input_tokens": chance.choice([500, 1000, 2000, 10**9]),
                    "output_tokens": chance.choice([0, 150, 300, 600]),
                }
            )
            for _ in range(chance.choice([1, 2, 5]))
        )
        text = plan(hub(MODEL), measured=rows).to_json()
        assert text == plan(hub(MODEL), measured=rows[::-1]).to_json()
        assert "NaN" not in text
        assert "Infinity" not in text


def test_a_row_of_embedded_texts_does_not_apply_to_a_model_that_generates() -> None:
    texts = row(64, 1e6, setup()).model_copy(update={"output_tokens": 0})
    assert planned(texts).performance == planned().performance
