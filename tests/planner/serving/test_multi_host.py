# SPDX-License-Identifier: Apache-2.0
"""A replica over several nodes (https://github.com/kubernetes-sigs/lws)."""

from dataclasses import replace

from hubstack.deploy import manifests
from hubstack.deploy.manifests import leader_worker_set
from tests.support.facts import ask, hub, llama, plan
from tests.support.plans import GATED, TPU, make_plan

LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}
WIDE = replace(GATED, hosts=2, server=replace(GATED.server, worker_args=("/weights", "--headless")))


def test_the_group_is_as_large_as_the_replica_and_restarts_as_one() -> None:
    spec = leader_worker_set(make_plan().target, WIDE)["spec"]
    assert spec["replicas"] == WIDE.replicas.min
    template = spec["leaderWorkerTemplate"]
    assert (template["size"], template["restartPolicy"]) == (2, "RecreateGroupOnPodRestart")
    assert spec["rolloutStrategy"]["rollingUpdateConfiguration"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_workers_answer_no_one_and_are_not_probed() -> None:
    template = leader_worker_set(make_plan().target, WIDE)["spec"]["leaderWorkerTemplate"]
    (leader,) = template["leaderTemplate"]["spec"]["containers"]
    (worker,) = template["workerTemplate"]["spec"]["containers"]
    assert worker["args"] == ["/weights", "--headless"]
    assert leader["args"] == list(WIDE.server.args)
    assert "readinessProbe" in leader
    assert not {"startupProbe", "readinessProbe", "livenessProbe", "ports"} & set(worker)
    assert leader["resources"] == worker["resources"]


def test_the_service_leads_to_leaders_only() -> None:
    leader = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert manifests.service(make_plan().target, WIDE)["spec"]["selector"].items() >= leader.items()
    assert not manifests.service(make_plan().target, GATED)["spec"]["selector"].items() & leader.items()


def test_the_group_leaves_its_own_name_to_the_controllers_headless_service() -> None:
    group = leader_worker_set(make_plan().target, WIDE)["metadata"]["name"]
    assert group != manifests.service(make_plan().target, WIDE)["metadata"]["name"], (
        "workers would not find their leader"
    )


def test_a_tpu_group_keeps_to_one_slice() -> None:
    slices = leader_worker_set(make_plan().target, replace(TPU, hosts=2))["metadata"]["annotations"]
    assert slices["leaderworkerset.sigs.k8s.io/exclusive-topology"] == "cloud.google.com/gke-nodepool"


def test_a_slice_of_several_hosts_is_a_pool_for_each_replica() -> None:
    """70 billion parameters in 16 bits on v5e: 131 GiB, of 14 GiB a chip; no host has more than eight."""
    asked = ask("acme/llama", accelerator="v5e", replicas={"max": 2})
    decided = plan((llama(config=LLAMA_70B, parameters={"BF16": 70_553_706_496}), asked))
    (model,) = decided.models
    assert (model.tpu_topology, model.hosts, model.tensor_parallel) == ("4x4", 4, 4)
    slices = [(pool.tpu_topology, pool.nodes_per_slice, pool.max_nodes) for pool in decided.pools]
    assert slices == [("4x4", 4, 4)] * 2
    assert sorted(decided.classes[0].pools) == [pool.key for pool in decided.pools]
    (cost,) = decided.cost.pools
    assert (cost.nodes_idle, cost.nodes_busy) == (4, 8)


def test_a_model_too_large_for_a_node_is_planned_over_several() -> None:
    decided = plan(hub("deepseek-ai/DeepSeek-V3"))
    (model,), (pool,) = decided.models, decided.pools
    assert (model.hosts, pool.max_nodes, pool.nodes_per_slice) == (2, 2, 1)
    template = leader_worker_set(decided.target, model)["spec"]["leaderWorkerTemplate"]
    (leader,) = template["leaderTemplate"]["spec"]["containers"]
    assert leader["resources"]["limits"]["nvidia.com/gpu"] == str(model.accelerator_count // 2)


def test_workers_start_beside_their_leader() -> None:
    """vLLM's leader is ready once its workers have joined: told to wait for it they would wait for ever."""
    assert leader_worker_set(make_plan().target, WIDE)["spec"]["startupPolicy"] == "LeaderCreated"


def test_one_pod_of_a_group_at_a_time_is_evicted_and_one_that_serves_no_one_always() -> None:
    budget = manifests.disruption_budget(make_plan().target, WIDE)["spec"]
    assert budget["maxUnavailable"] == 1, "more would let two groups lose a pod each"
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow", "a load that never ends must not stop an upgrade"
    labels = leader_worker_set(make_plan().target, WIDE)["spec"]["leaderWorkerTemplate"]
    for pod in ("leaderTemplate", "workerTemplate"):
        assert budget["selector"]["matchLabels"].items() <= labels[pod]["metadata"]["labels"].items()
