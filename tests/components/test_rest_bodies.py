# SPDX-License-Identifier: Apache-2.0
"""What hubstack registers is what Google's documents allow: names, types, values, required parts.

docs/reference/request-bodies.md says what this proves and what it does not; that the checker can fail:
test_rest_faults.py.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import golden
from tests.support.rest import bodies, discovery, sdk
from tests.support.rest.inputs import (
    CLUSTER,
    EXAMPLES,
    GRANT,
    NAT,
    POOL,
    REGISTRY,
    VERSION,
    Place,
    dotted,
    known,
    provider,
    resources,
    samples,
)

PAGE = golden.PROJECT / "docs" / "reference" / "request-bodies.md"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_google_resource_of_an_example_is_allowed(example: str) -> None:
    assert len(resources(example)) > 5
    wrong = [
        f"{one['type']} {one['name']}: {problem}"
        for one in resources(example)
        for problem in bodies.problems(one["type"], one["name"], one["inputs"], provider(example))
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize("token", samples())
def test_every_sample_is_allowed(token: str) -> None:
    assert bodies.problems(token, "sample", samples()[token], {"region": "us-central1"}) == []


@pytest.mark.parametrize("token", bodies.table())
def test_every_resource_of_the_table_is_known_by_an_example_or_a_sample(token: str) -> None:
    assert known(token)


@pytest.mark.parametrize("token", bodies.table())
def test_every_input_of_the_sdk_has_a_place_of_its_type_in_the_document(token: str) -> None:
    """Not only what hubstack sets today: the table is whole, and a name that an SDK or a document moves is seen."""
    wrong, checked = [], 0
    for path, inputs in sdk.samples(sdk.arguments(token)):
        try:
            found = bodies.request_problems(bodies.translate(token, "one", inputs))
        except bodies.UntranslatedError:
            continue
        checked += 1
        wrong += [f"{dotted(path)}: {one}" for one in found if "has no field" in one or "is not of type" in one]
    assert checked
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("token", bodies.table())
def test_every_field_of_the_table_is_an_input_of_the_sdk(token: str) -> None:
    def named(fields: dict[str, Any], at: Place = ()) -> Iterator[Place]:
        for name, rule in fields.items():
            yield (*at, name)
            yield from named(rule.get("fields", {}) if isinstance(rule, dict) else {}, (*at, name))

    taken = {path[:end] for path, _ in sdk.samples(sdk.arguments(token)) for end in range(1, len(path) + 1)}
    wrong = {dotted(path) for path in named(bodies.table()[token]["fields"])} - {dotted(path) for path in taken}
    # Services and jobs of Cloud Run share the rules of a template; a job lacks some of it.
    shared = {
        "template.template.containers.buildInfos",
        "template.template.containers.readinessProbe",
        "template.template.containers.readinessProbe.successThreshold",
        "template.template.sandboxes",
        "template.template.sandboxes.templates",
        "template.template.sandboxes.templates.commands",
        "template.template.sandboxes.templates.envs",
    }
    assert wrong <= shared, wrong


def test_a_resource_that_the_table_lacks_is_refused_with_what_to_do() -> None:
    assert bodies.problems("gcp:pubsub/topic:Topic", "events", {}) == [
        "gcp:pubsub/topic:Topic is not in tests/support/rest/bodies.yaml: add it (docs/reference/request-bodies.md)"
    ]


def test_a_pool_becomes_the_body_that_the_provider_sends() -> None:
    inputs = {
        "cluster": "projects/acme/locations/us-central1/clusters/hubstack",
        "location": "us-central1",
        "name": "l4",
        "maxPodsPerNode": 32,
        "nodeLocations": ["us-central1-a"],
        "nodeConfig": {
            "machineType": "g2-standard-4",
            "labels": {"cloud.google.com/compute-class": "l4"},
            "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
        },
    }
    request = bodies.translate(POOL, "pool", inputs, {"project": "acme"})
    assert request.parameters == {"parent": "projects/acme/locations/us-central1/clusters/hubstack"}
    assert request.body == {
        "nodePool": {
            "name": "l4",
            "maxPodsConstraint": {"maxPodsPerNode": 32},
            "locations": ["us-central1-a"],
            "config": {
                "machineType": "g2-standard-4",
                "labels": {"cloud.google.com/compute-class": "l4"},
                "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1}],
            },
        }
    }


def test_lists_maps_and_texts_become_what_the_api_has() -> None:
    assert bodies.translate(
        NAT, "out", {"router": "r", "region": "r", "natIpAllocateOption": "AUTO_ONLY"}
    ).body == {"nats": [{"name": "out-0000000", "natIpAllocateOption": "AUTO_ONLY"}]}
    assert bodies.translate(GRANT, "g", {"bucket": "b", "role": "r", "member": "m"}).body == {
        "bindings": [{"role": "r", "members": ["m"]}]
    }
    kept = bodies.translate(REGISTRY, "r", {"cleanupPolicies": [{"id": "old", "action": "DELETE"}]})
    assert kept.body == {"cleanupPolicies": {"old": {"action": "DELETE"}}}
    version = bodies.translate(VERSION, "v", {"secretData": "token"})
    assert version.body == {"payload": {"data": "dG9rZW4="}}
    private = {"privateClusterConfig": {"enablePrivateNodes": True, "enablePrivateEndpoint": True}}
    assert bodies.translate(CLUSTER, "c", private).body["cluster"] == {
        "networkConfig": {"defaultEnablePrivateNodes": True},
        "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enablePublicEndpoint": False}},
    }


def test_the_page_names_the_revision_of_each_document() -> None:
    names = sorted({entry["document"] for entry in bodies.table().values()})
    rows = [f"| `{name}` | {discovery.document(name)['revision']} |" for name in names]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] == rows, (
        "google-api-python-client changed; the table of docs/reference/request-bodies.md is now:\n"
        + "\n".join(rows)
    )
