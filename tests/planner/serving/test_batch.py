# SPDX-License-Identifier: Apache-2.0
"""Offline requests: the runner's command, and the hours and cost that the plan shows."""

from dataclasses import replace

from hubstack.inputs.models_schema import Batch
from hubstack.planner.serving.batch import plan_batch
from tests.support.facts import llama, plan

ASKED = Batch.model_validate(
    {
        "input": "gs://acme-batch/in.jsonl",
        "output": "gs://acme-batch/out",
        "parts": 4,
        "parallel": 2,
        "requests": 360_000,
    }
)


def test_the_runner_gets_the_flags_of_the_server_and_the_model_by_name() -> None:
    (model,) = plan(llama()).models
    batch, _ = plan_batch(model, ASKED)
    assert batch.command[:4] == ("vllm", "run-batch", "--model", model.server.args[0])
    assert batch.command[4:] == model.server.args[1:]
    assert (batch.bucket, batch.input, batch.output, batch.parallel) == ("acme-batch", "in.jsonl", "out", 2)


def test_hours_and_cost_follow_from_the_predicted_rate_and_the_starts() -> None:
    (model,) = plan(llama()).models
    assert model.performance is not None
    assert model.usd_per_replica_hour is not None
    rate = model.performance.requests_per_second.value
    _, few = plan_batch(model, ASKED)
    _, many = plan_batch(model, ASKED.model_copy(update={"parts": 400}))
    hours = 360_000 / rate / 3600 / 2
    assert hours < float(few.text.split("take about ")[1].split(" ")[0].replace(",", "")) + 0.06
    assert "not in the monthly price" in few.text
    assert few.text != many.text, "each part loads the weights again"


def test_without_a_number_of_requests_only_the_rate_and_the_price_of_a_million_are_shown() -> None:
    (model,) = plan(llama()).models
    _, reason = plan_batch(model, ASKED.model_copy(update={"requests": None}))
    assert "a million tokens" in reason.text
    assert "hours" not in reason.text
    _, unknown = plan_batch(replace(model, performance=None), ASKED)
    assert "its speed is unknown" in unknown.text


def test_a_model_without_a_batch_has_none_in_its_plan() -> None:
    (model,) = plan(llama()).models
    assert model.batch is None
