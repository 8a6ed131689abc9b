# SPDX-License-Identifier: Apache-2.0
"""Where in a catalogue's files a fault stands: they are read without places, and with them only if need be.

Owns the search. Does not own the rules (`hubstack.catalog.row`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hubstack.catalog.row import CatalogError, Loc
from hubstack.documents import Document, parse_document, read_text
from hubstack.errors import InputError
from hubstack.problems import Problem

_HINT = "what each row holds: docs/catalog.md; `./dev test tests/catalog` judges all of them"


def placed(directory: Path, error: CatalogError, files: Iterable[str]) -> CatalogError:
    """Return the error with its line and column.

    Args:
        directory: the catalogue.
        error: what is wrong.
        files: names of its files, without their ending.
    """
    names = [f"{name}.yaml" for name in files] if error.word else [error.file]
    found: list[Problem] = []
    for name in names:
        shown = f"{directory.name}/{name}"
        try:
            document = parse_document(read_text(directory / name, shown, _HINT), shown)
        except InputError as unreadable:
            found += unreadable.problems
            continue
        places = _said(document, error.word) if error.word else [error.loc]
        found += [document.mark(loc).problem(error.message, _HINT) for loc in places]
    if not found:
        found = [Problem(path=directory.name, message=error.message, hint=_HINT)]
    return error.with_problems(found)


def _said(document: Document, word: str) -> Iterator[Loc]:
    """Yield where a document says a word, as a value or as a key."""
    said = [loc for loc in document.places if loc and word in {_value(document.value, loc), loc[-1]}]
    named = [loc for loc in said if loc[-1] in {"id", "name"}]
    yield from named or said


def _value(held: Any, loc: Loc) -> str | None:
    for part in loc:
        held = held[part]
    return held if isinstance(held, str) else None
