# SPDX-License-Identifier: Apache-2.0
"""The choice for the whole fleet, against every other choice where the fleet is small enough to try all."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubstack.inputs.models import ModelRequest, Request
from hubstack.kinds import PlatformKind
from hubstack.plan import Plan
from hubstack.planner.placement import solver as assignment
from hubstack.planner.placement.candidates import CandidateFinder
from hubstack.planner.placement.offers import HOST_SHARE, SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_BYTES, list_offers
from hubstack.planner.placement.placement_file import Placement
from hubstack.planner.placement.solver import Wanted, assign, fleet_usd
from hubstack.planner.planner import _Locked, _survey, _wanted, _with_shared, places_of
from tests.support.facts import ask, catalog, hub, llama, plan, steps, target

H100 = ("h100-80gb",)
SMALL = [
    "BAAI/bge-large-en-v1.5",
    "Qwen/Qwen3-Embedding-0.6B",
    "Qwen/Qwen3-4B-Instruct-2507",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
]


def wanted(*models: tuple[Any, ModelRequest]) -> list[Wanted]:
    place = target()
    finder = CandidateFinder(list_offers(catalog(), place), catalog(), place)
    request = Request(path="x", models=tuple(sorted((r for _, r in models), key=lambda r: r.key)))
    facts = {r.key: f for f, r in models}
    drafts = _with_shared(
        _survey(request, _Locked(facts, {}), catalog(), {PlatformKind.GKE: finder}, place), {}, finder
    )
    return [_wanted(draft) for draft in drafts.values()]


def small(key: str, repo_id: str, **fields: Any) -> tuple[Any, ModelRequest]:
    return hub(repo_id), ask(repo_id, key=key, **fields)


def test_models_on_one_kind_of_card_share_its_nodes() -> None:
    """On demand H100 come by eight only: eight models of one card each stand on one node, not on eight."""
    eight = [small(f"m{n}", "Qwen/Qwen3-8B", accelerator={"any": H100}) for n in range(8)]
    (pool,) = plan(*eight).pools
    assert (pool.machine_type, pool.max_nodes) == ("a3-highgpu-8g", 1)


def test_a_ninth_takes_a_second_node() -> None:
    nine = [small(f"m{n}", "Qwen/Qwen3-8B", accelerator={"any": H100}) for n in range(9)]
    assert plan(*nine).pools[0].max_nodes == 2


def test_what_is_left_of_a_node_is_taken_before_another_is_paid_for() -> None:
    """Seven on a node of eight H100 leave a card: a model that would cost an L4 alone takes it for nothing."""
    seven = [small(f"m{n}", "Qwen/Qwen3-8B", accelerator={"any": H100}) for n in range(7)]
    decided = plan(*seven, small("free", "Qwen/Qwen3-4B-Instruct-2507"))
    assert {pool.machine_type for pool in decided.pools} == {"a3-highgpu-8g"}


def brute(each: list[Wanted]) -> float:
    servers = {one.key: one.servers for one in each}
    few = [[c for at, c in enumerate(one.candidates) if at < 6] for one in each]
    return min(fleet_usd(dict(zip(servers, choice, strict=True)), servers) for choice in product(*few))


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(SMALL), st.booleans(), st.integers(1, 3)), min_size=1, max_size=4))
def test_no_choice_of_a_small_fleet_costs_less(drawn: list[tuple[str, bool, int]]) -> None:
    each = wanted(
        *(
            small(f"m{n}", repo_id, share_gpu=shared, replicas={"max": replicas}, context=512, concurrency=1)
            for n, (repo_id, shared, replicas) in enumerate(drawn)
        )
    )
    assert assign(each).usd_per_hour <= brute(each) * 1.001


def test_the_greedy_search_stands_in_where_the_solver_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    each = wanted(*(small(f"m{n}", "Qwen/Qwen3-8B", accelerator={"any": H100}) for n in range(8)))
    solved = assign(each)
    monkeypatch.setattr(assignment._Problem, "solve", lambda _: None)
    found = assign(each)
    assert found.bound is None
    assert found.usd_per_hour == pytest.approx(solved.usd_per_hour)


def test_equal_input_gives_equal_output() -> None:
    each = wanted(*(small(f"m{n}", SMALL[n % 5], share_gpu=n % 2 == 0) for n in range(12)))
    first, again = assign(each), assign(list(reversed(each)))
    assert {k: c.key for k, c in first.taken.items()} == {k: c.key for k, c in again.taken.items()}


def test_a_model_that_no_longer_fits_where_it_stands_moves_and_says_why() -> None:
    before = plan(small("chat", "Qwen/Qwen3-8B"))
    stand = Placement(models=places_of(before))
    grown = plan(small("chat", "Qwen/Qwen3-8B", context=40960, concurrency=8), placement=stand)
    assert grown.models[0].machine_type != before.models[0].machine_type
    assert any("the model moves from 1 x g2-standard-4: " in warning for warning in grown.warnings)


def test_a_kept_model_stays_even_where_the_fleet_would_be_cheaper_without() -> None:
    alone = plan(small("chat", "Qwen/Qwen3-8B", accelerator="a100-40gb"))
    stand = Placement(models=places_of(alone))
    both = [small("chat", "Qwen/Qwen3-8B"), small("other", "Qwen/Qwen3-8B")]
    kept = {model.key: model.machine_type for model in plan(*both, placement=stand).models}
    assert kept["chat"] == "a2-highgpu-1g"
    assert {model.machine_type for model in plan(*both).models} == {"g2-standard-4"}


# Pods and nodes -------------------------------------------------------------------------------------------------


def assert_pods_fit(decided: Plan) -> None:
    """Every node holds its servers with their sidecars in what GKE leaves (docs/concepts/catalog.md)."""
    by_class = {pool.capacity_class: pool for pool in decided.pools}
    for model in decided.models:
        pool = by_class[model.capacity_class]
        machine = catalog().machine_types[pool.machine_type]
        on_node = (
            pool.accelerators_per_node
            * pool.servers_per_accelerator
            // (1 if model.servers_per_accelerator > 1 else model.accelerator_count // model.hosts)
        )
        memory = (model.server.memory_bytes + SIDECAR_MEMORY_BYTES) * on_node
        cpu = (model.server.cpu_millicores + SIDECAR_CPU_MILLICORES) * on_node
        assert memory <= machine.allocatable_memory_bytes * HOST_SHARE, (model.key, pool.machine_type)
        assert cpu <= machine.allocatable_cpu_millicores, (model.key, pool.machine_type)
        assert model.server.memory_bytes > 0


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from(SMALL), st.booleans(), st.integers(1, 4), st.sampled_from([(), H100, ("l4",)])),
        min_size=1,
        max_size=6,
    )
)
def test_the_pods_of_every_plan_fit_their_nodes(drawn: list[tuple[str, bool, int, tuple[str, ...]]]) -> None:
    assert_pods_fit(
        plan(
            *(
                small(
                    f"m{n}",
                    repo_id,
                    share_gpu=shared,
                    replicas={"max": replicas},
                    accelerator={"any": cards} if cards else None,
                    context=512,
                )
                for n, (repo_id, shared, replicas, cards) in enumerate(drawn)
            )
        )
    )


# Steps ----------------------------------------------------------------------------------------------------------


def test_each_step_is_shown_to_fit_on_its_own_machine() -> None:
    (first, other) = steps("spot", "on-demand")
    asked = ask(
        "acme/llama",
        capacity=(first, other.model_copy(update={"accelerator": "a100-40gb", "zones": ("us-central1-a",)})),
    )
    model = plan((llama(), asked)).models[0]
    assert [(step.accelerator, step.machine_type) for step in model.steps] == [
        ("l4", "g2-standard-4"),
        ("a100-40gb", "a2-highgpu-1g"),
    ]
    assert model.steps[1].zones == ("us-central1-a",)
    assert all(step.needs_bytes < step.budget_bytes for step in model.steps)
    pools = {pool.key: pool for pool in plan((llama(), asked)).pools}
    assert {pools[step.pool].machine_type for step in model.steps} == {"g2-standard-4", "a2-highgpu-1g"}


def test_a_step_on_a_card_that_is_too_small_rules_the_place_out() -> None:
    (first, other) = steps("on-demand", "spot")
    asked = ask("Qwen/Qwen3-32B", capacity=(first, other.model_copy(update={"accelerator": "l4"})), context=8192)
    model = plan((hub("Qwen/Qwen3-32B"), asked)).models[0]
    assert model.accelerator_count >= 4, "one card of 96 GB would do, but no single L4 behind it"
    assert [step.accelerator_count for step in model.steps] == [model.accelerator_count] * 2
