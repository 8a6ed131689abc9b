# SPDX-License-Identifier: Apache-2.0
"""How many nodes the pool of controllers and loads may have."""

import pytest

from hubstack.deploy.manifests.loader import loader_job
from hubstack.planner.placement.system_pool import LOADS_A_NODE, max_system_nodes
from tests.support.plans import make_plan

CPUS, MEMORY_GIB = 3.92, 13.3
"""What GKE leaves to pods of four CPUs and 16 GiB (GKE docs, "Plan GKE Standard node sizes"). It keeps of CPUs 6 %
of the first, 1 % of the second, 0.5 % of the next two; of memory a quarter of the first 4 GiB, 20 % of the next 4,
10 % of the next 8, and 100 MiB."""


@pytest.mark.parametrize(("models", "nodes"), [(1, 4), (48, 4), (49, 5), (288, 24), (1_000, 24), (10_000, 24)])
def test_a_long_list_has_more_nodes_and_a_short_one_as_many_as_ever(models: int, nodes: int) -> None:
    assert max_system_nodes(models) == nodes


def test_a_node_holds_as_many_loads_as_are_counted() -> None:
    plan = make_plan()
    asked = loader_job(plan.target, plan.models[0])["spec"]["template"]["spec"]["containers"][0]["resources"][
        "requests"
    ]
    assert min(CPUS // int(asked["cpu"]), MEMORY_GIB // int(asked["memory"].removesuffix("Gi"))) == LOADS_A_NODE
