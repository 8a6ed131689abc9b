# SPDX-License-Identifier: Apache-2.0
"""Locates faults in catalogue files, which are normally parsed without positions and again with them only on error.

Owns the search. Does not own the rules (`hubstack.catalog.row`).
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from hubstack.catalog.row import Fault, Loc
from hubstack.files.documents import Document, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

_HINT = "docs/concepts/catalog.md describes the fields of each row; `./dev test tests/catalog` checks all rows"


def placed(directory: Path, faults: Collection[Fault], files: Iterable[str]) -> list[Problem]:
    """Return the faults with line and column; if a file cannot be parsed, the parse error.

    Args:
        directory: folder of the catalogue.
        faults: the faults to locate.
        files: names of its files, without extension.
    """
    found: list[Problem] = []
    named = {fault.file for fault in faults if fault.word is None}
    for name in [f"{name}.yaml" for name in files]:
        if name not in named and all(fault.word is None for fault in faults):
            continue
        shown = f"{directory.name}/{name}"
        try:
            document = parse_document(read_text(directory / name, shown, _HINT), shown)
        except InputError as unreadable:
            found += unreadable.problems
            continue
        for fault in faults:
            own = [fault.loc] if fault.file == name else []
            places = _said(document, fault.word) if fault.word else own
            found += [document.mark(loc).problem(fault.message, _HINT) for loc in places]
    return found or [Problem(path=directory.name, message=fault.message, hint=_HINT) for fault in faults]


def _said(document: Document, word: str) -> Iterator[Loc]:
    """Yield the locations of a word in a document, as a value or as a key."""
    said = [loc for loc in document.places if loc and word in {_value(document.value, loc), loc[-1]}]
    named = [loc for loc in said if loc[-1] in {"id", "name"}]
    yield from named or said


def _value(held: Any, loc: Loc) -> str | None:
    for part in loc:
        held = held[part]
    return held if isinstance(held, str) else None
