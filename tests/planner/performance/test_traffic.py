# SPDX-License-Identifier: Apache-2.0
"""Traffic and service levels: what is placed on what, with how many replicas, and what is refused."""

from typing import Any

import pytest

from hubstack.files.errors import InputError, PlanError
from hubstack.inputs.models import parse_request
from hubstack.inputs.models_schema import Traffic
from hubstack.plan import ModelPlan
from tests.support.facts import hub, plan_one

SMALL, LARGE, EMBEDDING = (
    "Qwen/Qwen3-4B-Instruct-2507",
    "meta-llama/Llama-3.3-70B-Instruct",
    "Qwen/Qwen3-Embedding-0.6B",
)
ALL_DAY = (1.0,) * 24


def traffic(rate: float, **changes: Any) -> Traffic:
    given: dict[str, Any] = {"input_tokens": 1500, "output_tokens": 300, "prefix_percent": 0.0, "profile": ALL_DAY}
    return Traffic(requests_per_second=rate, **{**given, **changes})


def planned(repo_id: str, rate: float, **settings: Any) -> ModelPlan:
    return plan_one(hub(repo_id), traffic=traffic(rate, **settings.pop("of", {})), **settings)


def fleet_usd(model: ModelPlan) -> float:
    assert model.usd_per_replica_hour is not None
    return model.usd_per_replica_hour * model.replicas.max


def test_more_requests_never_cost_less_and_are_served_by_enough_replicas() -> None:
    models = [planned(SMALL, rate) for rate in (0.5, 2.0, 8.0, 32.0)]
    for model in models:
        assert model.performance is not None
        assert model.performance.traffic is not None
        served = model.performance.traffic.replica_requests_per_second.value * model.replicas.max
        assert served >= model.performance.traffic.requests_per_second * 0.999
    assert [fleet_usd(model) for model in models] == sorted(fleet_usd(model) for model in models)


def test_a_stricter_service_level_never_costs_less() -> None:
    usd = [
        fleet_usd(planned(SMALL, 4.0, slo={"time_per_output_token_seconds": seconds}))
        for seconds in (0.2, 0.05, 0.02)
    ]
    assert usd == sorted(usd)


def test_a_prefix_that_is_not_read_again_takes_fewer_replicas() -> None:
    without, with_prefix = (planned(SMALL, 30.0, of={"prefix_percent": part}) for part in (0.0, 90.0))
    assert fleet_usd(with_prefix) < fleet_usd(without)


def test_batch_limits_reach_the_engine() -> None:
    model = planned(SMALL, 50.0)
    limit = int(model.server.args[model.server.args.index("--max-num-seqs") + 1])
    (reason,) = [reason.text for reason in model.reasons if reason.topic == "traffic"]
    assert f"limits: {limit} sequences" in reason


def test_a_level_that_no_shape_holds_is_refused_with_the_figure() -> None:
    with pytest.raises(PlanError) as refused:
        planned(LARGE, 1.0, slo={"time_per_output_token_seconds": 0.002})
    assert "misses its `slo:`" in refused.value.problems[0].message


def test_replicas_that_were_said_bound_the_traffic() -> None:
    with pytest.raises(PlanError) as refused:
        planned(SMALL, 5000.0, replicas={"max": 2})
    assert "`replicas.max` is 2" in refused.value.problems[0].message


def test_requests_longer_than_the_context_are_refused() -> None:
    with pytest.raises(PlanError) as refused:
        planned(SMALL, 1.0, of={"input_tokens": 9000})
    assert "but `context:` is 8,192" in refused.value.problems[0].message


def test_a_service_level_without_traffic_leaves_out_what_misses_it() -> None:
    plain, fast = plan_one(hub(LARGE)), plan_one(hub(LARGE), slo={"time_per_output_token_seconds": 0.025})
    assert plain.performance is not None
    assert plain.performance.token_alone_ms is not None
    assert plain.performance.token_alone_ms.value > 25
    assert fast.performance is not None
    assert fast.performance.token_alone_ms is not None
    assert fast.performance.token_alone_ms.value <= 25


def test_texts_to_embed_are_shared_among_replicas() -> None:
    model = planned(EMBEDDING, 3000.0, of={"input_tokens": 256, "output_tokens": 0})
    assert model.replicas.max > 1


def test_a_month_costs_by_the_hours_of_the_profile() -> None:
    half = (1.0,) * 12 + (0.0,) * 12
    models = [planned(SMALL, 20.0, of={"profile": profile}, replicas={"min": 0}) for profile in (ALL_DAY, half)]
    usd = [
        model.performance.traffic.usd_per_month
        for model in models
        if model.performance and model.performance.traffic
    ]
    assert usd[0] is not None
    assert usd[1] == pytest.approx(usd[0] / 2, rel=0.01)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{requests_per_second: 0, input_tokens: 10}", "requests_per_second"),
        ("{input_tokens: 10}", "requests_per_second"),
        ("{requests_per_second: 1, input_tokens: 10, profile: [1, 2]}", "profile"),
        ("{requests_per_second: 1, input_tokens: 10, hours: 3}", "hours"),
        ("{requests_per_second: 1, input_tokens: 10, prefix_percent: 100}", "prefix_percent"),
    ],
)
def test_bad_traffic_is_told_at_its_key(said: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_request(f"models:\n- id: acme/model\n  traffic: {said}\n", "models.yaml")
    problem = refused.value.problems[0]
    assert told in f"{problem.message} {problem.hint}"
    assert problem.line == 3


def test_a_profile_beside_hours_a_day_is_a_contradiction() -> None:
    profile = ", ".join(["100"] * 24)
    text = f"traffic: {{requests_per_second: 1, input_tokens: 9, hours_per_day: 8, profile: [{profile}]}}"
    with pytest.raises(InputError) as refused:
        parse_request(f"models:\n- id: acme/model\n  {text}\n", "models.yaml")
    assert "cannot be combined" in refused.value.problems[0].message
