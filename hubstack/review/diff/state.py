# SPDX-License-Identifier: Apache-2.0
"""One version in a comparison: the plan, the graph and the facts of an environment.

Owns its JSON, which an older or newer hubstack may have written: fields are read by name, and missing ones are
ignored. Does not create it (`hubstack.review.diff.base_head`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from hubstack.files.documents import parse_json
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, shown
from hubstack.hub.lock_hash import CONTENT, content_of

FORMAT = 2
"""Since format 2, the file contains a hash of its content."""
Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class State:
    """The data of one version; empty if the environment does not exist in it."""

    name: str
    """Display name: `main (1a2b3c4)`, `work tree`, a file."""
    plan: Data | None = None
    """`hubstack plan --json`."""
    graph: Data | None = None
    """`hubstack preview --json`."""
    facts: tuple[Data, ...] = ()
    """Fields of `hubstack.hub.facts.ModelFacts` of each locked model."""
    guards: Data | None = None
    """Its protections as read from files (`hubstack.review.diff.guards`); None if they were not read."""
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Key of each model of the environment's other clusters to the stacks that serve it."""
    error: str | None = None
    """Error that prevented a plan or graph."""

    @property
    def is_missing(self) -> bool:
        """Return whether the environment does not exist in this version."""
        return self.plan is None and self.error is None

    @cached_property
    def models(self) -> dict[str, Data]:
        """Models of the plan by key."""
        return {model["key"]: model for model in (self.plan or {}).get("models", ())}

    @cached_property
    def pools(self) -> tuple[Data, ...]:
        """Node pools of the plan."""
        return tuple((self.plan or {}).get("pools", ()))

    @cached_property
    def resources(self) -> dict[str, Data]:
        """Custom resources by URN, without components."""
        return {each["urn"]: each for each in (self.graph or {}).get("resources", ()) if each.get("custom")}

    @cached_property
    def all_resources(self) -> dict[str, Data]:
        """All resources by URN, including components."""
        return {each["urn"]: each for each in (self.graph or {}).get("resources", ())}

    @cached_property
    def target(self) -> Data:
        """The plan's target; empty for a missing version."""
        return (self.plan or {}).get("target", {})

    def fact(self, key: str) -> Data | None:
        """Return the locked facts of a model of the plan."""
        model = self.models.get(key)
        if model is None:
            return None
        return self._locked(model)

    def companion_facts(self, key: str) -> dict[str, Data]:
        """Return the locked facts of a model's adapters and draft model by name."""
        held = self.models.get(key, {}).get("companions", ())
        return {each["name"]: facts for each in held if (facts := self._locked(each))}

    def _locked(self, repository: Data) -> Data | None:
        found = (f for f in self.facts if f["commit"] == repository["commit"] and f["id"] == repository["id"])
        return next(found, None)

    def to_json(self) -> str:
        """Return the version as sorted, indented JSON that ends with a newline."""
        data = {
            "format": FORMAT,
            "name": self.name,
            "plan": self.plan,
            "graph": self.graph,
            "facts": list(self.facts),
            "guards": self.guards,
            "elsewhere": self.elsewhere,
            "error": self.error,
        }
        data["content"] = content_of(data)
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The base and head versions."""

    base: State
    head: State
    quota: Mapping[tuple[str, str, str], int] = field(default_factory=dict[tuple[str, str, str], int])
    """Granted accelerators by region, accelerator and provisioning model (`on-demand`, `spot`)."""
    program: tuple[str, ...] = ()
    """Changed files of the program, its policy and its pipelines."""


def parse_state(text: str, path: str) -> State:
    """Read a file written by `hubstack diff --save`.

    Raises:
        InputError: the text is not such a file.
    """
    data = parse_json(text, path, _AGAIN)
    said: Data = cast("Data", data) if isinstance(data, dict) else {}
    if said.get("format") != FORMAT:
        found = f": its `format` is {shown(said['format'])}, not {FORMAT}" if "format" in said else ""
        raise InputError([Problem(path=path, message=f"is not a file written by `--save`{found}", hint=_AGAIN)])
    # Whatever has the hash was written by `to_json`, so its shape needs no check.
    if said.get(CONTENT) != content_of(said):
        raise InputError([Problem(path=path, message="was edited after hubstack wrote it", hint=_AGAIN)])
    return State(
        name=path,
        plan=said["plan"],
        graph=said["graph"],
        facts=tuple(said["facts"]),
        guards=said.get("guards"),
        elsewhere=read_elsewhere(said),
        error=said["error"],
    )


def read_elsewhere(said: Data) -> dict[str, tuple[str, ...]]:
    """Return `State.elsewhere` from a version's JSON; empty if an older hubstack wrote it."""
    return {str(key): tuple(stacks) for key, stacks in said.get("elsewhere", {}).items()}


_AGAIN = "write one with `hubstack diff ENV --save FILE`, with this version of hubstack"
