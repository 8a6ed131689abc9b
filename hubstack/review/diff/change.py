# SPDX-License-Identifier: Apache-2.0
"""Two sides compared: all that a reviewer must know, as plain data.

Owns the whole and its JSON. What is where: models and their reasons, money, what the Hub says, resources,
accelerators, who can reach it. Renderings only show it; gates only read it.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from hubstack.files.jsonable import plain
from hubstack.review.diff.capacity import CapacityRow, compare_capacity
from hubstack.review.diff.facts import FactChange, compare_facts
from hubstack.review.diff.models import ModelChange, compare_models, find_renamed
from hubstack.review.diff.money import Money, compare_money
from hubstack.review.diff.paths import ABSENT
from hubstack.review.diff.protection import ProtectionChange, compare_protection
from hubstack.review.diff.reach import compare_reach
from hubstack.review.diff.replacement import Replacement, load_replacement
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.resources import Action, ResourceChange, compare_resources
from hubstack.review.diff.state import Sides

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Reported):
    """A side that could not be run."""

    side: str
    """Name of the side."""
    error: str
    """Why it could not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Reported):
    """What the new side makes of the old one."""

    format: int = FORMAT
    """Version of this JSON."""
    environment: str
    """What the user calls it."""
    before: str
    """Name of the old side."""
    after: str
    """Name of the new side."""
    failures: tuple[Failure, ...] = ()
    """Not empty: nothing was compared, and the rest is empty."""
    is_new: bool = False
    """The environment is not there on the old side."""
    is_gone: bool = False
    """The environment is not there on the new side."""
    models: tuple[ModelChange, ...] = ()
    """Models that are not as before."""
    money: Money
    """The two bills, and what differs."""
    hub: tuple[FactChange, ...] = ()
    """What the Hub says otherwise, or says of new models."""
    resources: tuple[ResourceChange, ...] = ()
    """Resources that do not stay as they are."""
    accelerators: tuple[CapacityRow, ...] = ()
    """Every kind that either side may have."""
    has_quota: bool = False
    """Whether a quota file was given."""
    protection: tuple[ProtectionChange, ...] = ()
    """What protects the stack less than before, then what protects it more."""
    program: tuple[str, ...] = ()
    """Files of the program, its policy and its pipelines that differ: the review is made by what they say."""
    reach_new: tuple[str, ...] = ()
    """Who can reach a model now and could not before, a sentence each."""
    reach_gone: tuple[str, ...] = ()
    """Who cannot any more."""
    warnings_new: tuple[str, ...] = ()
    """The plan's warnings that are new."""
    warnings_gone: tuple[str, ...] = ()
    """Those that are gone."""

    def of(self, *actions: Action) -> tuple[ResourceChange, ...]:
        """Return the resources to which one of the actions happens."""
        return tuple(each for each in self.resources if each.action in actions)

    @property
    def at_risk(self) -> tuple[ResourceChange, ...]:
        """Resources that hold data and are deleted or replaced; last those that hold copies only."""
        lost = (each for each in self.of(Action.DELETE, Action.REPLACE) if each.held)
        return tuple(sorted(lost, key=lambda each: each.is_copy))

    @property
    def weaker(self) -> tuple[ProtectionChange, ...]:
        """What protects the stack less than before."""
        return tuple(each for each in self.protection if each.is_weaker)

    def to_json(self) -> str:
        """Return sorted, indented JSON that ends with a newline (docs/reference/change.schema.json)."""
        return json.dumps(plain(self, ABSENT), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def compare(environment: str, sides: Sides, rules: Replacement | None = None) -> Change:
    """Compare two sides. Pure: equal sides give an empty change.

    Args:
        environment: what the user calls it.
        sides: the two, and the quota.
        rules: the providers' facts; the package's own by default.
    """
    old, new = sides.old, sides.new
    failures = tuple(Failure(side=each.name, error=each.error) for each in (old, new) if each.error)
    if failures:
        return Change(environment=environment, before=old.name, after=new.name, failures=failures,
                      money=compare_money(old, old, {}))  # fmt: skip
    renamed = find_renamed(old, new)
    resources = compare_resources(old, new, rules or load_replacement())
    reach_new, reach_gone = compare_reach(old, new)
    warnings = [tuple((side.plan or {}).get("warnings", ())) for side in (old, new)]
    return Change(
        environment=environment, before=old.name, after=new.name, is_new=old.is_missing, is_gone=new.is_missing,
        models=compare_models(old, new, renamed),
        money=compare_money(old, new, renamed),
        hub=compare_facts(old, new, renamed),
        resources=resources,
        protection=compare_protection(old, new, resources),
        program=sides.program,
        accelerators=compare_capacity(old, new, sides.quota),
        has_quota=bool(sides.quota),
        reach_new=reach_new, reach_gone=reach_gone,
        warnings_new=tuple(w for w in warnings[1] if w not in warnings[0]),
        warnings_gone=tuple(w for w in warnings[0] if w not in warnings[1]),
    )  # fmt: skip


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `Change.to_json`."""
    schema = TypeAdapter(Change).json_schema(mode="serialization")
    # A value that is not there on one side is left out: null is a value.
    schema["$defs"]["PathChange"]["required"] = ["path"]
    schema["$defs"]["PathChange"]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
