# SPDX-License-Identifier: Apache-2.0
"""Replicas that span nodes: LeaderWorkerSet's own controller makes their pods, the real scheduler binds them.

A stack made on the spot from facts of real models, so that it does not depend on which examples there are: one
model on two GPU nodes, and one on slices of four TPU hosts, of which a replica takes one whole.
"""

import shutil
from collections import Counter

import pytest
import yaml

from hubstack.hub.lock import render_lock
from proof.places import missing, pods_of, scale_to_max, settle, wrong
from proof.sandbox import Sandbox
from proof.stack import Stack, model_of, read_stack
from tests.planner.serving.test_multi_host import LLAMA_70B
from tests.proof.conftest import PROJECT
from tests.support.facts import hub, llama

pytestmark = pytest.mark.proof
GROUP, INDEX = "leaderworkerset.sigs.k8s.io/group-index", "leaderworkerset.sigs.k8s.io/worker-index"


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    project = tmp_path_factory.mktemp("groups")
    folder = project / "stacks"
    folder.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, project / name)
    wide, sliced = hub("deepseek-ai/DeepSeek-V3"), llama(config=LLAMA_70B, parameters={"BF16": 70_553_706_496})
    models = [
        {"id": wide.id, "name": "wide", "replicas": {"min": 0, "max": 1}, "capacity": ["on-demand"]},
        {
            "id": sliced.id,
            "name": "sliced",
            "replicas": {"min": 0, "max": 2},
            "capacity": ["spot", "on-demand"],
            "accelerator": "tpu-v5e",
        },
    ]
    (folder / "groups.models.yaml").write_text(yaml.safe_dump({"models": models}))
    (folder / "groups.models.lock.yaml").write_text(render_lock([wide, sliced]))
    config = {
        "gcp:project": "acme-groups",
        "gcp:region": "us-central1",
        "hubstack:models": "stacks/groups.models.yaml",
        "hubstack:deletionProtection": "false",
    }
    (folder / "Pulumi.groups.yaml").write_text(yaml.safe_dump({"config": config}))
    made = read_stack(project, "groups", project / "rendered")
    sandbox.empty()
    sandbox.use(made.pools)
    sandbox.apply(made.folder)
    return made


def test_a_group_has_a_leader_and_its_workers_and_a_slice_holds_one_group(sandbox: Sandbox, stack: Stack) -> None:
    by_name = {each["metadata"]["name"]: each for each in stack.workloads}
    assert {name: each["kind"] for name, each in by_name.items()} == dict.fromkeys(
        ("wide-group", "sliced-group"), "LeaderWorkerSet"
    )
    expected = scale_to_max(sandbox, stack)
    assert expected == {"wide-group": 2, "sliced-group": 8}
    found = settle(sandbox, stack, expected)
    assert not missing(sandbox, stack, expected)
    assert not wrong(found)
    pods, nodes = sandbox.pods(), sandbox.nodes()
    for name, each in by_name.items():
        made = pods_of(each, pods)
        assert sum(pod["metadata"]["labels"][INDEX] == "0" for pod in made) == stack.max_replicas(each), "leaders"
        per_node = Counter(pod["spec"]["nodeName"] for pod in made)
        assert set(per_node.values()) == {1}, f"{name}: a rank takes a whole node"
    slices = {
        (pod["metadata"]["labels"][GROUP], sandbox.pool_of_pod(pod, nodes))
        for pod in pods_of(by_name["sliced-group"], pods)
    }
    assert len(slices) == len({group for group, _ in slices}) == len({pool for _, pool in slices}) == 2


def test_the_service_leads_to_ready_leaders(sandbox: Sandbox, stack: Stack) -> None:
    namespace = stack.plan.target.namespace
    for each in stack.workloads:
        name = model_of(each) or ""
        leaders = {
            pod["status"].get("podIP")
            for pod in pods_of(each, sandbox.pods())
            if pod["metadata"]["labels"][INDEX] == "0"
        }

        def addresses(name: str = name) -> set[str]:
            slices = sandbox.api.objects("discovery.k8s.io/v1", "EndpointSlice", namespace)
            of_service = [
                one for one in slices if one["metadata"]["labels"].get("kubernetes.io/service-name") == name
            ]
            ready = [
                point for one in of_service for point in one["endpoints"] or () if point["conditions"]["ready"]
            ]
            return {address for point in ready for address in point["addresses"]}

        sandbox.wait(
            "the Service has its leaders", lambda leaders=leaders, addresses=addresses: addresses() == leaders
        )


def test_a_slice_out_of_stock_is_bought_in_the_next_way_whole(sandbox: Sandbox, stack: Stack) -> None:
    sliced = next(model for model in stack.plan.models if model.key == "sliced")
    for each in stack.workloads:
        sandbox.scale(each, 0)
    sandbox.wait("groups are gone", lambda: not any(pods_of(each, sandbox.pods()) for each in stack.workloads))
    with sandbox.paused():
        for node in sandbox.nodes().values():
            if node["metadata"]["labels"].get("cloud.google.com/compute-class"):
                sandbox.api.delete(node)
    sandbox.set_out_of_stock(stack.steps(sliced.capacity_class)[0])
    expected = scale_to_max(sandbox, stack)
    assert not wrong(settle(sandbox, stack, expected, {sliced.capacity_class: 1}))
    assert not missing(sandbox, stack, expected)
