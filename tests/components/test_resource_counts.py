# SPDX-License-Identifier: Apache-2.0
"""How many resources a model of each kind costs, counted in the reviewed graphs: the numbers of
docs/concepts/scale.md.

More than these is a decision: at a thousand models each resource is a thousand.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.golden import read_graph

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@cache
def graph(example: str) -> list[dict[str, Any]]:
    return read_graph(example)["resources"]


@cache
def keys(example: str) -> tuple[str, ...]:
    return tuple(model["key"] for model in json.loads((EXAMPLES / example / "plan.json").read_text())["models"])


def owner(example: str, name: str) -> str | None:
    """Return the model that a resource is for: the longest key with which its name begins, without `gateway-`."""
    bare = name.removeprefix("gateway-")
    return max((k for k in keys(example) if bare == k or bare.startswith(f"{k}-")), key=len, default=None)


def own(example: str, key: str) -> list[dict[str, Any]]:
    return [each for each in graph(example) if owner(example, each["name"]) == key]


def count(example: str, key: str) -> tuple[int, int, int]:
    """Return the resources of a model without a gateway's, the components among them, and the gateway's for it."""
    found = own(example, key)
    routed = [each for each in found if each["name"].startswith("gateway-")]
    return len(found) - len(routed), sum(not each.get("custom") for each in found), len(routed)


@pytest.mark.parametrize(
    ("example", "key", "expected"),
    [
        ("production", "embeddings", (16, 3, 3)),  # one replica, always
        ("fleet", "qwen3-8b", (17, 3, 0)),  # scaled
        ("fleet", "coder", (19, 3, 0)),  # may rest
        ("fleet", "gemma-3-27b-it", (20, 3, 0)),  # ... gated
        ("fleet", "llama-3-3-70b-instruct", (23, 4, 0)),  # ... and on a disk
        ("fleet", "minimax-m2-5", (21, 3, 0)),  # may rest; two caches
        ("multi-host", "qwen-72b", (18, 3, 0)),  # over several nodes, scaled: its pods' way to each other
        ("production", "drafts", (19, 3, 1)),  # may rest, behind a gateway
        ("production", "chat", (17, 3, 10)),  # with an endpoint picker
        ("production", "support", (21, 3, 10)),  # with the grants of its canary
        ("production", "support-canary", (10, 2, 9)),
        ("cloud-run", "qwen3-4b-instruct-2507", (17, 4, 0)),
        ("vertex", "qwen3-4b-instruct-2507", (2, 1, 0)),
    ],
)
def test_a_model_costs_no_more_resources_than_were_agreed(
    example: str, key: str, expected: tuple[int, int, int]
) -> None:
    assert count(example, key) == expected


def test_each_gated_model_adds_one_reader_of_the_one_secret() -> None:
    shared = [each for each in graph("fleet") if owner("fleet", each["name"]) is None]
    secret = [each for each in shared if each["type"].startswith("gcp:secretmanager/")]
    gated = [
        m
        for m in json.loads((EXAMPLES / "fleet" / "plan.json").read_text())["models"]
        if m["weights"]["needs_token"]
    ]
    readers = [
        each for each in graph("fleet") if each["type"] == "gcp:secretmanager/secretIamMember:SecretIamMember"
    ]
    assert len(gated) > 1
    assert len(readers) == len(gated)
    assert sum(each["type"] == "gcp:secretmanager/secret:Secret" for each in secret) == 1


def test_models_share_namespace_metrics_and_pools_of_their_shape() -> None:
    kinds = [each["type"].rsplit(":", 1)[-1] for each in graph("fleet")]
    assert kinds.count("PodMonitoring") == 1
    assert kinds.count("Namespace") == 2, "the models' and the autoscaler's"
    pools = json.loads((EXAMPLES / "fleet" / "plan.json").read_text())["pools"]
    assert kinds.count("AcceleratorPool") == len(pools)
    assert len(pools) < 2 * len(keys("fleet"))
