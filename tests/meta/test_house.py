# SPDX-License-Identifier: Apache-2.0
"""The house rules that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from hubstack.hub.remote import config_fields

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("hubstack", "components", "plugin", "policy", "proof", "tools", "tests", "benchmarks")
    for path in (PROJECT / folder).rglob("*.py")
)
SOURCES.append(PROJECT / "__main__.py")


def test_the_program_is_at_most_60_lines() -> None:
    assert len((PROJECT / "__main__.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_module_names_its_licence(path: Path) -> None:
    text = path.read_text()
    assert not text or text.startswith("# SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_nothing_reads_the_shared_folder(path: Path) -> None:
    if path == Path(__file__):
        return
    assert "/work/" not in path.read_text(), "a clone elsewhere has no such path"


@pytest.mark.parametrize(
    "path",
    [p for p in SOURCES if "tests" in p.parts and "def test_" in p.read_text()],
    ids=lambda path: str(path.relative_to(PROJECT)),
)
def test_every_file_with_tests_is_collected(path: Path) -> None:
    assert path.name.startswith("test_")


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "components" / "pulumi_hubstack").glob("[a-z]*.py")), ids=lambda path: path.stem
)
def test_every_component_has_a_token_of_its_own_module_and_a_test(path: Path) -> None:
    tree = ast.parse(path.read_text())
    components = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any("ComponentResource" in ast.unparse(base) for base in node.bases)
    ]
    module = "index" if path.stem == "model_stack" else path.stem  # where Pulumi looks for a plug-in's components
    for component in components:
        assert f"hubstack:{module}:{component.name}" in path.read_text()
    if components:
        tested = (PROJECT / "tests" / "components").rglob("test_*.py")
        assert any(re.search(rf"\b{components[0].name}\b", test.read_text()) for test in tested)


def test_no_room_is_called_after_nothing() -> None:
    named = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not named & {"utils", "util", "common", "helpers", "misc"}


def test_every_config_field_that_planning_reads_is_kept_by_the_lock() -> None:
    read = set(
        re.findall(
            r'"([a-z]+(?:_[a-z0-9]+)+)"', (PROJECT / "hubstack" / "planner" / "model" / "geometry.py").read_text()
        )
    )
    families = {"falcon_h1", "falcon_mamba", "gpt_oss"}
    beside = {
        "sentence_transformers",
        "max_seq_length",
    }  # of another file, kept under config (hub/remote/mapping.py)
    kept = config_fields._FIELDS | config_fields._NESTED | config_fields._QUANTIZATION | {"block_configs"} | beside
    assert read - families <= kept, "a field that no lock holds is never seen by the planner"
