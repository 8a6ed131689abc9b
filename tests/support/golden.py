# SPDX-License-Identifier: Apache-2.0
"""Write or compare the golden plan and graph of each example: `python -m tests.support.golden`.

A golden graph is YAML for a reviewer: one line per scalar, resources by type and name, long texts (scripts,
dashboards, queries) as their hash and first line. `read_graph` returns everything but those texts.

A golden file never stands alone: tests/meta/test_examples.py asserts by name what must be in it.
"""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.files.write import write_text_atomically
from hubstack.inputs.environment import Environment, find_environment
from hubstack.planner.inputs import StackInputs
from hubstack.planner.planner import plan_inputs
from hubstack.review.preview import preview

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = ("quickstart", "fleet", "production", "multi-host", "cloud-run", "vertex", "sharded/eu", "sharded/us")
LONGEST = 400
"""Characters of a text that is written as it is, if it has one line."""


def environment(example: str) -> Environment:
    return find_environment(f"examples/{example}", PROJECT, PROJECT)


@cache
def plan_text(example: str) -> str:
    return plan_inputs(StackInputs.load(environment(example))).to_json()


@cache
def live_graph(example: str) -> dict[str, Any]:
    """Return what the program registers now."""
    env = environment(example)
    return json.loads(preview(env.project_dir, stack=env.stack, config=env.config_file).to_json())


def read_graph(example: str) -> dict[str, Any]:
    """Return the reviewed graph of an example, with long texts as their digests, for the caller to keep."""
    return copy.deepcopy(_reviewed(example))


@cache
def _reviewed(example: str) -> dict[str, Any]:
    return decode(golden_path(example, "graph").read_text())


def golden_path(example: str, kind: str) -> Path:
    return PROJECT / "examples" / example / {"plan": "plan.json", "graph": "graph.yaml"}[kind]


def encode(graph: Mapping[str, Any]) -> str:
    """Return a graph as the text of its golden file."""
    start = _start(graph)
    ends = {each["urn"]: each["urn"].removeprefix(start).rpartition("$")[2] for each in graph["resources"]}
    used = Counter(ends.values())
    short = {urn: end for urn, end in ends.items() if used[end] == 1}

    def scalar(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        urn, _, made = value.rpartition("::")
        if value in short:
            return short[value]
        if urn in short:  # a provider: its URN and its ID
            return f"{short[urn]}::{made}"
        return digest(value) if "\n" in value or len(value) > LONGEST else value

    resources = {
        short.get(each["urn"], each["urn"]): _map(
            {key: value for key, value in each.items() if key not in {"urn", "type", "name"} and value is not True},
            scalar,
        )
        for each in graph["resources"]
    }
    told = {**graph, "resources": resources}
    return yaml.dump(told, Dumper=yaml.CSafeDumper, width=10**6, allow_unicode=True)


def decode(text: str) -> dict[str, Any]:
    """Return the graph that a golden file's text stands for."""
    told = yaml.load(text, Loader=yaml.CSafeLoader)
    start = _start(told)
    urns: dict[str, str] = {}

    def urn_of(name: str) -> str:
        if name not in urns:
            parent = told["resources"][name].get("parent")
            has_parent = parent in told["resources"]  # the stack itself is not among them
            above = urn_of(parent).removeprefix(start).rpartition("::")[0] + "$" if has_parent else ""
            urns[name] = name if name.startswith(start) else f"{start}{above}{name}"
        return urns[name]

    for each in told["resources"]:
        urn_of(each)

    def scalar(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        name, _, made = value.rpartition("::")
        return urns.get(value) or (f"{urns[name]}::{made}" if name in urns else value)

    resources = []
    for key, held in told["resources"].items():
        urn = urns[key]
        kind, _, name = urn.rpartition("$")[2].removeprefix(start).rpartition("::")
        resources.append({"custom": True, **_map(held, scalar), "urn": urn, "type": kind, "name": name})
    return {**told, "resources": sorted(resources, key=lambda each: each["urn"])}


def digest(text: str) -> str:
    """Return what stands for a long text: its hash, its lines, and the first one's beginning."""
    sha, lines = hashlib.sha256(text.encode()).hexdigest(), text.splitlines()
    return f"sha256:{sha[:16]} of {len(lines)} lines: {lines[0][:60]}"


def _start(graph: Mapping[str, Any]) -> str:
    return f"urn:pulumi:{graph['stack']}::{graph['project']}::"


def _map(value: Any, scalar: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _map(item, scalar) for key, item in value.items()}
    return [_map(item, scalar) for item in value] if isinstance(value, list) else scalar(value)


if __name__ == "__main__":
    for each in EXAMPLES:
        write_text_atomically(golden_path(each, "plan"), plan_text(each))
        write_text_atomically(golden_path(each, "graph"), encode(live_graph(each)))
        print(f"examples/{each}: plan.json, graph.yaml")
