# SPDX-License-Identifier: Apache-2.0
"""The examples as a user meets them: their plans and graphs, whole and by name."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from tests.support import golden


@cache
def plan(example: str) -> dict[str, Any]:
    return json.loads(golden.plan_text(example))


@cache
def graph(example: str) -> dict[str, Any]:
    return json.loads(golden.graph_text(example))


def types(example: str) -> Counter[str]:
    return Counter(resource["type"] for resource in graph(example)["resources"])


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_the_plan_of_an_example_is_the_reviewed_one(example: str) -> None:
    assert json.loads(golden.golden_path(example, "plan").read_text()) == plan(example), (
        "the plan changed: run ./dev golden and review the diff"
    )


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_the_graph_of_an_example_is_the_reviewed_one(example: str) -> None:
    assert json.loads(golden.golden_path(example, "graph").read_text()) == graph(example), (
        "the graph changed: run ./dev golden and review the diff"
    )


def test_quickstart_runs_three_models_on_one_shape_of_l4() -> None:
    models = plan("quickstart")["models"]
    assert [model["id"] for model in models] == [
        "BAAI/bge-small-en-v1.5", "Qwen/Qwen3-4B-Instruct-2507", "Qwen/Qwen3-Embedding-0.6B",
    ]  # fmt: skip
    assert {model["accelerator"] for model in models} == {"l4"}
    assert len(plan("quickstart")["classes"]) == 1, "three models of one shape and order share their nodes"


def test_the_fleet_covers_every_kind_that_the_readme_names() -> None:
    models = {model["key"]: model for model in plan("fleet")["models"]}
    assert len(models) >= 12
    assert {model["server"]["engine"] for model in models.values()} >= {"vllm", "vllm-tpu", "tei"}
    assert {model["accelerator_kind"] for model in models.values()} == {"gpu", "tpu"}
    assert sorted(key for key, model in models.items() if model["gated"]) == [
        "gemma-3-27b-it", "llama-3-3-70b-instruct",
    ]  # fmt: skip
    assert any(model["tensor_parallel"] > 1 for model in models.values())


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_every_model_gets_exactly_its_own_resources(example: str) -> None:
    count = len(plan(example)["models"])
    seen = types(example)
    for token in ("gcp:storage/bucket:Bucket", "kubernetes:batch/v1:Job", "kubernetes:apps/v1:Deployment",
                  "kubernetes:core/v1:Service"):  # fmt: skip
        assert seen[token] == count, f"{token}: {seen[token]} for {count} models"


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
        for resource in graph(example)["resources"]
        if resource["type"] == "gcp:container/nodePool:NodePool"
    }
    assert pools <= names


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_no_locked_commit_is_invented(example: str) -> None:
    for model in plan(example)["models"]:
        assert len(model["commit"]) == 40
        assert model["weights"]["prefix"] == model["commit"], "weights are staged by commit"
