# SPDX-License-Identifier: Apache-2.0
"""The result of a comparison, as plain data: models, cost, Hub facts, resources, accelerators, access.

Owns the data type and its JSON. Renderings and gates only read it.
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
from hubstack.review.diff.state import Versions

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Reported):
    """A version that could not be run."""

    side: str
    """Name of the version."""
    error: str
    """Why it could not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Reported):
    """The difference between the base and head versions of an environment."""

    format: int = FORMAT
    """Version of this JSON."""
    environment: str
    """Name given by the user."""
    before: str
    """Name of the base version."""
    after: str
    """Name of the head version."""
    failures: tuple[Failure, ...] = ()
    """Versions that failed to run; if any, nothing was compared and the other fields are empty."""
    is_new: bool = False
    """Whether the environment does not exist in the base version."""
    is_gone: bool = False
    """Whether the environment does not exist in the head version."""
    models: tuple[ModelChange, ...] = ()
    """Added, removed, moved, renamed and changed models."""
    money: Money
    """Both costs and the items that differ."""
    hub: tuple[FactChange, ...] = ()
    """Changed Hub facts, and facts of new models."""
    resources: tuple[ResourceChange, ...] = ()
    """Changed resources."""
    accelerators: tuple[CapacityRow, ...] = ()
    """Maximum accelerators of every type in either version."""
    has_quota: bool = False
    """Whether a quota file was given."""
    protection: tuple[ProtectionChange, ...] = ()
    """Protection changes, weaker ones first."""
    program: tuple[str, ...] = ()
    """Changed files of the program, policy and pipelines, which can influence the review itself."""
    reach_new: tuple[str, ...] = ()
    """New access, one sentence each."""
    reach_gone: tuple[str, ...] = ()
    """Removed access, one sentence each."""
    warnings_new: tuple[str, ...] = ()
    """New warnings of the plan."""
    warnings_gone: tuple[str, ...] = ()
    """Warnings that no longer apply."""

    def of(self, *actions: Action) -> tuple[ResourceChange, ...]:
        """Return the resources with one of the given actions."""
        return tuple(each for each in self.resources if each.action in actions)

    @property
    def at_risk(self) -> tuple[ResourceChange, ...]:
        """Return deleted or replaced resources that hold data; those with only copies come last."""
        lost = (each for each in self.of(Action.DELETE, Action.REPLACE) if each.held)
        return tuple(sorted(lost, key=lambda each: each.is_copy))

    @property
    def weaker(self) -> tuple[ProtectionChange, ...]:
        """Return the changes that weaken protection."""
        return tuple(each for each in self.protection if each.is_weaker)

    def to_json(self) -> str:
        """Return sorted, indented JSON that ends with a newline (docs/reference/change.schema.json)."""
        return json.dumps(plain(self, ABSENT), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def compare(
    environment: str, versions: Versions, rules: Replacement | None = None, label: str | None = None
) -> Change:
    """Compare two versions. Pure: equal versions give an empty change.

    Args:
        environment: what the user calls it.
        versions: the two, and the quota.
        rules: the providers' facts; the package's own by default.
        label: key of a label to split the costs by.

    Raises:
        InputError: neither version has the label.
    """
    base, head = versions.base, versions.head
    failures = tuple(Failure(side=each.name, error=each.error) for each in (base, head) if each.error)
    if failures:
        return Change(
            environment=environment,
            before=base.name,
            after=head.name,
            failures=failures,
            money=compare_money(base, base, {}),
        )
    renamed = find_renamed(base, head)
    resources = compare_resources(base, head, rules or load_replacement())
    reach_new, reach_gone = compare_reach(base, head)
    warnings = [tuple((side.plan or {}).get("warnings", ())) for side in (base, head)]
    return Change(
        environment=environment,
        before=base.name,
        after=head.name,
        is_new=base.is_missing,
        is_gone=head.is_missing,
        models=compare_models(base, head, renamed),
        money=compare_money(base, head, renamed, label),
        hub=compare_facts(base, head, renamed),
        resources=resources,
        protection=compare_protection(base, head, resources),
        program=versions.program,
        accelerators=compare_capacity(base, head, versions.quota),
        has_quota=bool(versions.quota),
        reach_new=reach_new,
        reach_gone=reach_gone,
        warnings_new=tuple(w for w in warnings[1] if w not in warnings[0]),
        warnings_gone=tuple(w for w in warnings[0] if w not in warnings[1]),
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of what `hubstack diff --json` prints: `Change.to_json`, and the version."""
    schema = TypeAdapter(Change).json_schema(mode="serialization")
    schema["properties"]["hubstack"] = {"description": "Version of hubstack that compared.", "type": "string"}
    # A value that is not there on one side is left out: null is a value.
    schema["$defs"]["PathChange"]["required"] = ["path"]
    schema["$defs"]["PathChange"]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
