# SPDX-License-Identifier: Apache-2.0
"""A graph as files: which file holds what, and that equal graphs give equal bytes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubstack.files.errors import PreviewError
from hubstack.review.preview import Graph, Resource
from hubstack.review.preview.files import graph_files
from tests.support.golden import read_graph

PROJECT = Path(__file__).resolve().parents[3]


def resource(type_: str, name: str, *, custom: bool = True, **inputs: Any) -> Resource:
    return Resource(
        urn=f"urn:pulumi:s::p::{type_}::{name}",
        type=type_,
        name=name,
        parent=None,
        custom=custom,
        provider=None,
        inputs=inputs,
        dependencies=("urn:pulumi:s::p::gcp:x/y:Y::first",),
        property_dependencies={},
        aliases=(),
        options={"protect": True},
    )


def files(*resources: Resource) -> dict[str, str]:
    return graph_files(Graph(project="p", stack="s", resources=resources, outputs={}))


def config_map(name: str, data: dict[str, str]) -> Resource:
    metadata = {"name": name, "namespace": "models"}
    return resource(
        "kubernetes:core/v1:ConfigMap",
        f"{name}-script",
        apiVersion="v1",
        kind="ConfigMap",
        metadata=metadata,
        data=data,
    )


def test_an_object_is_its_own_file_under_its_namespace() -> None:
    made = files(config_map("a", {"x": "1"}))
    assert list(made) == ["kubernetes/namespaces/models/configmap-a.yaml"]
    assert yaml.safe_load(made["kubernetes/namespaces/models/configmap-a.yaml"]) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"x": "1"},
        "metadata": {"name": "a", "namespace": "models"},
    }


def test_what_has_no_namespace_sorts_before_what_has() -> None:
    space = resource(
        "kubernetes:core/v1:Namespace", "models", apiVersion="v1", kind="Namespace", metadata={"name": "models"}
    )
    assert next(iter(files(config_map("a", {}), space))) == "kubernetes/cluster/namespace-models.yaml"


def test_a_google_resource_says_its_inputs_options_and_neighbours() -> None:
    made = files(resource("gcp:container/nodePool:NodePool", "l4-nodes", machineType="g2"))
    assert yaml.safe_load(made["google/container.NodePool/l4-nodes.yaml"]) == {
        "type": "gcp:container/nodePool:NodePool",
        "name": "l4-nodes",
        "inputs": {"machineType": "g2"},
        "options": {"protect": True},
        "dependencies": ["gcp:x/y:Y::first"],
    }


def test_components_have_no_file() -> None:
    assert files(resource("hubstack:fleet:Fleet", "fleet", custom=False)) == {}


def test_a_script_is_written_as_lines() -> None:
    made = files(config_map("a", {"run.py": "import os\nprint(os.name)\n"}))
    assert "    import os\n    print(os.name)\n" in next(iter(made.values()))


def test_two_resources_of_one_file_are_refused() -> None:
    with pytest.raises(PreviewError, match="two resources map to the file kubernetes/namespaces/models"):
        files(
            config_map("a", {}),
            resource(
                "kubernetes:core/v1:ConfigMap",
                "b",
                apiVersion="v1",
                kind="ConfigMap",
                metadata={"name": "a", "namespace": "models"},
            ),
        )


@pytest.mark.slow
def test_two_renders_are_equal_to_the_byte_whatever_the_hash_seed(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-m", "hubstack", "render", "examples/quickstart", str(tmp_path / seed)]
        subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True)
    first, second = (
        {str(p.relative_to(tmp_path / seed)): p.read_bytes() for p in (tmp_path / seed).rglob("*") if p.is_file()}
        for seed in ("1", "2")
    )
    assert first == second


def test_an_example_renders_every_resource_of_its_graph_once() -> None:
    golden = read_graph("fleet")
    made = graph_files(
        Graph(
            project="hubstack",
            stack="fleet",
            outputs={},
            resources=tuple(
                Resource(
                    urn=r["urn"],
                    type=r["type"],
                    name=r["name"],
                    parent=r.get("parent"),
                    custom=bool(r.get("custom")),
                    provider=None,
                    inputs=r.get("inputs", {}),
                    dependencies=tuple(r.get("dependencies", ())),
                    property_dependencies={},
                    aliases=(),
                    options=r.get("options", {}),
                )
                for r in golden["resources"]
            ),
        )
    )
    assert len(made) == sum(r.get("custom", False) for r in golden["resources"])


@pytest.mark.parametrize(
    "text", ["0123456789" * 4, "123e45678901", "1e3", "0x1f", "2026-11-25", "12:30", "y", "N", "+.5"]
)
def test_a_text_that_another_reader_takes_for_a_number_is_quoted(text: str) -> None:
    made = files(config_map("a", {"x": text}))["kubernetes/namespaces/models/configmap-a.yaml"]
    assert f"  x: '{text}'\n" in made, "kubectl's reader would refuse an annotation that is a number"
    assert yaml.safe_load(made)["data"]["x"] == text
