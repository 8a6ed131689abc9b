# SPDX-License-Identifier: Apache-2.0
"""Writes registered values as Python expressions.

Owns the syntax: a trace placeholder becomes the output that it stands for, and a long text becomes a file.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from hubstack.files.errors import PreviewError
from hubstack.review.preview.trace import WORD, Secret, Source, Trace
from hubstack.review.preview.values import UNKNOWN

_LONG = 4
"""Minimum number of lines for a text to be written to its own file."""


class Ordered(dict[str, Any]):
    """A mapping sent as JSON text, whose key order must be kept."""


def snake(name: str) -> str:
    """Convert a protocol name to the SDK's snake case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


@dataclass(slots=True, kw_only=True)
class Writer:
    """Turns values into expressions, and collects the files that they read."""

    trace: Trace
    variable: Callable[[str], str]
    """Returns the variable of a resource, by URN."""
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """Files read by expressions, as path to text."""
    same: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts that equal an output of a dependency of the current value, mapped to the output's expression."""
    used: set[str] = field(default_factory=set[str])
    """Texts of `same` that the current value uses."""

    def sources(self, value: Any) -> set[Source]:
        """Return the sources of a value."""
        return {self.trace.words[int(found[1])] for text in _texts(value) for found in WORD.finditer(text)}

    def write(self, value: Any, indent: int, name: str = "") -> str:
        """Return an expression for a value; `name` is its key and names the file of a long text."""
        if isinstance(value, Secret):
            return f"pulumi.Output.secret({self.write(value.value, indent, name)})"
        if isinstance(value, dict):
            said = cast("dict[str, Any]", value)
            keys = list(said) if isinstance(said, Ordered) else sorted(said)
            return _wrapped(
                "{", [f"{key!r}: {self.write(said[key], indent + 4, key)}" for key in keys], "}", indent
            )
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return _wrapped("[", [self.write(item, indent + 4, name) for item in items], "]", indent)
        return self._text(value, name) if isinstance(value, str) else repr(value)

    def _text(self, text: str, name: str) -> str:
        if text == UNKNOWN:
            raise PreviewError(
                "a value is computed from an output known only after deployment, so it cannot be ejected"
            )
        parts: list[str] = []
        end = 0
        for found in WORD.finditer(text):
            parts += [self._plain(text[end : found.start()], name)] if found.start() > end else []
            parts.append(self.reference(self.trace.words[int(found[1])]))
            end = found.end()
        if not parts:
            self.used |= {text} & self.same.keys()
            return self.same.get(text) or self._plain(text, name)
        parts += [self._plain(text[end:], name)] if end < len(text) else []
        return parts[0] if len(parts) == 1 else f"pulumi.Output.concat({', '.join(parts)})"

    def _plain(self, text: str, name: str) -> str:
        if text.count("\n") < _LONG:
            return repr(text)
        stem = PurePosixPath(re.sub(r"[^A-Za-z0-9._-]", "-", name) or "text")
        number = 1
        path = str(stem)
        while self.texts.setdefault(path, text) != text:
            number += 1
            path = f"{stem.stem}-{number}{stem.suffix}"
        return f"read({path!r})"

    def reference(self, source: Source) -> str:
        """Return the expression of an output."""
        if source.kind == "secret":
            project, key = source.of.split(":", 1)
            return f"pulumi.Config({project!r}).require_secret({key!r})"
        if source.kind == "call":
            return f"call_{source.of}.{'.'.join(snake(part) for part in source.path)}"
        owner, path = self.variable(source.of), [snake(part) for part in source.path]
        if len(path) == 1:
            return f"{owner}.{path[0]}"
        return f"inside({owner}, {', '.join(repr(part) for part in path)})"


def _wrapped(begin: str, items: list[str], end: str, indent: int) -> str:
    line = f"{begin}{', '.join(items)}{end}"
    if "\n" not in line and len(line) + indent < 100:
        return line
    pad = " " * (indent + 4)
    return f"{begin}\n" + "".join(f"{pad}{item},\n" for item in items) + " " * indent + end


def _texts(value: Any) -> list[str]:
    if isinstance(value, Secret):
        return _texts(value.value)
    if isinstance(value, Mapping):
        return [text for item in cast("Mapping[str, Any]", value).values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in cast("list[Any]", value) for text in _texts(item)]
    return [value] if isinstance(value, str) else []
