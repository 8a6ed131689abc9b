# SPDX-License-Identifier: Apache-2.0
"""Finds where two values of a resource differ.

Owns the traversal and the paths, such as `spec.template.spec.containers[server].args`. List items are matched by
`name` if all have one, otherwise by index.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

from hubstack.review.diff.reported import Reported


class Absent:
    """Marks an absent value; null is a value."""

    def __repr__(self) -> str:
        return "(nothing)"


ABSENT = Absent()
UNKNOWN = "[unknown]"
"""Placeholder for a value that only a provider knows (hubstack.review.preview.values)."""


@dataclass(frozen=True, slots=True)
class PathChange(Reported):
    """One changed argument."""

    path: str
    """`spec.template.spec.containers[server].args`."""
    before: Any
    """Previous value; omitted (ABSENT in Python) if absent."""
    after: Any
    """New value; omitted if removed."""

    def all_paths(self) -> set[str]:
        """Return the path and, for an added or removed block, those of its parts; without list indexes."""
        found = {bare(self.path)}
        for value in (self.before, self.after):
            found |= {bare(path) for path, _ in leaves(value, self.path)}
        return found


def bare(path: str) -> str:
    """Return a path without list indexes."""
    return re.sub(r"\[[^\]]*\]", "", path)


def _join(path: str, key: str) -> str:
    """Return the path of a part; a key that contains a dot, as in labels, is put in brackets."""
    if "." in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def differences(before: Any, after: Any, path: str = "") -> Iterator[PathChange]:
    """Yield the differences of two values; an added or removed part is reported at its top."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
        for key in sorted({*old, *new}):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), _join(path, key))
        return
    named = _named(before), _named(after)
    if named[0] is not None and named[1] is not None:
        yield from _by_name(named[0], named[1], path)
        return
    if _has_blocks(before) and _has_blocks(after):
        pairs = zip_longest(cast("list[Any]", before), cast("list[Any]", after), fillvalue=ABSENT)
        for at, (left, right) in enumerate(pairs):
            yield from differences(left, right, f"{path}[{at}]")
        return
    yield PathChange(path, before, after)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and value of every mapping, list and scalar in a value."""
    if isinstance(value, Mapping):
        yield path, value
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from leaves(item, _join(path, key))
    elif _has_blocks(value):
        yield path, value
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}[{at}]")
    elif value is not ABSENT:
        yield path, value


def _by_name(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[PathChange]:
    for name in [*old, *(n for n in new if n not in old)]:
        yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}[{name}]")
    orders = [n for n in old if n in new], [n for n in new if n in old]
    if orders[0] != orders[1]:
        yield PathChange(path, orders[0], orders[1])


def _named(value: Any) -> dict[str, Any] | None:
    if not _has_blocks(value):
        return None
    items = cast("list[Any]", value)
    names = [str(cast("dict[str, Any]", i)["name"]) for i in items if isinstance(i, dict) and "name" in i]
    return dict(zip(names, items, strict=True)) if len(set(names)) == len(items) else None


def _has_blocks(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in cast("list[Any]", value))
