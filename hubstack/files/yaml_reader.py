# SPDX-License-Identifier: Apache-2.0
r"""Reads the YAML subset that hubstack accepts: one document of plain values, each with its place.

Owns what is rejected: aliases (ten lines of them can expand to gigabytes), tags, merge keys, directives, several
documents, duplicate keys, deep nesting and merge conflict markers. In the files of other programs aliases, merge
keys and several documents are read, and what they repeat is counted. Parses event by event, so that it stops at the
first dangerous line. Does not own files or how problems are shown (`hubstack.files.documents`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

Loc = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, 0-based."""

MAX_DEPTH = 64
"""The deepest hubstack file has 8 levels; libyaml's time is quadratic in the depth."""
MAX_VALUES = 100_000
"""Enough for a list of ten thousand models with all settings."""

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(
    {f"{_TAG}{word}" for word in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")}
)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SYNTAX = {
    "mapping values are not allowed in this context": "a `:` where a key is not allowed",
    "did not find expected key": "expected a key",
    "did not find expected '-' indicator": "expected a `-` for the next list item",
    "could not find expected ':'": "expected a `:` after the key",
    "did not find expected ',' or ']'": "expected `,` or `]`",
    "did not find expected ',' or '}'": "expected `,` or `}`",
    "found unexpected end of stream": "a quote or a bracket is not closed",
    "did not find expected node content": "expected a value",
    "found character that cannot start any token": "a character that cannot start a value: quote the text",
    "did not find expected <document start>": "a second value starts here",
    "found unknown escape character": "not a YAML escape: write `\\\\` for a backslash, or use single quotes",
    "block sequence entries are not allowed in this context": "a `-` where a list cannot start",
}
"""libyaml's messages to ours."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem in the text."""

    message: str
    hint: str
    place: Place | None = None


@dataclass(slots=True)
class Values:
    """The parsed value; incomplete if there are faults."""

    value: Any = None
    places: dict[Loc, Place] = field(default_factory=dict[Loc, Place])
    key_places: dict[Loc, Place] = field(default_factory=dict[Loc, Place])
    faults: list[Fault] = field(default_factory=list[Fault])


class _Stop(Exception):  # noqa: N818  control flow: parsing stops here
    def __init__(self, message: str, hint: str, event: Any) -> None:
        super().__init__(message)
        self.fault = Fault(message, hint, _place(event.start_mark))


def read_values(text: str, most: int = MAX_VALUES) -> Values:
    """Read YAML text with one document.

    Args:
        text: the text, without a byte order mark.
        most: maximum number of values.
    """
    return _read(text, most, is_ours=True)[0]


def read_every(text: str, most: int) -> list[Values]:
    """Read YAML text from another program, with any number of documents; arguments as for `read_values`.

    Aliases and merge keys are read too: what they repeat counts as values of its own, at the place of the alias.
    """
    return _read(text, most, is_ours=False)


def _read(text: str, most: int, *, is_ours: bool) -> list[Values]:
    held = [Values()]
    if early := _before_reading(text):
        held[0].faults = early
        return held
    try:
        _Reader(text, held, most, is_ours=is_ours).documents()
    except _Stop as stop:
        held[-1].faults.append(stop.fault)
    except yaml.YAMLError as error:
        held[-1].faults.append(_syntax_fault(text, error))
    for each in held:
        each.places.setdefault((), (0, 0))
    return held


def split_lines(text: str) -> list[str]:
    """Split a text into lines as YAML does."""
    if text.isascii():
        return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for end in ("\r\n", "\r", "\x85", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    return text.split("\n")


def _before_reading(text: str) -> list[Fault]:
    """Return problems that are detected in the text before parsing."""
    if "<<<<<<<" in text:
        lines = [at for at, line in enumerate(split_lines(text)) if re.match(r"<{7}( |$)", line)]
        hint = "resolve the conflict, then delete the `<<<<<<<`, `=======` and `>>>>>>>` lines"
        if lines:
            return [Fault("an unresolved merge conflict", hint, (at, 0)) for at in lines]
    for at, line in enumerate(text.split("\n") if text.lstrip()[:1] in {"%", "#"} else ()):
        if line.startswith("%"):
            return [Fault("a directive (`%`), which hubstack does not accept", "delete the line", (at, 0))]
        if line.strip() and not line.startswith("#"):
            break
    return []


class _Reader:
    def __init__(self, text: str, every: list[Values], most: int, *, is_ours: bool) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self.every, self.held, self.left, self.is_ours = every, every[0], most, is_ours
        self.anchors: dict[str, Any] = {}
        self.resolve = cast("Any", yaml.resolver.Resolver()).resolve
        self.scalars: Any = yaml.constructor.SafeConstructor()

    def documents(self) -> None:
        next(self.events)
        event = next(self.events)
        while not isinstance(event, yaml.StreamEndEvent):
            self.held.value = self.value(next(self.events), (), 0)
            next(self.events)
            event = next(self.events)
            if isinstance(event, yaml.StreamEndEvent):
                break
            if self.is_ours:
                hint = "keep one document in the file: delete the `---`"
                raise _Stop("a second document begins here", hint, event)
            self.held, self.anchors = Values(), {}
            self.every.append(self.held)

    def value(self, event: Any, loc: Loc, depth: int) -> Any:
        self.count(event)
        self.held.places[loc] = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, loc, depth)
        _refuse_tag(event)
        if isinstance(event, yaml.ScalarEvent):
            found = self.scalar(event)
        elif depth >= MAX_DEPTH:
            raise _too_deep(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self.sequence(loc, depth + 1)
        else:
            found = self.mapping(loc, depth + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = found
        return found

    def count(self, event: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise _Stop("too many values; parsing stopped here", "split the file, or remove what it repeats", event)

    def alias(self, event: Any, loc: Loc, depth: int) -> Any:
        if self.is_ours:
            raise _Stop(
                "an alias (`*name`), which hubstack does not accept: a few aliases can exhaust memory",
                "write the value out, or put what models share under `defaults:`",
                event,
            )
        if event.anchor not in self.anchors:
            raise _Stop("an alias of a value that does not precede it", "write the value out", event)
        return self.repeat(self.anchors[event.anchor], event, loc, depth)

    def repeat(self, value: Any, event: Any, loc: Loc, depth: int) -> Any:
        """Return a copy of a value, all of it at the place of the event."""
        self.held.places[loc] = _place(event.start_mark)
        if not isinstance(value, dict | list):
            return value
        if depth >= MAX_DEPTH:
            raise _too_deep(event)
        keys = list(
            cast("dict[Any, Any]", value) if isinstance(value, dict) else range(len(cast("list[Any]", value)))
        )
        found: dict[Any, Any] = {}
        for key in keys:
            self.count(event)
            self.held.key_places[(*loc, key)] = _place(event.start_mark)
            found[key] = self.repeat(value[key], event, (*loc, key), depth + 1)
        return found if isinstance(value, dict) else list(found.values())

    def sequence(self, loc: Loc, depth: int) -> list[Any]:
        found: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self.value(event, (*loc, len(found)), depth))
        return found

    def mapping(self, loc: Loc, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[tuple[Any, Any]] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event)
            place = (*loc, key)
            if _is_merge(event):
                merged.append((event, self.value(next(self.events), place, depth)))
                continue
            if key in found:
                line = self.held.key_places[place][0] + 1
                self.fault(event, f"duplicate key `{key}`", f"first defined on line {line}")
                # Parse and discard it, so that the places of the first one are kept.
                self.value(next(self.events), (*loc, key, -1), depth)
                continue
            self.held.key_places[place] = _place(event.start_mark)
            found[key] = self.value(next(self.events), place, depth)
        for event, value in merged:
            self.merge(found, value, event, loc, depth)
        return found

    def merge(self, found: dict[str, Any], value: Any, event: Any, loc: Loc, depth: int) -> None:
        """Add the keys of a mapping, or of each mapping of a list, that are not there."""
        for each in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise _Stop("a merge key (`<<`) without a mapping", "write the keys out", event)
            for key, held in cast("dict[str, Any]", each).items():
                if key not in found:
                    self.count(event)
                    self.held.key_places[(*loc, key)] = _place(event.start_mark)
                    found[key] = self.repeat(held, event, (*loc, key), depth)

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _Stop("a key must be a plain word", "write `key: value`", event)
        _refuse_tag(event)
        if self.is_ours and _is_merge(event):
            raise _Stop(
                "a merge key (`<<`), which hubstack does not accept",
                "write the keys out, or put what models share under `defaults:`",
                event,
            )
        return str(event.value)

    def scalar(self, event: Any) -> Any:
        """Return the YAML 1.1 value of a scalar, except where that would be surprising."""
        text, tag = event.value, event.tag
        if tag is None:
            tag = self.resolve(yaml.ScalarNode, text, (True, False)) if event.implicit[0] else f"{_TAG}str"
        if tag in {f"{_TAG}str", "!"}:
            return text
        word = tag.removeprefix(_TAG)
        if self.is_ours and word == "int" and (re.match(r"[-+]?0[0-9_]", text) or ":" in text):
            self.fault(
                event,
                f"`{text}`: YAML reads such a number in base {8 if ':' not in text else 60}",
                "write it in base 10, or quote it if it is text",
            )
            return None
        try:
            return self.scalars.construct_object(yaml.ScalarNode(tag, text))
        except (yaml.YAMLError, ValueError, OverflowError):
            self.fault(event, f"`{text}` cannot be read as {_WORDS.get(word, 'a value')}", "quote it if it is text")
            return None

    def fault(self, event: Any, message: str, hint: str) -> None:
        self.held.faults.append(Fault(message, hint, _place(event.start_mark)))


_WORDS = {"int": "a whole number", "float": "a number", "timestamp": "a date", "bool": "true or false"}


def _is_merge(event: Any) -> bool:
    return event.value == "<<" and event.implicit[0]


def _too_deep(event: Any) -> _Stop:
    return _Stop(f"nested deeper than {MAX_DEPTH} levels; parsing stopped here", "unfold it", event)


def _refuse_tag(event: Any) -> None:
    if event.tag is not None and event.tag != "!" and event.tag not in _PLAIN_TAGS:
        shown = event.tag.replace(_TAG, "!!")
        what = f"a tag (`{shown}`), which hubstack does not accept: tags can name code"
        raise _Stop(what, "write a plain value", event)


def _place(mark: Any) -> Place:
    return mark.line, mark.column


def _syntax_fault(text: str, error: yaml.YAMLError) -> Fault:
    mark: Any = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).strip()
    if mark is None:
        return _bad_character(text) or Fault(f"is not YAML: {words}", "check the quotes and the indentation")
    lines = split_lines(text)
    at: int = mark.line
    line = lines[at] if at < len(lines) else ""
    # libyaml reports some tabs at the end of the previous token instead.
    if "\t" in line[: max(mark.column + 1, 1)] or "\t" in line[: len(line) - len(line.lstrip())]:
        hint = "replace the tab with spaces"
        return Fault("a tab: YAML allows only spaces for indentation", hint, (at, line.index("\t")))
    hint = "check the indentation and the quotes of this line"
    begun: Any = getattr(error, "context_mark", None)
    if begun is not None and begun.line < at:
        hint = f"check the indentation, quotes and brackets since line {begun.line + 1}, where it begins"
    return Fault(f"is not YAML: {_SYNTAX.get(words, words)}", hint, _place(mark))


def _bad_character(text: str) -> Fault | None:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    place = before.count("\n"), found.start() - (before.rfind("\n") + 1)
    name = "NUL" if found[0] == "\0" else "a control character"
    hint = "is it UTF-16? save it as UTF-8; else delete it" if found[0] == "\0" else "delete it"
    return Fault(f"{name} (U+{ord(found[0]):04X}), which YAML does not allow", hint, place)
