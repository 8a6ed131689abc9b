# SPDX-License-Identifier: Apache-2.0
"""Reads policy.yaml: the limits of a stack, with their locations.

Owns reading, error reporting and the merging of environment sections. Does not own the keys
(`hubstack.review.check.policy_schema`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubstack.catalog import load_catalog
from hubstack.files.documents import Document, Loc, Mark, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, listed, meant, nearest
from hubstack.files.schema_errors import schema_problems
from hubstack.review.check.policy_schema import Limits, PolicyFile, Waiver
from hubstack.review.check.rules import catalogue, defaults

NAME = "policy.yaml"
_MERGED = frozenset({"levels", "waivers", "environments"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWaiver:
    """A waiver and its location in the file."""

    waiver: Waiver
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits, levels and waivers that apply to one stack."""

    limits: Mapping[str, Any]
    """Every key of `defaults` in rules.yaml, resolved."""
    levels: Mapping[str, str]
    """Level of every rule, by rule ID."""
    waivers: tuple[PlacedWaiver, ...] = ()
    marks: Mapping[str, Mark]
    """Location of each configured limit; defaults have no entry."""


def following(waivers: tuple[PlacedWaiver, ...], present: Mapping[str, str]) -> tuple[PlacedWaiver, ...]:
    """Return the waivers with renamed model keys updated.

    Args:
        waivers: as written.
        present: former key to current key.
    """
    found: list[PlacedWaiver] = []
    for each in waivers:
        key = present.get(each.waiver.model or "")
        found.append(replace(each, waiver=each.waiver.model_copy(update={"model": key})) if key else each)
    return tuple(found)


def policy_path(config_file: Path) -> Path:
    """Return the policy file next to a stack's config: stacks/policy.yaml for stacks/Pulumi.dev.yaml."""
    return config_file.with_name(NAME)


def load_policy(path: Path, name: str, stack: str) -> Policy:
    """Read the limits of a stack; use the defaults if the file does not exist.

    Raises:
        InputError: with every problem found.
    """
    document = parse_document(read_text(path, name), name) if path.exists() else Document(name, None, {}, {})
    try:
        file = PolicyFile.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, PolicyFile, _REFERENCE, _HINTS)) from None
    parts: list[tuple[Loc, Limits]] = [((), file)]
    parts += [(("environments", name), part) for name, part in sorted((file.environments or {}).items())]
    problems = [
        problem
        for loc, part in parts
        for problem in (*_unknown_rules(document, loc, part), *_unknown_accelerators(document, loc, part))
    ]
    if problems:
        raise InputError(problems)
    return _resolve(document, [part for part in parts if not part[0] or _holds_for(str(part[0][-1]), stack)])


def _holds_for(environment: str, stack: str) -> bool:
    """Return whether a section applies to a stack: `prod` applies to `prod` and its clusters, such as `prod-eu`."""
    return stack == environment or stack.startswith(f"{environment}-")


def _resolve(document: Document, parts: list[tuple[Loc, Limits]]) -> Policy:
    limits, marks = defaults(), dict[str, Mark]()
    levels: dict[str, str] = {rule.id: rule.level for rule in catalogue().values()}
    waivers: list[PlacedWaiver] = []
    for loc, part in parts:
        for key in sorted(part.model_fields_set - _MERGED):
            limits[key] = getattr(part, key)
            marks[key] = document.mark((*loc, key))
        levels |= dict(part.levels or {})
        for index, waiver in enumerate(part.waivers or []):
            waivers.append(PlacedWaiver(waiver=waiver, mark=document.mark((*loc, "waivers", index))))
    return Policy(limits=limits, levels=levels, waivers=tuple(waivers), marks=marks)


def _unknown_rules(document: Document, loc: Loc, part: Limits) -> Iterator[Problem]:
    for rule in part.levels or {}:
        if rule not in catalogue():
            yield _unknown_rule(document.key_mark((*loc, "levels", rule)), rule)
    for index, waiver in enumerate(part.waivers or []):
        place: Loc = (*loc, "waivers", index)
        if waiver.rule not in catalogue():
            yield _unknown_rule(document.mark((*place, "rule")), waiver.rule)
        if waiver.model and waiver.resource:
            yield document.mark(place).problem(
                "a waiver takes either `model` or `resource`, not both", "write two separate waivers"
            )


def _unknown_accelerators(document: Document, loc: Loc, part: Limits) -> Iterator[Problem]:
    catalog = load_catalog()
    known = sorted({row.gke_label for row in catalog.accelerators.values()})
    for word in part.max_accelerators or {}:
        if word not in known:
            row = catalog.accelerator(word)
            ids = (row.id,) if row else catalog.accelerators_meant(word)
            near = [catalog.accelerators[each].gke_label for each in ids]
            hint = meant(near) if near else f"known: {listed(known)}"
            mark = document.key_mark((*loc, "max_accelerators", word))
            yield mark.problem(f"`{word}` is not GKE's name of an accelerator in the catalogue", hint)


def _unknown_rule(mark: Mark, word: str) -> Problem:
    by_name = {rule.name: rule.id for rule in catalogue().values()}
    near = by_name.get(word) or nearest(word, catalogue()) or by_name.get(nearest(word, by_name) or "")
    hint = f"did you mean `{near}`?" if near else "rules: docs/reference/policy.md"
    return mark.problem(f"unknown rule `{word}`", hint)


_REFERENCE = "every key: docs/concepts/policy.md"
_HINTS = {
    "owner": "the owner's e-mail address",
    "until": "the last valid day, without quotes: `2027-01-31`",
    "why": "explain why the rule does not apply here",
    "rule": "a rule ID such as HS004; see docs/reference/policy.md",
}
