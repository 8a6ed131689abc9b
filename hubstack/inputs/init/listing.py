# SPDX-License-Identifier: Apache-2.0
"""Renders entries as the text of a model list.

Owns resolving duplicate keys, dropping values that the schema rejects, and the comments. The text that it returns
has been validated by the model list's own parser.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hubstack import names
from hubstack.inputs.init.entry import Entry, Found, Setting, Unknown
from hubstack.inputs.models import parse_request
from hubstack.inputs.models_schema import EntryRequest

_WIDTH = 118


class _Plain(yaml.SafeDumper):
    """Writes every value out: the list accepts no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that no value becomes an alias."""
        del data
        return True


_ORDER = ("name", *(key for key in EntryRequest.model_fields if key not in {"id", "name"}))


def render_list(found: Found, name: str, schema: str | None) -> tuple[str, tuple[Entry, ...]]:
    """Return the text of the list, and its entries as written.

    Args:
        found: results with at least one entry.
        name: path of the list in messages.
        schema: path of the list's JSON Schema, relative to the list's folder; None if the project has none.
    """
    entries = tuple(_with_keys([_valid(entry) for entry in found.entries]))
    lines = [
        *([f"# yaml-language-server: $schema={schema}"] if schema else []),
        *_comment(f"Created by `hubstack init` from {found.source}. Edit it freely."),
        "models:",
        *(line for entry in entries for line in _entry_lines(entry)),
        *(line for unknown in found.unknown for line in _unknown_lines(unknown)),
    ]
    text = "\n".join(lines) + "\n"
    parse_request(text, name)
    return text, entries


def _valid(entry: Entry) -> Entry:
    """Drop settings that the schema rejects, with a note for each."""
    settings, notes = dict(entry.settings), list(entry.notes)
    while True:
        try:
            EntryRequest.model_validate({"id": entry.id, **{key: each.value for key, each in settings.items()}})
        except ValidationError as error:
            wrong = {str(detail["loc"][0]): _why(detail) for detail in error.errors()}
            if not wrong.keys() & settings.keys():
                raise
            for key, why in wrong.items():
                held = settings.pop(key)
                notes.append(f"not carried over: {held.source} ({key}: {why[0].lower()}{why[1:]})")
        else:
            return replace(entry, settings=settings, notes=tuple(notes))


def _why(detail: ErrorDetails) -> str:
    return "not a valid value" if detail["type"] == "string_pattern_mismatch" else detail["msg"]


def _with_keys(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Add a `name` to each entry whose key is already in use."""
    taken: set[str] = set()
    for entry in entries:
        held = entry.settings.get("name")
        key = str(held.value) if held else names.key_of(entry.id)
        if key in taken:
            name = _free(entry, taken)
            setting = Setting(value=name, source=f"the key `{key}` is already in use")
            entry = replace(entry, settings={**entry.settings, "name": setting})  # noqa: PLW2901
            key = name
        taken.add(key)
        yield entry


def _free(entry: Entry, taken: set[str]) -> str:
    wanted = [names.shorten(names.slug(text), names.KEY_MAX) for text in (entry.spare_name, entry.id) if text]
    numbered = (names.shorten(f"{wanted[0]}-{number}", names.KEY_MAX) for number in range(2, len(taken) + 3))
    return next(name for name in [*wanted, *numbered] if name not in taken | names.RESERVED_KEYS)


def _entry_lines(entry: Entry) -> Iterator[str]:
    yield from _comment(entry.origin, indent=2)
    for note in entry.notes:
        yield from _comment(note, indent=2)
    yield f"  - id: {_scalar(entry.id)}"
    for key in _ORDER:
        if held := entry.settings.get(key):
            yield f"    {key}: {_scalar(held.value)} # {_plain(held.source)}"


def _unknown_lines(unknown: Unknown) -> Iterator[str]:
    yield from _comment(f"{unknown.origin}: {unknown.why}; {unknown.hint}", indent=2)
    if unknown.guess:
        yield f"  # - id: {_scalar(unknown.guess)}"


def _comment(text: str, indent: int = 0) -> Iterable[str]:
    """Return any text as comment lines."""
    words, line = _plain(text).split(), " " * indent + "#"
    for word in words:
        if len(line) + len(word) >= _WIDTH and not line.endswith("#"):
            yield line
            line = " " * indent + "#  "
        line += f" {word}"
    yield line


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _scalar(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    text = yaml.dump(
        value, Dumper=_Plain, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
