# SPDX-License-Identifier: Apache-2.0
"""Problems with an input, in a form that helps the user fix them.

Owns the shape of a problem and its rendering (message, hint, source line, caret). Does not own the rules that find
problems. All problems of a file are collected first and
reported together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hubstack.files.escape import visible

MOST_SHOWN = 100
"""Maximum problems printed; the rest are counted."""
MOST_GUESSED = 20
"""Maximum problems for which the nearest of many words is looked up."""
_LINE_BEFORE, _LINE_WIDTH = 60, 116
"""Characters shown of a long source line: before the place, and in total."""
_LISTED = 30
"""Maximum words in a list of known values."""
_QUOTED = 100
"""Maximum length of a quoted word in a message."""
_SHORTEST_PART = 2
"""Minimum length of a word that is looked for as a part of another."""
_LONGEST = 60
"""Maximum length of a value in a message."""
_HUGE_BITS = 10_000
"""Python refuses to print integers of more than 4300 digits, which a hexadecimal number may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem, and how to fix it."""

    path: str
    """File as the user named it."""
    line: int | None = None
    """1-based; None if the problem concerns the whole file."""
    column: int | None = None
    """1-based."""
    message: str
    """The invalid value, and the rule that it breaks."""
    hint: str | None = None
    """How to fix it, with the command or the nearest valid word if there is one."""
    source_line: str | None = None
    """The source line, for the caret."""
    output: tuple[str, ...] = ()
    """Lines that another program printed about it."""
    setting: str | None = None
    """The stack setting concerned (`hubstack:gateway.host`), for callers that know its place."""

    def render(self) -> str:
        """Return `file:line:column: message`, the line with a caret, output and hint, escaped for a terminal."""
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        lines = [f"{visible(place)}: {visible(_cropped(self.message))}"]
        if self.source_line is not None and self.column is not None:
            lines += self._caret(self.source_line, self.column - 1)
        lines += [f"    {visible(line)}" for line in self.output]
        if self.hint:
            lines.append(f"    hint: {visible(self.hint)}")
        return "\n".join(lines)

    def _caret(self, line: str, at: int) -> list[str]:
        start = max(0, at - _LINE_BEFORE) if len(line) > _LINE_WIDTH else 0
        end = start + _LINE_WIDTH
        before = ("..." if start else "") + visible(line[start:at], keep="\t")
        shown = before + visible(line[at:end], keep="\t") + ("..." if end < len(line) else "")
        # Keep tabs in the padding, so that the caret is under its character.
        padding = "".join("\t" if char == "\t" else " " for char in before)
        return [f"    {shown.rstrip()}", f"    {padding}^"]


class RefusedError(ValueError):
    """Raised by schema validators, with a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def render_problems(problems: Iterable[Problem]) -> str:
    """Render the problems in reading order, without duplicates and up to a maximum."""
    ordered = sorted(set(problems), key=lambda p: (p.path, p.line or 0, p.column or 0, p.message))
    lines = [problem.render() for problem in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        lines.append(f"and {len(ordered) - MOST_SHOWN:,} more; fix these first")
    return "\n".join(lines)


def _cropped(message: str) -> str:
    """Return the message with long quoted words truncated."""
    return re.sub(r"`([^`]*)`", lambda found: f"`{_short(found[1])}`", message)


def _short(word: str) -> str:
    return word if len(word) < _QUOTED else f"{word[: _QUOTED - 3]}..."


def listed(words: Sequence[str]) -> str:
    """Return words separated by commas; if there are many, the first ones and the number of others."""
    more = len(words) - _LISTED
    return ", ".join(words[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def shown(value: object) -> str:
    """Return a short form of a value for messages, without the contents of lists and mappings."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, int) and value.bit_length() > _HUGE_BITS:
        return "a number of thousands of digits"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return f"`{text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}`"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was most likely meant, or None if none is similar.

    A word with the given one as its first or last part (`h200-141gb` for `h200`) is closer than one spelled alike.
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    if parts := _with_part(word.lower(), lowered):
        return lowered[parts[0]]
    close = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5 if len(word) <= 3 else 0.6)
    return lowered[close[0]] if close else None


def meant(words: Sequence[str]) -> str:
    """Return the question whether one of these words was meant."""
    quoted = [f"`{word}`" for word in words]
    return f"did you mean {' or '.join([', '.join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)}?"


def _with_part(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words that start or end with the word and a separator, shortest first."""
    plain = re.sub(r"[\s_]+", "-", word)
    if len(plain) < _SHORTEST_PART:
        return []
    starts = [each for each in known if re.match(rf"{re.escape(plain)}([-_.]|$)", each)]
    found = starts or [each for each in known if re.search(rf"[-_.]{re.escape(plain)}$", each)]
    return sorted(found, key=lambda each: (len(each), each))
