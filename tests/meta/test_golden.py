# SPDX-License-Identifier: Apache-2.0
"""A golden graph shows every change, and each as a few lines."""

import copy
import difflib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import golden

Path = tuple[str | int, ...]
KINDS = ("kubernetes:apps/v1:Deployment", "gcp:monitoring/dashboard:Dashboard", "gcp:storage/bucket:Bucket")
SCRIPT = "".join(f"step {number}\n" for number in range(400))


def small() -> dict[str, Any]:
    """Return one resource of each kind, with a script as the dashboard's text."""
    graph = golden.read_graph("quickstart")
    resources = [next(each for each in graph["resources"] if each["type"] == kind) for kind in KINDS]
    resources[1]["inputs"]["dashboardJson"] = SCRIPT
    return {**graph, "resources": resources}


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from leaves(item, (*path, key))
    if not inside:
        yield path


def at(graph: dict[str, Any], path: Path) -> Any:
    held: Any = graph["resources"]
    for key in path:
        held = held[key]
    return held


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    texts = (golden.encode(each).splitlines() for each in (before, after))
    return [line for line in difflib.unified_diff(*texts, lineterm="", n=0) if line[0] in "+-"][2:]


def test_each_value_that_changes_is_one_line() -> None:
    graph = small()
    paths = [path for path in leaves(graph["resources"]) if path[1] not in {"urn", "type", "name", "custom"}]
    assert len(paths) > 100
    for path in paths:
        other = copy.deepcopy(graph)
        at(other, path[:-1])[path[-1]] = f"{at(graph, path)} and more"
        lines = difference(graph, other)
        assert [line[0] for line in lines] == ["-", "+"], (path, lines)
        assert "and more" in lines[1] or "sha256:" in lines[1], (path, lines)


def test_a_long_text_is_a_line_and_its_last_letter_counts() -> None:
    graph = small()
    assert golden.encode(graph).count("step") == 1
    other = copy.deepcopy(graph)
    other["resources"][1]["inputs"]["dashboardJson"] = f"{SCRIPT[:-1]}!"
    assert len(difference(graph, other)) == 2


def test_an_argument_or_an_item_more_is_one_line() -> None:
    graph, other = small(), small()
    other["resources"][0]["inputs"]["spec"]["template"]["spec"]["containers"][0]["args"].insert(1, "--new")
    other["resources"][2]["inputs"]["aNewArgument"] = True
    added = [line[1:].strip() for line in difference(graph, other)]
    assert sorted(added) == ["- --new", "aNewArgument: true"]


@pytest.mark.parametrize("example", golden.EXAMPLES)
def test_a_golden_graph_is_read_back(example: str) -> None:
    text = golden.golden_path(example, "graph").read_text()
    assert golden.encode(golden.decode(text)) == text
