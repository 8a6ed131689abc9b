# SPDX-License-Identifier: Apache-2.0
"""Every multi-host TPU model is whole: pools, group and pods agree on one slice."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from hubstack.deploy.manifests import incomplete_slices
from hubstack.plan import ModelPlan, Plan, PoolPlan, Replicas
from tests.support.facts import ask, llama, plan, steps
from tests.support.plans import make_plan

LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}


@cache
def sliced(replicas: int = 2, *bought: str) -> Plan:
    asked = ask(
        "acme/llama", accelerator="v5e", replicas={"max": replicas}, capacity=steps(*(bought or ("on-demand",)))
    )
    return plan((llama(config=LLAMA_70B, parameters={"BF16": 70_553_706_496}), asked))


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("bought", [("on-demand",), ("spot", "on-demand")])
def test_what_is_planned_is_whole(replicas: int, bought: tuple[str, ...]) -> None:
    decided = sliced(replicas, *bought)
    assert decided.models[0].hosts == 4
    assert len(decided.pools) == replicas * len(bought), "a pool for each replica and way of buying"
    assert incomplete_slices(decided) == ()


def test_other_models_are_not_its_matter() -> None:
    assert incomplete_slices(make_plan()) == ()


def model(**changes: object) -> Callable[[Plan], Plan]:
    return lambda whole: replace(whole, models=(replace(whole.models[0], **changes),))


def pool(**changes: object) -> Callable[[Plan], Plan]:
    return lambda whole: replace(whole, pools=(replace(whole.pools[0], **changes), *whole.pools[1:]))


def chips(count: int) -> Callable[[Plan], Plan]:
    def change(whole: Plan) -> Plan:
        found: ModelPlan = whole.models[0]
        return replace(whole, models=(replace(found, server=replace(found.server, accelerator_count=count)),))

    return change


BROKEN: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "a pod that leaves chips": (chips(2), "its leader asks for 2 chips of nodes with 4"),
    "another topology of the pods": (model(tpu_topology="2x4"), "has topology 4x4, but its pods request 2x4"),
    "a pod without its topology": (model(tpu_topology=None), "its worker selects cloud.google.com/gke-tpu-acc"),
    "a pool of another slice": (pool(tpu_topology="4x8"), "4x8 has 32 chips, which does not match 4 nodes of 4"),
    "a pool that may be half a slice": (pool(max_nodes=2), "scales from 0 to 2 nodes, but a slice has 4"),
    "a pool that is never empty": (pool(min_nodes=4), "scales from 4 to 4"),
    "a pool too few": (lambda whole: replace(whole, pools=whole.pools[:1]), "1 pools of capacity on-demand, but 2"),
    "more replicas than pools": (model(replicas=Replicas(min=1, max=3)), "2 pools of capacity on-demand, but 3"),
    "a group of another size": (model(hosts=2), "4 nodes per slice, but its groups have 2"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_not_whole_is_named(how: str) -> None:
    change, expected = BROKEN[how]
    found = incomplete_slices(change(sliced()))
    assert any(expected in line for line in found), found


def test_a_pool_is_told_its_slice_as_the_plan_has_it() -> None:
    """The component passes these fields on (tests/components/test_accelerator_pool.py)."""
    assert {one.tpu_topology for one in sliced().pools} == {sliced().models[0].tpu_topology}
    assert all(isinstance(one, PoolPlan) and one.nodes_per_slice == one.max_nodes for one in sliced().pools)
