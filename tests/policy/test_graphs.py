# SPDX-License-Identifier: Apache-2.0
"""The pack over the reviewed graphs: what hubstack registers passes, what somebody breaks in it is found."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from judge import judge
from settings import catalogue

from hubstack.review.check.policy_file import load_policy
from tests.support import golden

LEVELS = {rule["id"]: rule["level"] for rule in catalogue()["rules"]}
STRICT: dict[str, Any] = {
    **catalogue()["defaults"],
    "regions": ["us-central1"],
    "spot_forbidden_in": ["production"],
}


@cache
def recorded(example: str) -> dict[str, Any]:
    return golden.read_graph(example)


def found(graph: dict[str, Any], settings: dict[str, Any] | None = None) -> set[tuple[str, str | None]]:
    told = {
        "stack": graph["stack"],
        "resources": graph["resources"],
        "settings": settings or catalogue()["defaults"],
    }
    return {(each["rule"], each["resource"]) for each in judge(told)}


def test_the_pack_and_hubstack_have_the_same_defaults() -> None:
    policy = load_policy(golden.PROJECT / "nowhere" / "policy.yaml", "policy.yaml", "dev")
    assert dict(policy.limits) == catalogue()["defaults"]
    assert {rule: policy.levels[rule] for rule in LEVELS} == LEVELS


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_an_example_breaks_no_rule_that_fails_a_check(example: str) -> None:
    assert {one for one in found(recorded(example)) if LEVELS[one[0]] == "error"} == set()


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_what_an_example_is_warned_of_is_the_documented_three(example: str) -> None:
    assert {rule for rule, _ in found(recorded(example))} <= {"HS002", "HS006", "HS019"}


Change = Callable[[list[dict[str, Any]]], None]


def of(resources: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    return next(r["inputs"] for r in resources if r["type"].endswith(f":{kind}") and name in r["name"])


def container(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return of(resources, "Deployment", "chat-deployment")["spec"]["template"]["spec"]["containers"][0]


def annotation(key: str, text: str) -> Change:
    return lambda rs: of(rs, "Deployment", "chat-deployment")["metadata"]["annotations"].update({key: text})


def drop_labels(resources: list[dict[str, Any]]) -> None:
    next(r["inputs"] for r in resources if r["type"] == "pulumi:providers:gcp").pop("defaultLabels")


def first_pool_spot(resources: list[dict[str, Any]]) -> None:
    of(resources, "NodePool", "on-demand")["nodeConfig"]["spot"] = True


CHANGES: dict[str, tuple[str, Change]] = {
    "a bucket is opened": ("HS011", lambda rs: of(rs, "Bucket").update(publicAccessPrevention="inherited")),
    "a bucket is given to everyone": ("HS011", lambda rs: of(rs, "BucketIAMMember").update(member="allUsers")),
    "the gateway is moved outside": (
        "HS010",
        lambda rs: of(rs, "Gateway", "listener")["spec"].update(gatewayClassName="gke-l7-gxlb"),
    ),
    "the address becomes external": ("HS010", lambda rs: of(rs, "Address").update(addressType="EXTERNAL")),
    "a Service becomes a load balancer": (
        "HS010",
        lambda rs: of(rs, "Service", "embeddings-service")["spec"].update(type="LoadBalancer"),
    ),
    "the control plane gets an address": (
        "HS010",
        lambda rs: of(rs, "Cluster")["controlPlaneEndpointsConfig"].pop("ipEndpointsConfig"),
    ),
    "nodes get addresses": ("HS012", lambda rs: of(rs, "Cluster")["privateClusterConfig"].clear()),
    "a bucket goes abroad": ("HS013", lambda rs: of(rs, "Bucket").update(location="EU")),
    "a pool becomes spot": ("HS014", first_pool_spot),
    "labels are dropped": ("HS015", drop_labels),
    "a token stands in a variable": (
        "HS016",
        lambda rs: container(rs)["env"].append({"name": "X", "value": "hf_" + "b" * 34}),
    ),
    "a password stands in a variable": (
        "HS016",
        lambda rs: container(rs)["env"].append({"name": "PASSWORD", "value": "hunter2"}),
    ),
    "an image loses its tag": ("HS018", lambda rs: container(rs).update(image="vllm/vllm-openai")),
    "an image is the latest": ("HS018", lambda rs: container(rs).update(image="vllm/vllm-openai:latest")),
    "remote code is switched on": ("HS003", lambda rs: container(rs)["args"].append("--trust-remote-code")),
    "weights are pickles": ("HS004", annotation("hubstack.dev/weights-format", "pickle")),
    "the scan finds something": ("HS005", annotation("hubstack.dev/scan", "unsafe")),
    "the licence goes": ("HS002", annotation("hubstack.dev/license", "")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_for_the_worse_is_found_and_nothing_else(change: str) -> None:
    rule, apply = CHANGES[change]
    graph = copy.deepcopy(recorded("production"))
    before = found(graph, STRICT)
    apply(graph["resources"])
    new = found(graph, STRICT) - before
    assert {each for each, _ in new} == {rule}, change


def test_spot_pools_are_found_where_they_are_forbidden() -> None:
    pools = {name for rule, name in found(recorded("production"), STRICT) if rule == "HS014"}
    resources = recorded("production")["resources"]
    spot = {r["name"] for r in resources if r.get("inputs", {}).get("nodeConfig", {}).get("spot")}
    assert pools == spot
    assert spot
