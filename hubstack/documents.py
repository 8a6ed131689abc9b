# SPDX-License-Identifier: Apache-2.0
"""YAML text to plain values with the place of each value.

Owns reading: size, encoding, tabs, duplicate keys, aliases (refused: ten lines of them can mean gigabytes).
Does not own what the values mean.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from hubstack.errors import InputError
from hubstack.problems import Problem

MAX_BYTES = 2_000_000
"""A list of ten thousand models is below one megabyte."""

Loc = tuple[str | int, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column are 1-based."""

    path: str
    line: int
    column: int
    source_line: str

    def problem(self, message: str, hint: str | None = None) -> Problem:
        """Return a problem at this place."""
        return Problem(
            path=self.path,
            line=self.line,
            column=self.column,
            message=message,
            hint=hint,
            source_line=self.source_line,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values of one YAML file, and where each stands."""

    path: str
    value: Any
    marks: Mapping[Loc, Mark]
    """Place of each value by its location."""
    key_marks: Mapping[Loc, Mark]
    """Place of each mapping key by the location of its value."""

    def mark(self, loc: Loc) -> Mark:
        """Return the place of a value, or of the nearest thing around it that has one."""
        return next(self.marks[loc[:end]] for end in range(len(loc), -1, -1) if loc[:end] in self.marks)

    def key_mark(self, loc: Loc) -> Mark:
        """Return the place of the key that leads to a value, else of the value."""
        return self.key_marks.get(loc) or self.mark(loc)


def read_text(path: Path, name: str, hint: str | None = None, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file, or raise InputError for one that cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "")
        raise InputError([Problem(path=name, message=f"cannot be read: {reason}", hint=hint)]) from None
    return decode(content, name, max_bytes)


def decode(content: bytes, name: str, limit: int = MAX_BYTES) -> str:
    """Return bytes as text, or raise InputError where they are too many or none of UTF-8."""
    if len(content) > limit:
        raise InputError([Problem(path=name, message=f"is larger than {limit:,} bytes; nothing was read")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError([Problem(path=name, message=f"is not UTF-8 text (byte {error.start})")]) from None


def parse_document(text: str, name: str) -> Document:
    """Parse YAML text; raise InputError with every problem that reading finds.

    Args:
        text: the file's text.
        name: the path to show to the user.
    """
    return _parse(text, name, lambda: [yaml.compose(text, Loader=_Loader)])[0]


def parse_documents(text: str, name: str) -> list[Document]:
    """Parse YAML text of any number of documents, as `parse_document` does one. An empty one has the value None."""
    return _parse(text, name, lambda: list(yaml.compose_all(text, Loader=_Loader)))


def _parse(text: str, name: str, compose: Callable[[], list[Any]]) -> list[Document]:
    reader = _Reader(text, name)
    try:
        reader.refuse_aliases()
        roots = [] if reader.problems else compose()
        documents = [reader.document(root) for root in roots]
    except yaml.YAMLError as error:
        raise InputError([reader.syntax_problem(error)]) from None
    except RecursionError:
        raise InputError([Problem(path=name, message="is nested too deeply to be read")]) from None
    if reader.problems:
        raise InputError(reader.problems)
    return documents


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self.text, self.name, self.lines = text, name, text.splitlines()
        self.problems: list[Problem] = []
        self.marks: dict[Loc, Mark] = {}
        self.key_marks: dict[Loc, Mark] = {}
        self._scalars = yaml.constructor.SafeConstructor()

    def document(self, root: yaml.Node | None) -> Document:
        self.marks, self.key_marks = {}, {}
        value: Any = None if root is None else self.value(root, ())
        self.marks.setdefault((), Mark(self.name, 1, 1, self.line(0)))
        return Document(self.name, value, self.marks, self.key_marks)

    def line(self, index: int) -> str:
        return self.lines[index] if 0 <= index < len(self.lines) else ""

    def place(self, mark: Any) -> Mark:
        return Mark(self.name, mark.line + 1, mark.column + 1, self.line(mark.line))

    def refuse_aliases(self) -> None:
        for event in yaml.parse(self.text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                self.problems.append(
                    self.place(event.start_mark).problem(
                        "an alias (`*name`): aliases are refused, since a few lines of them can fill the memory",
                        "write the value out, or put what models share under `defaults:`",
                    )
                )
                break

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.marks[loc] = self.place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        try:
            return cast("Any", self._scalars).construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.problems.append(self.marks[loc].problem(f"`{node.value}` cannot be read as {node.tag}"))
            return None

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            mark = self.place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(mark.problem("a key must be a plain word"))
                continue
            key = str(key_node.value)
            if key in result:
                first = self.key_marks[(*loc, key)]
                self.problems.append(
                    mark.problem(f"`{key}` stands twice in one mapping", f"the first is in line {first.line}")
                )
                continue
            self.key_marks[(*loc, key)] = mark
            result[key] = self.value(value_node, (*loc, key))
        return result

    def syntax_problem(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None)
        text = str(getattr(error, "problem", None) or error).strip()
        if mark is None:
            return Problem(path=self.name, message=f"is not YAML: {text}")
        place = self.place(mark)
        # libyaml reports a tab at the end of the token before it as often as at the tab itself.
        if "\t" in place.source_line[: max(place.column, 1)] or "\t" in place.source_line[: _indent(place)]:
            column = place.source_line.index("\t") + 1
            return Mark(self.name, place.line, column, place.source_line).problem(
                "a tab: YAML takes only spaces for indentation", "replace the tab by spaces"
            )
        return place.problem(f"is not YAML: {text}", "check the indentation and the quotes of this line")


def _indent(place: Mark) -> int:
    return len(place.source_line) - len(place.source_line.lstrip())
