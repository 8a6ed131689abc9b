# SPDX-License-Identifier: Apache-2.0
"""Inputs of Google resources that the tests know, from the examples and from samples.yaml, and changes of them."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support import golden

EXAMPLES = sorted(golden.EXAMPLES)
CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
NETWORK, NAT = "gcp:compute/network:Network", "gcp:compute/routerNat:RouterNat"
SUBNET, ADDRESS = "gcp:compute/subnetwork:Subnetwork", "gcp:compute/address:Address"
SLICE = "gcp:compute/resourcePolicy:ResourcePolicy"
BUCKET, GRANT = "gcp:storage/bucket:Bucket", "gcp:storage/bucketIAMMember:BucketIAMMember"
CACHE, RUN = "gcp:storage/anywhereCache:AnywhereCache", "gcp:cloudrunv2/service:Service"
ALERT, DASHBOARD = "gcp:monitoring/alertPolicy:AlertPolicy", "gcp:monitoring/dashboard:Dashboard"
REGISTRY, BUDGET = "gcp:artifactregistry/repository:Repository", "gcp:billing/budget:Budget"
SECRET, VERSION = "gcp:secretmanager/secret:Secret", "gcp:secretmanager/secretVersion:SecretVersion"
ACCOUNT, API = "gcp:serviceaccount/account:Account", "gcp:projects/service:Service"
ENDPOINT = "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment"

Place = tuple[Any, ...]
"""Keys and indices that lead to a value."""


@cache
def resources(example: str) -> list[dict[str, Any]]:
    # The offline preview writes this for the number, which only Google knows.
    text = json.dumps(golden.live_graph(example)).replace("[project number]", "123456789012")
    return [one for one in json.loads(text)["resources"] if one["type"].startswith("gcp:")]


@cache
def provider(example: str) -> dict[str, Any]:
    found = golden.read_graph(example)["resources"]
    (one,) = [one for one in found if one["type"] == "pulumi:providers:gcp"]
    return {"project": one["inputs"]["project"], "region": one["inputs"]["region"]}


@cache
def samples() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((Path(__file__).parent / "samples.yaml").read_text())


@cache
def known(token: str) -> list[dict[str, Any]]:
    """All inputs of one type that the examples and the samples have."""
    found = [one["inputs"] for example in EXAMPLES for one in resources(example) if one["type"] == token]
    return found + ([samples()[token]] if token in samples() else [])


def richest(token: str, having: Place = ()) -> dict[str, Any]:
    """Return the inputs with the most values, of those that have something at the head of a place if any do."""
    found = [inputs for inputs in known(token) if not having or having[0] in inputs] or known(token)
    return max(found, key=lambda inputs: len(list(leaves(inputs))))


def leaves(value: Any, above: Place = ()) -> Iterator[Place]:
    if isinstance(value, (dict, list)) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*above, key))
    else:
        yield above


def one_of_each(token: str) -> Iterator[tuple[dict[str, Any], Place]]:
    """Yield each place that holds a value in any inputs of the type, once, with inputs that have it."""
    seen: set[Place] = set()
    for inputs in known(token):
        for place in leaves(inputs):
            shape = tuple(part for part in place if isinstance(part, str))
            if shape not in seen:
                seen.add(shape)
                yield inputs, place


def changed(
    inputs: dict[str, Any], place: Place, value: Any = None, *, name: str | None = None, drop: bool = False
) -> Any:
    """Return the inputs with one place changed: its value, its name, or left out."""
    found = copy.deepcopy(inputs)
    while name and isinstance(place[-1], int):
        place = place[:-1]
    inner = found
    for part in place[:-1]:
        inner = inner[part]
    if name:
        inner[name] = inner.pop(place[-1])
    elif drop:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return found


def at(inputs: Any, place: Place) -> Any:
    for part in place:
        inputs = inputs[part]
    return inputs


def dotted(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))
