# SPDX-License-Identifier: Apache-2.0
"""Every image that a stack can have runs as something here, and the table says as what."""

import pytest

from proof.binaries import SandboxError
from proof.pods.images import image_of, repository
from tests.support.facts import catalog
from tests.support.golden import EXAMPLES, read_graph


def containers(value: object) -> list[dict]:
    if isinstance(value, dict):
        own = [each for key in ("containers", "initContainers") for each in value.get(key) or () if "image" in each]
        return own + [each for held in value.values() for each in containers(held)]
    if isinstance(value, list):
        return [each for held in value for each in containers(held)]
    return []


@pytest.mark.parametrize(
    "image", sorted({row.image for engine in catalog().engines.values() for row in engine.images}), ids=repository
)
def test_each_engine_of_the_catalogue_has_a_stand_in(image: str) -> None:
    found = image_of(image)
    assert found.programs or found.entrypoint or found.is_idle


def test_each_container_of_the_examples_has_a_command_or_the_table_an_entrypoint() -> None:
    found = [
        container
        for example in EXAMPLES
        for resource in read_graph(example)["resources"]
        if resource["type"].startswith("kubernetes:")
        for container in containers(resource["inputs"])
    ]
    assert found
    for container in found:
        row = image_of(container["image"])
        assert container.get("command") or row.entrypoint or row.is_idle, container["image"]


def test_an_image_without_a_row_is_refused_by_its_name() -> None:
    with pytest.raises(SandboxError, match=r"registry.example:5000/acme/server"):
        image_of("registry.example:5000/acme/server:1.2@sha256:abc")
