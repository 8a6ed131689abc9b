# SPDX-License-Identifier: Apache-2.0
"""How replicas follow the load: figures, hold times and surge as the planner decides them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubstack.files.errors import PlanError
from hubstack.kinds import EngineKind
from hubstack.plan import ModelPlan
from hubstack.plan.settings import MonitoringPlan
from hubstack.planner.platforms import gke
from hubstack.planner.serving.scaling import (
    BLIND,
    NEXT_STEP_SECONDS,
    NODE_START_SECONDS,
    activation_timeout_seconds,
    concurrent_requests,
    spare_places,
)
from tests.support.facts import ask, hub, llama, plan, plan_one, steps, target
from tests.support.plans import CHAT, GATED, L4_ON_DEMAND, L4_SPOT, TPU, TPU_SPOT

TEXT, EMBEDDER = hub("Qwen/Qwen3-8B"), hub("Qwen/Qwen3-Embedding-0.6B")


def scaled(**asked: object) -> ModelPlan:
    return plan_one(TEXT, **{"replicas": {"min": 0, "max": 3}, **asked})


def said(model: ModelPlan, topic: str) -> str:
    return next((reason.text for reason in model.reasons if reason.topic == topic), "")


def test_queue_and_cache_of_the_models_own_replicas_are_the_figures() -> None:
    scaling = scaled().scaling
    assert scaling
    assert [(t.name, t.target) for t in scaling.triggers] == [("queue", 5), ("kv-cache", 0.8)]
    where = 'cluster="hubstack-acme",namespace="models",model="qwen3-8b"'
    assert [t.query for t in scaling.triggers] == [
        f"sum(vllm:num_requests_waiting{{{where}}})",
        f"sum(vllm:kv_cache_usage_perc{{{where}}})",
    ]


def test_thresholds_are_those_asked_for() -> None:
    scaling = scaled(scaling={"queue": 9, "kv_cache_percent": 60, "idle_minutes": 2}).scaling
    assert scaling
    assert [t.target for t in scaling.triggers] == [9, 0.6]
    assert scaled(scaling={"idle_minutes": 30}).scaling.idle_seconds == 1800  # type: ignore[union-attr]


def test_a_model_does_not_rest_while_it_may_still_load() -> None:
    model = scaled(scaling={"idle_minutes": 1})
    startup = model.server.startup
    assert model.scaling
    assert model.scaling.idle_seconds == startup.period_seconds * startup.failure_threshold > 60
    assert "(1 requested, but loading alone may take" in said(model, "rest")
    assert scaled(scaling={"idle_minutes": 600}).scaling.idle_seconds == 36_000  # type: ignore[union-attr]


def test_an_engine_that_says_nothing_of_its_cache_is_scaled_by_its_queue() -> None:
    model = plan_one(EMBEDDER, replicas={"min": 1, "max": 2})
    assert model.server.engine is EngineKind.TEI
    assert model.scaling
    assert [t.name for t in model.scaling.triggers] == ["queue"]
    assert "it keeps no cache between requests" in said(model, "replicas")


@pytest.mark.parametrize(
    ("low", "high", "autoscaling", "expected"),
    [
        (1, 1, True, "always 1"),
        (3, 3, True, "always 3"),
        (0, 2, False, "0 to 2, scaled manually: `hubstack:autoscaling` is off"),
        (1, 2, False, "1 to 2, scaled manually: `hubstack:autoscaling` is off"),
    ],
)
def test_a_fixed_number_has_no_scaler(low: int, high: int, autoscaling: bool, expected: str) -> None:
    where = target(autoscaling=autoscaling)
    model = plan_one(TEXT, where=where, replicas={"min": low, "max": high})
    assert model.scaling is None
    assert said(model, "replicas") == expected


def test_scaling_without_monitoring_is_warned_of() -> None:
    watched = target(monitoring=MonitoringPlan())
    assert scaled().warnings == (BLIND,)
    assert plan_one(TEXT, where=watched, replicas={"min": 0, "max": 3}).warnings == ()
    assert plan_one(TEXT).warnings == (), "a fixed number needs no figures"


def test_only_a_model_that_may_go_to_zero_rests() -> None:
    scale_to_zero_models, running = scaled().scaling, scaled(replicas={"min": 1, "max": 3}).scaling
    assert scale_to_zero_models
    assert running
    assert (scale_to_zero_models.scales_to_zero, running.scales_to_zero) == (True, False)
    assert running.activation_timeout_seconds == 0
    assert not said(scaled(replicas={"min": 1, "max": 3}), "rest")


def test_a_request_is_held_for_a_node_and_the_whole_load_window() -> None:
    model = scaled(capacity=steps("spot", "on-demand"))
    assert model.scaling
    probe = model.server.startup
    window = probe.period_seconds * probe.failure_threshold
    assert model.scaling.activation_timeout_seconds == NODE_START_SECONDS + NEXT_STEP_SECONDS + window
    assert f"{model.scaling.activation_timeout_seconds:,} s" in said(model, "rest")
    assert f"{window:,} s" in said(model, "rest")


@given(failures=st.integers(1, 2000), count=st.integers(0, 6))
def test_a_load_that_the_probe_allows_is_never_given_up_by_the_client_side(failures: int, count: int) -> None:
    startup = replace(CHAT.server.startup, failure_threshold=failures)
    held = activation_timeout_seconds(startup, count)
    assert held >= startup.period_seconds * failures + NODE_START_SECONDS
    assert activation_timeout_seconds(startup, count + 1) >= held


def test_the_address_of_one_model_is_no_name_of_another() -> None:
    first = (llama("acme/a"), ask("acme/a", replicas={"min": 0, "max": 1}))
    second = (llama("acme/a-wake"), ask("acme/a-wake"))
    with pytest.raises(PlanError, match="`a-wake` is reserved: it is the address that starts `a` from zero"):
        plan(first, second)
    assert plan((first[0], ask("acme/a")), second), "no address is needed where nothing rests"


@pytest.mark.parametrize(
    ("engine", "concurrency", "expected"),
    [
        (EngineKind.VLLM, 2, 64),
        (EngineKind.VLLM, 200, 200),
        (EngineKind.LLAMA_CPP, 3, 3),
        (EngineKind.TEI, 2, 64),
    ],
)
def test_a_replica_is_full_at_its_engines_batch(engine: EngineKind, concurrency: int, expected: int) -> None:
    assert concurrent_requests(engine, concurrency) == expected


@pytest.mark.parametrize(
    ("nodes", "per_node", "servers", "chat", "embed", "spare"),
    [
        (3, 1, 1, 2, 1, 0),  # full
        (2, 2, 1, 2, 1, 1),  # one accelerator of the second node
        (1, 8, 1, 4, 1, 3),
        (1, 8, 1, 8, 0, 0),
        (1, 1, 4, 2, 1, 1),  # a part of a shared card
        (1, 1, 4, 3, 1, 0),
    ],
)
def test_places_are_left_over_only_beyond_every_models_most(
    nodes: int, per_node: int, servers: int, chat: int, embed: int, spare: int
) -> None:
    pools = [
        replace(pool, max_nodes=nodes, accelerators_per_node=per_node, servers_per_accelerator=servers)
        for pool in (L4_SPOT, L4_ON_DEMAND)
    ]
    assert spare_places(CHAT.capacity_class, chat + embed, pools) == spare


def test_the_pool_with_least_decides() -> None:
    pools = [replace(L4_SPOT, max_nodes=9), replace(L4_ON_DEMAND, max_nodes=3)]
    assert spare_places(CHAT.capacity_class, 3, pools) == 0


def test_places_left_over_are_counted_once_for_all_models_of_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    def count(capacity_class: str, *rest: Any) -> int:
        counted.append(capacity_class)
        return spare_places(capacity_class, *rest)

    monkeypatch.setattr(gke, "spare_places", count)
    made = plan(*((EMBEDDER, ask(EMBEDDER.id, key=f"m{number}")) for number in range(6)))
    assert len(made.models) == 6
    assert counted == sorted({model.capacity_class for model in made.models})


def test_a_slice_leaves_nothing_over() -> None:
    assert spare_places(TPU.capacity_class, 1, [replace(TPU_SPOT, nodes_per_slice=2, max_nodes=20)]) == 0
    assert spare_places(GATED.capacity_class, 1, []) == 0


def test_a_rollout_uses_a_place_that_is_there_and_else_none() -> None:
    """Three quarters of a card: the fourth takes the new server while the old ones still answer."""
    asked = [(llama(f"acme/{name}"), ask(f"acme/{name}", share_gpu=True, context=2048)) for name in ("a", "b", "c")]
    shared = plan(*asked)
    (pool,) = shared.pools
    assert pool.max_nodes * pool.servers_per_accelerator > len(shared.models)
    assert {model.max_surge for model in shared.models} == {1}
    assert "the new replica first" in said(shared.models[0], "rollout")
    alone = plan_one(TEXT)
    assert alone.max_surge == 0
    assert "stops the old replica first" in said(alone, "rollout")
    wide = plan_one(hub("deepseek-ai/DeepSeek-V3"))
    assert wide.max_surge == 0
    assert "a second group of nodes" in said(wide, "rollout")
