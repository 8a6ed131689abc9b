# SPDX-License-Identifier: Apache-2.0
"""The recorded graph: every resource as the engine would have been told of it.

Owns the types and their JSON. Secrets are masked before they get here; no path, port or time of the machine does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One registration."""

    urn: str
    type: str
    name: str
    parent: str | None
    custom: bool
    """False for components."""
    provider: str | None
    inputs: Mapping[str, Any]
    """Plain JSON: `[secret]` and `[unknown]` in place of such values; resources as their URN."""
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    aliases: tuple[Any, ...]
    options: Mapping[str, Any]
    """Only those that were set."""
    outputs: Mapping[str, Any] | None = None
    """What a component registered as its outputs."""

    def plain(self) -> dict[str, Any]:
        """Return JSON-ready data without what is empty."""
        data: dict[str, Any] = {
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "parent": self.parent,
            "custom": self.custom,
            "provider": self.provider,
            "inputs": dict(self.inputs),
            "dependencies": list(self.dependencies),
            "propertyDependencies": {key: list(urns) for key, urns in self.property_dependencies.items()},
            "aliases": list(self.aliases),
            "options": dict(self.options),
            "outputs": self.outputs,
        }
        return {key: value for key, value in data.items() if value not in (None, [], {}, ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All that one run of the program registered."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    """Sorted by URN; the stack itself is left out."""
    outputs: Mapping[str, Any]
    """Exports of the stack."""
    diagnostics: tuple[str, ...] = ()
    """Warnings that the program logged."""

    @property
    def count(self) -> int:
        """How many resources the engine would count, which counts the stack too."""
        return len(self.resources) + 1

    def to_json(self) -> str:
        """Return sorted, indented JSON that ends with a newline."""
        data = {
            "format": 1,
            "project": self.project,
            "stack": self.stack,
            "resources": [resource.plain() for resource in self.resources],
            "outputs": self.outputs,
        }
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
