# SPDX-License-Identifier: Apache-2.0
import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from hubstack.kinds import CapacityKind
from hubstack.plan import ModelPlan, PoolPlan
from hubstack.plan.addresses import NODES_RANGE, PODS_RANGE, SERVICES_RANGE
from hubstack.plan.network import NetworkPlan
from hubstack.planner.cluster_limits import COUNTS, Limit, limit_warnings, limits
from tests.support.light_plans import RUN
from tests.support.plans import MODELS, POOLS, SCALING

DOCS = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "scale.md"
CHAT = next(model for model in MODELS if model.key == "chat")
POOL = next(pool for pool in POOLS if pool.capacity_class == CHAT.capacity_class)


def limit(counts: str) -> Limit:
    return next(each for each in limits() if each.counts == counts)


def copies(model: ModelPlan, number: int) -> list[ModelPlan]:
    return [replace(model, key=f"m{at}") for at in range(number)]


def test_each_limit_is_counted_and_each_count_has_a_limit() -> None:
    assert sorted(each.counts for each in limits()) == sorted(COUNTS)
    assert all(each.source and each.hint and each.as_of >= "2026" for each in limits())


def test_the_ranges_of_the_network_are_those_of_the_limits() -> None:
    assert ipaddress.ip_network(SERVICES_RANGE).num_addresses == limit("service_addresses").most
    assert ipaddress.ip_network(NODES_RANGE).num_addresses - 4 == limit("busy_nodes").most
    # A node takes a /26 of the pods' range: it lasts as long as that of the nodes.
    assert ipaddress.ip_network(PODS_RANGE).num_addresses // 64 >= limit("busy_nodes").most


@pytest.mark.parametrize(
    ("network", "most"),
    [
        (NetworkPlan(nodes_cidr="10.8.0.0/26"), 60),
        (NetworkPlan(pods_cidr="10.64.0.0/21"), 32),
        (NetworkPlan(nodes_cidr="10.8.0.0/26", pods_cidr=None), 60),
    ],
)
def test_smaller_ranges_of_a_stack_take_fewer_nodes(network: NetworkPlan, most: int) -> None:
    assert list(limit_warnings([], [replace(POOL, max_nodes=most)], network)) == []
    (warning,) = limit_warnings([], [replace(POOL, max_nodes=most + 1)], network)
    assert f"the limit is {most} " in warning


def test_a_smaller_range_of_services_takes_fewer_models() -> None:
    network = NetworkPlan(services_cidr="10.9.0.0/27")
    assert list(limit_warnings(copies(CHAT, 32), [], network)) == []
    (warning,) = limit_warnings(copies(CHAT, 33), [], network)
    assert "addresses of Services" in warning


def test_a_plan_within_every_limit_has_no_warning() -> None:
    assert list(limit_warnings(MODELS, POOLS)) == []


def test_each_model_on_gke_has_one_address_and_one_that_rests_two_names() -> None:
    scale_to_zero_models = replace(CHAT, scaling=replace(SCALING, scales_to_zero=True))
    awake = replace(CHAT, scaling=None)
    for model, services in ((scale_to_zero_models, 2), (awake, 1)):
        assert COUNTS["services"]([model], []) == services
        assert COUNTS["service_addresses"]([model], []) == COUNTS["deployments"]([model], []) == 1
    assert COUNTS["deployments"]([replace(awake, hosts=2)], []) == 0, "a group is no Deployment"


def test_one_model_more_than_there_may_be_is_a_warning_that_says_what_to_do() -> None:
    awake = replace(CHAT, scaling=None)
    most = limit("deployments").most
    assert list(limit_warnings(copies(awake, most), [])) == []
    (warning,) = limit_warnings(copies(awake, most + 1), [])
    assert warning.startswith("2,001 Deployments in the models' namespace, but the limit is 2,000")
    assert warning.endswith("divide the list between clusters")


def test_models_beside_gke_are_counted_where_they_are() -> None:
    assert {name: n for name, count in COUNTS.items() if (n := count([RUN], []))} == {"cloud_run_services": 1}


@pytest.mark.parametrize(
    ("changes", "nodes"),
    [
        ([{"capacity": CapacityKind.SPOT}, {"capacity": CapacityKind.ON_DEMAND}], 7),  # the second stands in
        ([{"capacity": CapacityKind.SPOT}, {"capacity": CapacityKind.SPOT}], 14),  # two slices, bought alike
        ([{"capacity_class": "a"}, {"capacity_class": "b"}], 14),
    ],
)
def test_pools_that_stand_in_for_each_other_are_counted_once(changes: list[dict[str, object]], nodes: int) -> None:
    pools: list[PoolPlan] = [replace(POOL, max_nodes=7, **change) for change in changes]  # type: ignore[arg-type]
    assert COUNTS["busy_nodes"]([], pools) == nodes


def test_a_pool_is_spread_over_its_zones() -> None:
    pool = replace(POOL, max_nodes=3001, zones=("a", "b", "c"))
    assert COUNTS["nodes_of_largest_pool_zone"]([], [pool]) == 1001
    assert [w for w in limit_warnings([], [pool]) if w.startswith("1,001 nodes of one pool in one zone")]


def test_the_page_names_every_limit() -> None:
    text = DOCS.read_text()
    for each in limits():
        assert f"{each.most:,}" in text, each.counts
