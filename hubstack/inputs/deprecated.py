# SPDX-License-Identifier: Apache-2.0
"""Deprecated keys of the list and of the settings.

Owns which keys have a new name, and reading them: until the release that refuses a key, it is read under its new
name, with a warning in every plan; from then on it is refused with the new name as the hint. A row is never removed
(docs/reference/deprecations.md). Does not own any other rule about a key.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, cast

from hubstack.files.documents import Document, Loc
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecated:
    """A key with a new name."""

    key: str
    """`max_len`, `lora.rank` for a key in another, or a setting: `hubstack:budget`, `hubstack:gateway.host`."""
    instead: str
    """New name of its last part: `context`; of a setting, with the namespace."""
    since: str
    """First release that reads both."""
    until: str
    """First release that refuses the old one: a major version."""

    @property
    def is_read(self) -> bool:
        """Return whether this hubstack still reads it."""
        return _numbers(version("hubstack")) < _numbers(self.until)


LIST_KEYS: tuple[Deprecated, ...] = ()
"""Of a model, of `defaults:` and of `overrides:`."""
SETTINGS: tuple[Deprecated, ...] = ()
"""Of a stack."""


def read_deprecated(
    document: Document, rows: Sequence[Deprecated], roots: Iterable[Loc]
) -> tuple[Document, tuple[str, ...]]:
    """Return a document with the new names, each at its place in the file, and one warning for each key.

    Args:
        document: a list, or settings by full key.
        rows: the deprecated keys.
        roots: locations of the mappings that may hold them.

    Raises:
        InputError: a key is no longer read, or a mapping has both names; lists every problem.
    """
    moves: dict[Loc, str] = {}
    problems: list[Problem] = []
    counts: dict[Deprecated, int] = {}
    places = tuple(roots) if rows else ()
    for row in rows:
        *around, old = row.key.split(".")
        for held, loc in _mappings(document.value, places, around):
            if old not in held:
                continue
            mark = document.key_mark((*loc, old))
            if not row.is_read:
                problems.append(
                    mark.problem(f"`{old}` is not read since hubstack {row.until}", f"use `{row.instead}`")
                )
            elif row.instead in held:
                hint = f"remove `{old}`, which is deprecated"
                problems.append(mark.problem(f"`{old}` and `{row.instead}` are the same key", hint))
            else:
                moves[*loc, old] = row.instead
                counts[row] = counts.get(row, 0) + 1
    if problems:
        raise InputError(problems)
    if not moves:
        return document, ()
    moved = replace(
        document,
        value=_renamed(document.value, (), moves),
        places={_moved(loc, moves): place for loc, place in document.places.items()},
        key_places={_moved(loc, moves): place for loc, place in document.key_places.items()},
    )
    return moved, tuple(_warning(document.path, row, count) for row, count in counts.items())


def _warning(path: str, row: Deprecated, count: int) -> str:
    where = path if count == 1 else f"{path} ({count} places)"
    return (
        f"{where}: `{row.key}` is deprecated since hubstack {row.since}; write `{row.instead}` instead: "
        f"hubstack {row.until} refuses `{row.key}`"
    )


def _mappings(value: Any, roots: Iterable[Loc], around: Sequence[str]) -> Iterator[tuple[Mapping[Any, Any], Loc]]:
    """Yield each mapping at the keys `around` below a root, with its location; lists on the way are entered."""
    for root in roots:
        found = [(_at(value, root), root)]
        for key in around:
            inside = [(each, loc) for held, loc in found for each, loc in _entered(held, loc)]
            found = [(each[key], (*loc, key)) for each, loc in inside if key in each]
        yield from (each for held, loc in found for each in _entered(held, loc))


def _entered(value: Any, loc: Loc) -> Iterator[tuple[Mapping[Any, Any], Loc]]:
    if isinstance(value, Mapping):
        yield cast("Mapping[Any, Any]", value), loc
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            if isinstance(each, Mapping):
                yield cast("Mapping[Any, Any]", each), (*loc, index)


def _at(value: Any, loc: Loc) -> Any:
    for part in loc:
        value = value[part]
    return value


def _renamed(value: Any, loc: Loc, moves: Mapping[Loc, str]) -> Any:
    if isinstance(value, Mapping):
        held = cast("Mapping[Any, Any]", value)
        return {moves.get((*loc, key), key): _renamed(each, (*loc, key), moves) for key, each in held.items()}
    if isinstance(value, list):
        return [_renamed(each, (*loc, index), moves) for index, each in enumerate(cast("list[Any]", value))]
    return value


def _moved(loc: Loc, moves: Mapping[Loc, str]) -> Loc:
    return tuple(moves.get(loc[:end], loc[end - 1]) for end in range(1, len(loc) + 1))


def _numbers(release: str) -> tuple[int, int]:
    """Return a version's major and minor number: a release candidate already refuses what its release refuses."""
    major, minor = re.findall(r"\d+", f"{release}.0")[:2]
    return int(major), int(minor)
