# SPDX-License-Identifier: Apache-2.0
"""Reads files as text, and parses YAML into plain values with the place of each.

Owns reading: file type and size, encoding, and places. Does not own which YAML is accepted
(`hubstack.files.yaml_reader`) or what the values mean.
"""

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.yaml_reader import Fault, Loc, Place, Values, read_every, read_values, split_lines

MAX_BYTES = 2_000_000
"""A list of ten thousand models has less than one megabyte."""

MAX_JSON_BYTES = 256_000_000
"""Enough for a saved plan of a thousand models, or a listing of a hundred thousand objects."""

__all__ = [
    "MAX_BYTES",
    "MAX_JSON_BYTES",
    "Document",
    "Loc",
    "Mark",
    "decode",
    "json_problem",
    "parse_document",
    "parse_documents",
    "parse_json",
    "read_text",
]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column are 1-based."""

    path: str
    line: int
    column: int
    source_line: str

    def problem(self, message: str, hint: str | None = None, *, is_secret: bool = False) -> Problem:
        """Return a problem at this place; with `is_secret` it does not show the line."""
        return Problem(
            path=self.path,
            line=self.line,
            column=self.column,
            message=message,
            hint=hint,
            source_line=None if is_secret else self.source_line,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values of one YAML file, and the place of each."""

    path: str
    value: Any
    places: Mapping[Loc, Place]
    """Location of each value to its line and column, 0-based."""
    key_places: Mapping[Loc, Place]
    """Location of each mapping value to the line and column of its key."""
    lines: Sequence[str] = ()

    def mark(self, loc: Loc) -> Mark:
        """Return the place of a value, or of the nearest enclosing one; for a missing key, its mapping's key."""
        for end in range(len(loc), -1, -1):
            if (place := self.places.get(loc[:end])) is not None:
                # A value written as JSON in a string has a place, but none of its parts.
                is_missing = end < len(loc) and isinstance(self._value(loc[:end]), Mapping)
                return self._at(self.key_places.get(loc[:end], place) if is_missing else place)
        return self._at((0, 0))

    def key_mark(self, loc: Loc) -> Mark:
        """Return the place of a value's key, or of the value if it has none."""
        place = self.key_places.get(loc)
        return self.mark(loc) if place is None else self._at(place)

    def _value(self, loc: Loc) -> Any:
        found = self.value
        for part in loc:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _at(self, place: Place) -> Mark:
        line, column = place
        return Mark(self.path, line + 1, column + 1, self.lines[line] if line < len(self.lines) else "")


def read_text(path: Path, name: str, hint: str | None = None, most: int = MAX_BYTES) -> str:
    """Return the text of a file without a byte order mark.

    Args:
        path: the file.
        name: its name in messages.
        hint: what to do if the file does not exist.
        most: maximum size in bytes; a larger file is not read.

    Raises:
        InputError: it cannot be read, links out of the project folder, is no regular file, too large, or not UTF-8.
    """
    return decode(_read_bytes(path, name, hint, most), name, most)


def decode(content: bytes, name: str, most: int) -> str:
    """Return UTF-8 bytes as text without a byte order mark.

    Raises:
        InputError: there are more than `most` bytes, or they are not UTF-8 text.
    """
    if len(content) > most:
        message = f"is larger than {most:,} bytes; nothing was read"
        raise InputError([Problem(path=name, message=message, hint="is it the right file?")])
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise InputError([Problem(path=name, message="is UTF-16 text", hint="save it as UTF-8")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = split_lines(content[: error.start].decode("utf-8-sig"))
        message = f"is not UTF-8 text: the byte 0x{content[error.start]:02x}"
        mark = Mark(name, len(lines), len(lines[-1]) + 1, lines[-1])
        raise InputError([mark.problem(message, "save it as UTF-8")]) from None


def _read_bytes(path: Path, name: str, hint: str | None, most: int) -> bytes:
    try:
        # Non-blocking: opening a FIFO would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError([Problem(path=name, message="is not a regular file", hint="name a text file")])
            root = project_of(path, name)
            if root and ".." not in Path(name).parts:
                refuse_outside(path, name, root)
            return stream.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError([_unreadable(error, path, name, hint)]) from None


def project_of(path: Path, name: str) -> Path | None:
    """Return the project folder: the path without the relative part that messages show; None without one."""
    parts = Path(name).parts
    is_part = bool(parts) and not Path(name).is_absolute() and path.parts[-len(parts) :] == parts
    return path.parents[len(parts) - 1].resolve() if is_part else None


def refuse_outside(path: Path, name: str, root: Path) -> None:
    """Raise an InputError for a file that a symlink puts outside a folder."""
    if not path.resolve().is_relative_to(root):
        message = "is a symlink to a file outside the project"
        raise InputError([Problem(path=name, message=message, hint="copy the file")])


def _unreadable(error: OSError | ValueError, path: Path, name: str, hint: str | None) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem(path=name, message="cannot be read: there is no such file", hint=hint or "check the name")
    if isinstance(error, IsADirectoryError):
        return Problem(path=name, message="cannot be read: it is a folder", hint=hint or "name a file")
    reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
    what = "check where the link leads" if path.is_symlink() else "check the name and the file's permissions"
    return Problem(path=name, message=f"cannot be read: {reason}", hint=what)


def parse_document(text: str, name: str, most_values: int | None = None) -> Document:
    """Parse YAML text; raise InputError with every problem found.

    Args:
        text: the file's text.
        name: the path shown to the user.
        most_values: maximum number of values; by default enough for a list of ten thousand models.
    """
    found = read_values(text) if most_values is None else read_values(text, most_values)
    return _document(text, name, found)


def parse_documents(text: str, name: str, most_values: int) -> list[Document]:
    """Parse YAML text with any number of documents. An empty document has the value None.

    For files written by other programs: numbers may be octal (`defaultMode: 0644`).
    """
    return [_document(text, name, found) for found in read_every(text, most_values)]


def _document(text: str, name: str, found: Values) -> Document:
    document = Document(name, found.value, found.places, found.key_places, split_lines(text))
    if found.faults:
        raise InputError([_problem(document, fault) for fault in found.faults])
    return document


def parse_json(text: str, name: str, hint: str) -> Any:
    """Parse JSON text; raise InputError with the place of the first syntax error."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError([json_problem(error, name, hint)]) from None
    except (ValueError, RecursionError):
        message = "is nested too deeply, or contains a number with thousands of digits"
        raise InputError([Problem(path=name, message=message, hint=hint)]) from None


def json_problem(error: json.JSONDecodeError, name: str, hint: str) -> Problem:
    """Return the problem for a JSON syntax error."""
    line = (error.doc.splitlines() or [""])[min(error.lineno, error.doc.count("\n") + 1) - 1 :][:1]
    said = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    message = f"is not JSON: {said}"
    return Mark(name, error.lineno, error.colno, line[0] if line else "").problem(message, hint)


def _problem(document: Document, fault: Fault) -> Problem:
    if fault.place is None:
        return Problem(path=document.path, message=fault.message, hint=fault.hint)
    # The end of a text is after its last line; show that line instead.
    line = min(fault.place[0], max(len(document.lines) - 1, 0))
    text = document.lines[line] if document.lines else ""
    column = min(fault.place[1], len(text)) if line == fault.place[0] else len(text)
    return Mark(document.path, line + 1, column + 1, text).problem(fault.message, fault.hint)
