# SPDX-License-Identifier: Apache-2.0
"""The recorded graph: every resource as the engine would receive it.

Owns the types and their JSON. Secrets are already masked, and there are no local paths, ports or times.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One registered resource."""

    urn: str
    type: str
    name: str
    parent: str | None
    custom: bool
    """False for components."""
    provider: str | None
    inputs: Mapping[str, Any]
    """Plain JSON; secret and unknown values are `[secret]` and `[unknown]`, resources are URNs."""
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    aliases: tuple[Any, ...]
    options: Mapping[str, Any]
    """Only options that were set."""
    outputs: Mapping[str, Any] | None = None
    """Registered outputs of a component."""

    def plain(self) -> dict[str, Any]:
        """Return JSON-ready data without empty fields."""
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
    """All resources and outputs that one run of the program registered."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    """Sorted by URN, without the stack itself."""
    outputs: Mapping[str, Any]
    """Exports of the stack."""
    diagnostics: tuple[str, ...] = ()
    """Warnings logged by the program."""

    @property
    def count(self) -> int:
        """Return the number of resources as the engine counts them, including the stack."""
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
