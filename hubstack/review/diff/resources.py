# SPDX-License-Identifier: Apache-2.0
"""Compares two graphs: what Pulumi would create, update, replace and delete, and which argument causes it.

Owns the matching of resources (by URN and alias), the interpretation of differences by the providers' facts, and
the consequences of a replacement: for resources of a replaced provider, and for users of a replaced resource's ID.
It reads no state: the base graph stands for what exists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from hubstack.review.diff.aliases import alias_urns
from hubstack.review.diff.paths import ABSENT, UNKNOWN, PathChange, bare, differences, leaves
from hubstack.review.diff.replacement import Replacement, TypeFacts
from hubstack.review.diff.reported import Reported
from hubstack.review.diff.state import Data, State

_SETTINGS = (
    "protect",
    "retainOnDelete",
    "ignoreChanges",
    "replaceOnChanges",
    "deleteBeforeReplace",
    "customTimeouts",
    "deletedWith",
    "replaceWith",
    "version",
    "importId",
    "aliases",
)


class Action(StrEnum):
    """The change to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SETTINGS = "settings"
    """No change in the cloud: only Pulumi's options or the order of operations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange(Reported):
    """One changed resource."""

    urn: str
    """URN after the change, or before deletion."""
    type: str
    """Its type token: `gcp:storage/bucket:Bucket`."""
    name: str
    """Its logical name."""
    action: Action
    """What `pulumi up` will do."""
    changes: tuple[PathChange, ...] = ()
    """Changed arguments; empty for creations and deletions."""
    because: tuple[str, ...] = ()
    """The arguments or the reason that force a replacement."""
    follows: str | None = None
    """URN of the resource whose replacement causes this one."""
    deletes_first: bool = False
    """Whether the old resource is deleted before the new one is created, which causes downtime."""
    held: str | None = None
    """What is lost; None if nothing is lost."""
    is_copy: bool = False
    """Whether the lost data can be downloaded again."""
    refused: str | None = None
    """Why `pulumi up` will fail on it."""
    is_unknown: bool = False
    """Whether the type is unknown, so that the update may be a replacement."""
    kept_in_cloud: bool = False
    """Whether `retainOnDelete` keeps it in the cloud."""
    old_urn: str | None = None
    """URN before the change, if matched by an alias."""


def compare_resources(base: State, head: State, rules: Replacement) -> tuple[ResourceChange, ...]:
    """Return every changed resource, sorted by URN."""
    matched = match_resources(base, head)
    present = {before: after for after, before in matched.items()}
    changes: dict[str, ResourceChange] = {}
    for urn, resource in head.resources.items():
        before = base.resources.get(matched.get(urn, ""))
        if before is None:
            changes[urn] = _plain(resource, Action.CREATE)
            continue
        found = _compare(before, resource, rules, (base, head), present)
        if found:
            changes[urn] = found
    _cascade(changes, matched, base, head, rules)
    gone = base.resources.keys() - set(matched.values())
    for urn in gone:
        changes[urn] = _lost(_plain(base.resources[urn], Action.DELETE), base.resources[urn], rules)
    return tuple(change for _, change in sorted(changes.items()))


def match_resources(base: State, head: State) -> dict[str, str]:
    """Map the URN of each head resource, components included, to the base resource that it continues."""
    every = head.all_resources
    free = base.all_resources.keys() - every.keys()
    matched = {urn: urn for urn in every if urn in base.all_resources}
    former: dict[str, str] = {}
    for urn in sorted(every.keys() - matched.keys(), key=lambda urn: (_depth(urn, every), urn)):
        found = next((alias for alias in alias_urns(urn, every, former) if alias in free), None)
        if found:
            free.discard(found)
            matched[urn] = former[urn] = found
    return matched


def _depth(urn: str, resources: Mapping[str, Data]) -> int:
    """Return the number of ancestors; parents are matched before their children."""
    parent = str(resources[urn].get("parent") or "")
    return 1 + _depth(parent, resources) if parent in resources else 0


def _plain(resource: Data, action: Action) -> ResourceChange:
    return ResourceChange(urn=resource["urn"], type=resource["type"], name=resource["name"], action=action)


def _compare(
    before: Data, after: Data, rules: Replacement, versions: tuple[State, State], present: Mapping[str, str]
) -> ResourceChange | None:
    facts = rules.facts(after["type"])
    options: Data = after.get("options", {})
    ignored = [bare(str(path)) for path in options.get("ignoreChanges", ())]
    changes = tuple(
        change
        for change in differences(before.get("inputs", {}), after.get("inputs", {}))
        if not _is_below(bare(change.path), ignored) and not _is_nothing(change, facts)
    ) + tuple(_from_provider(before, after, facts, versions))
    asked = [bare(str(path)) for path in options.get("replaceOnChanges", ())]
    forcing = tuple(
        each.path for each in changes if (facts and _forces(each, facts)) or _is_below(bare(each.path), asked)
    )
    moved = before["urn"] if before["urn"] != after["urn"] else None
    draft = replace(_plain(after, Action.UPDATE), changes=changes, old_urn=moved)
    if forcing:
        change = replace(draft, action=Action.REPLACE, because=forcing, deletes_first=_deletes_first(before, after))
        return _lost(change, before, rules)
    if changes:
        return replace(draft, is_unknown=facts is None)
    settings = tuple(_settings(before, after, present))
    return replace(draft, action=Action.SETTINGS, changes=settings) if settings or moved else None


def _is_below(path: str, tops: list[str]) -> bool:
    return any(path == top or path.startswith(f"{top}.") or top == "*" for top in tops)


def _is_nothing(change: PathChange, facts: TypeFacts | None) -> bool:
    """Return whether the provider treats both values as equal: an explicit default, or a kept value."""
    if facts is None:
        return False
    path = bare(change.path)
    if change.after is ABSENT and path in facts.kept:
        return True
    if path not in facts.defaults:
        return False
    default = facts.defaults[path]
    return (default if change.before is ABSENT else change.before) == (
        default if change.after is ABSENT else change.after
    )


def _forces(change: PathChange, facts: TypeFacts) -> bool:
    return any(facts.replaces(path) for path in change.all_paths())


def _provider(resource: Data, side: State) -> Data:
    """Return the provider that manages a resource; empty for the default provider."""
    reference = str(resource.get("provider") or "")
    return side.resources.get(reference.rpartition("::")[0], {})


def _from_provider(
    before: Data, after: Data, facts: TypeFacts | None, versions: tuple[State, State]
) -> Iterator[PathChange]:
    """Yield differences caused by a change of the provider's configuration."""
    for name in facts.from_provider if facts else ():
        if name in before.get("inputs", {}) or name in after.get("inputs", {}):
            continue
        values = [
            _provider(each, side).get("inputs", {}).get(name)
            for each, side in zip((before, after), versions, strict=True)
        ]
        if values[0] != values[1] and None not in values:
            yield PathChange(name, values[0], values[1])


def _settings(before: Data, after: Data, present: Mapping[str, str]) -> Iterator[PathChange]:
    base, head = before.get("options", {}), after.get("options", {})
    for name in _SETTINGS:
        if base.get(name) != head.get(name):
            yield PathChange(name, base.get(name, ABSENT), head.get(name, ABSENT))
    held = [[present.get(urn, urn) for urn in before.get("dependencies", ())], after.get("dependencies", ())]
    waits = [{urn.split("::", 2)[-1] for urn in urns} for urns in held]
    if waits[0] != waits[1]:
        yield PathChange("dependsOn", sorted(waits[0] - waits[1]), sorted(waits[1] - waits[0]))


def _deletes_first(before: Data, after: Data) -> bool:
    """Return whether the old resource must be deleted first because the name is taken (pulumi-kubernetes, Diff)."""
    options: Data = after.get("options", {})
    if "deleteBeforeReplace" in options:
        return bool(options["deleteBeforeReplace"])
    base, head = before.get("inputs", {}), after.get("inputs", {})
    if after["type"].startswith("kubernetes:helm.sh/"):
        return False
    if after["type"].startswith("kubernetes:"):
        names = [_identity(inputs.get("metadata")) for inputs in (base, head)]
        return names[0] == names[1]
    return "name" in head


def _identity(metadata: Any) -> tuple[Any, Any]:
    """Return name and namespace; metadata as a whole may be unknown."""
    held: Data = cast("Data", metadata) if isinstance(metadata, Mapping) else {}
    return held.get("name"), held.get("namespace")


def _lost(change: ResourceChange, before: Data, rules: Replacement) -> ResourceChange:
    """Add the data that is lost with the old resource, and what blocks the change."""
    options, inputs = before.get("options", {}), before.get("inputs", {})
    refused = None
    if options.get("protect"):
        refused = "it is protected in Pulumi (`protect`), so `pulumi up` fails"
    elif change.type == "gcp:container/cluster:Cluster" and inputs.get("deletionProtection", True):
        refused = "`deletionProtection` is on, so the provider refuses"
    kept = bool(options.get("retainOnDelete"))
    held = None if kept else rules.data.get(change.type)
    is_copy = bool(held) and "hubstack-model" in (inputs.get("labels") or ())
    if is_copy:
        held = "copies of Hub files; can be downloaded again"
    if change.type == "gcp:storage/bucket:Bucket" and held and not inputs.get("forceDestroy"):
        refused = refused or "the bucket is not empty and `forceDestroy` is off, so the provider refuses"
    return replace(change, held=held, is_copy=is_copy, refused=refused, kept_in_cloud=kept)


def _cascade(
    changes: dict[str, ResourceChange], matched: Mapping[str, str], base: State, head: State, rules: Replacement
) -> None:
    """Add the replacements caused by other replacements, transitively."""
    waiting = [urn for urn, change in changes.items() if change.action is Action.REPLACE]
    users = _users(head)
    while waiting:
        gone = changes[waiting.pop()]
        for urn in sorted(users.get(gone.urn, ())):
            before, after = base.resources.get(matched.get(urn, "")), head.resources[urn]
            known = changes.get(urn)
            if before is None or (known and known.action is Action.REPLACE):
                continue
            why = _why_follows(after, gone, rules.facts(after["type"]))
            if why is None:
                continue
            draft = known or _plain(after, Action.REPLACE)
            made = replace(
                draft,
                action=Action.REPLACE,
                because=(why,),
                follows=gone.urn,
                is_unknown=False,
                deletes_first=_deletes_first(before, after),
            )
            changes[urn] = _lost(made, before, rules)
            waiting.append(urn)


def _users(head: State) -> dict[str, set[str]]:
    """Map each URN to the resources that use its outputs or are managed through it."""
    users: dict[str, set[str]] = {}
    for urn, resource in head.resources.items():
        named = {each for urns in resource.get("propertyDependencies", {}).values() for each in urns}
        named |= set(resource.get("options", {}).get("replaceWith", ()))
        named.add(str(resource.get("provider") or "").rpartition("::")[0])
        for each in named:
            users.setdefault(each, set()).add(urn)
    return users


def _why_follows(after: Data, gone: ResourceChange, facts: TypeFacts | None) -> str | None:
    """Return why a resource is replaced with another one; None if it is not."""
    if str(after.get("provider") or "").rpartition("::")[0] == gone.urn:
        return f"its provider {gone.name} is replaced"
    options: Data = after.get("options", {})
    if gone.urn in options.get("replaceWith", ()):
        return f"replaceWith names {gone.name}, which is replaced"
    ignored = [bare(str(path)) for path in options.get("ignoreChanges", ())]
    for name, urns in sorted(after.get("propertyDependencies", {}).items()):
        if gone.urn not in urns or facts is None or _is_below(name, ignored):
            continue
        value: Any = after.get("inputs", {}).get(name)
        for path, part in leaves(value, name):
            # Of what is deleted first the engine takes every value for unknown, also one that the program knew.
            is_new = gone.deletes_first or part == UNKNOWN
            if is_new and facts.replaces(bare(path)) and not _is_below(bare(path), ignored):
                return f"{path} comes from {gone.name}, which is replaced"
    return None
