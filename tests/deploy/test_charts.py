# SPDX-License-Identifier: Apache-2.0
"""What the charts of the controllers are told about the node's disk, and the containers of our own objects."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hubstack.deploy import manifests
from tests.support.golden import golden_path

CHARTS = (manifests.keda_chart(), manifests.http_add_on_chart("keda", 1500), manifests.lws_chart())


def requests(value: Any) -> Iterator[dict[str, str]]:
    """Every `requests` of a chart's values or of an object, at whatever depth."""
    if isinstance(value, dict):
        if isinstance(value.get("requests"), dict) and "storage" not in value["requests"]:
            yield value["requests"]
        for each in value.values():
            yield from requests(each)
    elif isinstance(value, list):
        for each in value:
            yield from requests(each)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.release)
def test_each_controller_requests_disk_for_its_log(chart: manifests.Chart) -> None:
    found = list(requests(chart.values))
    assert found
    assert all(each["ephemeral-storage"] for each in found)


def containers(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield from value.get("containers") or ()
        for each in value.values():
            yield from containers(each)
    elif isinstance(value, list):
        for each in value:
            yield from containers(each)


@pytest.mark.parametrize("example", ["production", "multi-host", "fleet"])
def test_each_container_of_ours_requests_disk(example: str) -> None:
    graph = yaml.load(golden_path(example, "graph").read_text(), yaml.CSafeLoader)
    found = [
        container
        for name, each in graph["resources"].items()
        if name.startswith("kubernetes:")
        for container in containers(each)
    ]
    assert found
    assert [each["name"] for each in found if "ephemeral-storage" not in each["resources"]["requests"]] == []
