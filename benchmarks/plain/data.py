# SPDX-License-Identifier: Apache-2.0
"""What a stack of hubstack registers, as the data of the plain program: the same resources under the same names.

The data is read from a run of hubstack's program (hubstack.review.preview.trace), components and order of registration
included. Only what a stack of the benchmark holds is understood; anything else is an error.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hubstack.review.eject.program import _LITERAL, _constructor, _decoded
from hubstack.review.eject.values import Ordered, snake
from hubstack.review.preview.graph import Resource
from hubstack.review.preview.trace import WORD, Source, Trace, trace
from hubstack.review.preview.values import UNKNOWN

PROGRAM = Path(__file__).with_name("program.py")
SILENCE_SECONDS = 1200.0
"""Generous timeout, so that other load on the machine does not fail a benchmark."""
OPTIONS = {**_LITERAL, "customTimeouts": "custom_timeouts"}


def write_project(folder: Path, project_dir: Path, stack: str, config_file: Path) -> None:
    """Write a Pulumi project whose program registers what a stack of hubstack registers."""
    found = trace(project_dir, stack=stack, config=config_file, timeout_seconds=SILENCE_SECONDS)
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text(
        f"name: {found.graph.project}\nruntime: python\nmain: {PROGRAM}\nconfig: {{}}\n"
    )
    (folder / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    with (folder / "resources.jsonl").open("w") as file:
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in _lines(found))


def _lines(found: Trace) -> Iterator[dict[str, Any]]:
    by_urn = {resource.urn: resource for resource in found.graph.resources}
    asked = False
    for urn in found.inputs:
        if urn not in by_urn:
            continue  # the stack itself
        line = _line(found, by_urn, by_urn[urn])
        if not asked and '"of_project"' in json.dumps(line):
            asked = True
            yield _ask(found)
        yield line
    yield {"exports": {key: _encoded(found, value) for key, value in found.outputs.items()}}


def _ask(found: Trace) -> dict[str, Any]:
    (call,) = found.calls
    assert call.provider
    apis = [r.urn for r in found.graph.resources if r.name == "api-cloudresourcemanager"]
    return {
        "ask": call.inputs["projectId"],
        "provider": call.provider.rsplit("::", 1)[0],
        "depends_on": apis,
    }


def _line(found: Trace, by_urn: dict[str, Resource], resource: Resource) -> dict[str, Any]:
    line: dict[str, Any] = {"urn": resource.urn, "name": resource.name}
    if resource.parent in by_urn:
        line["parent"] = resource.parent
    options = {ours: resource.options[theirs] for theirs, ours in OPTIONS.items() if theirs in resource.options}
    if options:
        line["options"] = options
    if not resource.custom:
        providers = [ref.rsplit("::", 1)[0] for ref in resource.options.get("providers", {}).values()]
        known = {key: value for key, value in (resource.outputs or {}).items() if value != UNKNOWN}
        line |= {"token": resource.type, "outputs": known, "providers": providers}
        waits = set(resource.dependencies)
    else:
        line |= {"class": _constructor(resource), "inputs": {}, "computed": {}}
        by_property = {urn for urns in resource.property_dependencies.values() for urn in urns}
        waits = set(resource.dependencies) - by_property
        if resource.provider and (urn := resource.provider.rsplit("::", 1)[0]) in by_urn:
            line["provider"] = urn
        _add_inputs(found, resource, line)
    if waits:
        line["depends_on"] = sorted(waits)
    return line


def _add_inputs(found: Trace, resource: Resource, line: dict[str, Any]) -> None:
    given_by_class = resource.type.startswith("kubernetes:") and not line["class"].endswith("CustomResource")
    if resource.type.startswith("pulumi:providers:"):
        line["class"] = f"{resource.type.split(':')[-1]}.Provider"
    for key, value in found.inputs[resource.urn].items():
        if key in {"apiVersion", "kind"} and given_by_class:
            continue
        held = _decoded(key, value) if resource.type.startswith("pulumi:providers:") else value
        encoded = _encoded(found, held)
        for urn in resource.property_dependencies.get(key, ()):
            encoded = _via(found, urn, held, encoded)
        is_plain = encoded == held
        line["inputs" if is_plain else "computed"][snake(key)] = held if is_plain else encoded


def _via(found: Trace, urn: str, held: Any, encoded: Any) -> Any:
    """Return the output that contains the text, such as a bucket's name, as a person would reference it."""
    for key, value in found.inputs[urn].items():
        if isinstance(held, str) and value == held:
            return {"parts": [{"of": urn, "path": [snake(key)]}]}
    return encoded


def _encoded(found: Trace, value: Any) -> Any:
    if isinstance(value, dict):
        kind = Ordered if isinstance(value, Ordered) else dict
        return kind({key: _encoded(found, each) for key, each in value.items()})
    if isinstance(value, list):
        return [_encoded(found, each) for each in value]
    if not isinstance(value, str) or not WORD.search(value):
        return value
    parts: list[Any] = []
    for at, text in enumerate(WORD.split(value)):
        if at % 2:
            parts.append(_reference(found.words[int(text)]))
        elif text:
            parts.append(text)
    return {"parts": parts}


def _reference(source: Source) -> dict[str, Any]:
    if source.kind == "call":
        (name,) = source.path
        return {"of_project": snake(name)}
    assert source.kind == "resource"
    return {"of": source.of, "path": [snake(part) for part in source.path]}
