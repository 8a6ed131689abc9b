# SPDX-License-Identifier: Apache-2.0
"""The examples as a user meets them: their plans and graphs, whole and by name."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from tests.support import golden
from tests.support.golden import live_graph


@cache
def plan(example: str) -> dict[str, Any]:
    return json.loads(golden.plan_text(example))


def types(example: str) -> Counter[str]:
    return Counter(resource["type"] for resource in live_graph(example)["resources"])


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_the_plan_of_an_example_is_the_reviewed_one(example: str) -> None:
    assert json.loads(golden.golden_path(example, "plan").read_text()) == plan(example), (
        "the plan changed: run ./dev golden and review the diff"
    )


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_the_graph_of_an_example_is_the_reviewed_one(example: str) -> None:
    assert golden.golden_path(example, "graph").read_text() == golden.encode(live_graph(example)), (
        "the graph changed: run ./dev golden and review the diff"
    )


def test_quickstart_runs_three_models_on_one_shape_of_l4() -> None:
    models = plan("quickstart")["models"]
    assert [model["id"] for model in models] == [
        "BAAI/bge-small-en-v1.5",
        "Qwen/Qwen3-4B-Instruct-2507",
        "Qwen/Qwen3-Embedding-0.6B",
    ]
    assert {model["accelerator"] for model in models} == {"l4"}
    assert len(plan("quickstart")["classes"]) == 1, "three models of one shape and order share their nodes"


def test_the_fleet_covers_every_kind_that_the_readme_names() -> None:
    models = {model["key"]: model for model in plan("fleet")["models"]}
    assert len(models) >= 12
    assert {model["server"]["engine"] for model in models.values()} >= {"vllm", "vllm-tpu", "tei"}
    assert {model["accelerator_kind"] for model in models.values()} == {"gpu", "tpu"}
    assert sorted(key for key, model in models.items() if model["gated"]) == [
        "gemma-3-27b-it",
        "llama-3-3-70b-instruct",
    ]
    assert any(model["tensor_parallel"] > 1 for model in models.values())


ON_GKE = ("quickstart", "fleet")


@pytest.mark.parametrize("example", ON_GKE)
def test_every_model_gets_exactly_its_own_resources(example: str) -> None:
    models = plan(example)["models"]
    primaries = [model for model in models if model["canary_of"] is None]
    seen = types(example)
    assert seen["gcp:storage/bucket:Bucket"] == len(primaries), "a canary lies beside its primary"
    assert seen["kubernetes:batch/v1:Job"] == len(models)
    servers = Counter(r["type"] for r in live_graph(example)["resources"] if ":ModelServer$" in r["urn"])
    groups = servers["kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"]
    assert servers["kubernetes:apps/v1:Deployment"] + groups == len(models)
    scale_to_zero_models = [model for model in models if model["scaling"] and model["scaling"]["scales_to_zero"]]
    assert servers["kubernetes:core/v1:Service"] == len(models) + len(scale_to_zero_models), (
        "a resting model has two addresses"
    )


def test_production_is_reached_at_one_private_address() -> None:
    (gateway,) = (r for r in live_graph("production")["resources"] if r["type"].endswith("/v1:Gateway"))
    assert gateway["inputs"]["spec"]["gatewayClassName"] == "gke-l7-rilb"
    assert gateway["inputs"]["spec"]["listeners"][0]["hostname"] == "models.acme.internal"
    assert types("production")["kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"] == 4, "one for each model"


def test_production_splits_one_model_between_two_real_commits() -> None:
    models = {model["key"]: model for model in plan("production")["models"]}
    assert models["support-canary"]["canary_of"] == "support"
    assert (models["support"]["commit"][:12], models["support-canary"]["commit"][:12]) == (
        "e0bc86c23ce5",
        "83e9aa141f2e",
    )
    (route,) = (
        r
        for r in live_graph("production")["resources"]
        if r["type"].endswith(":HTTPRoute") and r["inputs"]["metadata"]["name"] == "support"
    )
    for rule in route["inputs"]["spec"]["rules"]:
        assert [(ref["name"], ref["weight"]) for ref in rule["backendRefs"]] == [
            ("support", 90),
            ("support-canary", 10),
        ]


def test_production_picks_servers_where_there_are_several_and_holds_requests_where_there_are_none() -> None:
    pools = [
        r["inputs"]["metadata"]["name"]
        for r in live_graph("production")["resources"]
        if r["type"].endswith(":InferencePool")
    ]
    assert sorted(pools) == ["chat", "support", "support-canary"]
    (grant,) = (r for r in live_graph("production")["resources"] if r["type"].endswith(":ReferenceGrant"))
    assert grant["inputs"]["metadata"]["namespace"] == "keda"


@pytest.mark.parametrize("example", ["quickstart", "fleet"])
def test_a_stack_that_asks_for_no_gateway_has_no_part_of_one(example: str) -> None:
    assert not [
        r for r in live_graph(example)["resources"] if "gateway" in r["type"].lower() or "gateway" in r["urn"]
    ]


def test_a_list_on_cloud_run_costs_its_buckets_while_idle_and_has_no_cluster() -> None:
    decided, seen = plan("cloud-run"), types("cloud-run")
    assert {model["platform"] for model in decided["models"]} == {"cloud-run"}
    assert {model["cloud_run"]["accelerator"] for model in decided["models"]} == {
        "nvidia-l4",
        "nvidia-rtx-pro-6000",
    }
    buckets = sum(line["usd_per_month_min"] for line in decided["cost"]["lines"] if "bucket" in line["what"])
    assert decided["cost"]["usd_per_month_min"] == pytest.approx(buckets)
    assert buckets < 2
    for kind in ("gcp:cloudrunv2/service:Service", "gcp:cloudrunv2/job:Job", "gcp:storage/bucket:Bucket"):
        assert seen[kind] == 3
    refused = ("kubernetes:", "gcp:container/", "gcp:compute/", "pulumi:providers:kubernetes")
    assert not [kind for kind in seen if kind.startswith(refused)]


def test_a_list_on_vertex_is_one_deployment_without_a_price() -> None:
    (line,) = plan("vertex")["cost"]["lines"]
    assert (line["usd_per_month_min"], line["usd_per_month_max"]) == (None, None)
    assert plan("vertex")["cost"]["unpriced"]
    own = [kind for kind in types("vertex") if kind.startswith("gcp:") and "projects/service" not in kind]
    assert own == ["gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment"]


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_models_whose_number_may_change_are_scaled_and_resting_ones_woken(example: str) -> None:
    models, seen = [model for model in plan(example)["models"] if model["platform"] == "gke"], types(example)
    assert seen["kubernetes:keda.sh/v1alpha1:ScaledObject"] == sum(
        model["replicas"]["min"] < model["replicas"]["max"] for model in models
    )
    scale_to_zero_models = {model["key"] for model in models if model["replicas"]["min"] == 0}
    assert seen["kubernetes:http.keda.sh/v1beta1:InterceptorRoute"] == len(scale_to_zero_models)
    endpoints = next(r for r in live_graph(example)["resources"] if r["type"] == "hubstack:fleet:Fleet")["outputs"][
        "endpoints"
    ]
    assert {key for key, address in endpoints.items() if "-wake." in address} == scale_to_zero_models


def test_models_that_span_nodes_are_groups_with_their_controller() -> None:
    models = {model["key"]: model for model in plan("multi-host")["models"]}
    assert (models["deepseek-v3"]["hosts"], models["deepseek-v3"]["accelerator_kind"]) == (2, "gpu")
    assert (models["qwen-72b"]["hosts"], models["qwen-72b"]["tpu_topology"]) == (4, "4x4")
    slices = [pool for pool in plan("multi-host")["pools"] if pool["nodes_per_slice"] > 1]
    assert len(slices) == models["qwen-72b"]["replicas"]["max"], "a slice for each replica"
    found = types("multi-host")
    assert found["hubstack:group_controller:GroupController"] == 1
    assert "hubstack:group_controller:GroupController" not in types("fleet"), "nobody there spans nodes"


def test_the_fleet_shows_every_way_to_load() -> None:
    loading = {model["key"]: model["loading"] for model in plan("fleet")["models"]}
    assert loading["minimax-m2-5"]["method"] == "runai-streamer"
    assert loading["minimax-m2-5"]["cache_zones"]
    assert loading["llama-3-3-70b-instruct"]["method"] == "hyperdisk-ml"
    assert {each["method"] for each in loading.values()} == {"runai-streamer", "hyperdisk-ml", "gcsfuse"}
    seen = types("fleet")
    assert seen["kubernetes:datalayer.gke.io/v1:GCPDataSource"] == 1
    assert seen["kubernetes:core/v1:PersistentVolumeClaim"] == 1
    assert seen["gcp:storage/anywhereCache:AnywhereCache"] == len(loading["minimax-m2-5"]["cache_zones"])


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_every_planned_pool_is_a_node_pool(example: str) -> None:
    pools = {pool["key"] for pool in plan(example)["pools"]}
    assert len(pools) == len(plan(example)["pools"])
    names = {
        resource["inputs"]["name"]
        for resource in live_graph(example)["resources"]
        if resource["type"] == "gcp:container/nodePool:NodePool"
    }
    assert pools <= names


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_no_locked_commit_is_invented(example: str) -> None:
    for model in plan(example)["models"]:
        assert len(model["commit"]) == 40
        staged = "" if model["platform"] == "vertex" else model["commit"]
        assert model["weights"]["prefix"] == staged, "weights are staged by commit"
