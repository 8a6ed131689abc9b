# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an input, said so that a person can mend it.

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
"""Problems that are printed; the rest is counted."""
MOST_GUESSED = 20
"""Problems for which the nearest of many words is searched."""
_LINE_BEFORE, _LINE_WIDTH = 60, 116
"""Characters of a long source line that are shown: before the place, and in all."""
_LISTED = 30
"""Words of a list of what is known."""
_QUOTED = 100
"""Characters of one quoted word of a message."""

_LONGEST = 60
"""Characters of a value in a message."""
_HUGE_BITS = 10_000
"""Python refuses to print whole numbers of more than 4300 digits; a hexadecimal one may have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and what to do about it."""

    path: str
    """File as the user named it."""
    line: int | None = None
    """1-based; None where the problem is the file as a whole."""
    column: int | None = None
    """1-based."""
    message: str
    """The wrong value, the rule it breaks and what would happen."""
    hint: str | None = None
    """What to do, with the command or the nearest valid word where there is one."""
    source_line: str | None = None
    """The text of the line, for the caret."""
    setting: str | None = None
    """Setting of the stack that it is about (`hubstack:gateway.host`), for who knows where that stands."""

    def render(self) -> str:
        """Return `file:line:column: message`, the line with a caret, and the hint, fit for a terminal."""
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        lines = [f"{visible(place)}: {visible(_cropped(self.message))}"]
        if self.source_line is not None and self.column is not None:
            lines += self._caret(self.source_line, self.column - 1)
        if self.hint:
            lines.append(f"    hint: {visible(self.hint)}")
        return "\n".join(lines)

    def _caret(self, line: str, at: int) -> list[str]:
        start = max(0, at - _LINE_BEFORE) if len(line) > _LINE_WIDTH else 0
        end = start + _LINE_WIDTH
        before = ("..." if start else "") + visible(line[start:at], keep="\t")
        shown = before + visible(line[at:end], keep="\t") + ("..." if end < len(line) else "")
        # Tabs are kept in the padding so that the caret stands under its character.
        padding = "".join("\t" if char == "\t" else " " for char in before)
        return [f"    {shown.rstrip()}", f"    {padding}^"]


class RefusedError(ValueError):
    """What a validator of a schema refuses, with what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def render_problems(problems: Iterable[Problem]) -> str:
    """Render all problems in reading order, each once; of very many only the first."""
    ordered = sorted(set(problems), key=lambda p: (p.path, p.line or 0, p.column or 0, p.message))
    lines = [problem.render() for problem in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        lines.append(f"and {len(ordered) - MOST_SHOWN:,} more; fix these first")
    return "\n".join(lines)


def _cropped(message: str) -> str:
    """Return the message with each quoted word of a length that nobody reads cut short."""
    return re.sub(r"`([^`]*)`", lambda found: f"`{_short(found[1])}`", message)


def _short(word: str) -> str:
    return word if len(word) < _QUOTED else f"{word[: _QUOTED - 3]}..."


def listed(words: Sequence[str]) -> str:
    """Return words with commas; of very many the first, and how many more there are."""
    more = len(words) - _LISTED
    return ", ".join(words[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def shown(value: object) -> str:
    """Return a value as a message names it: short, and never the inside of a list."""
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
    """Return the known word that was most likely meant, or None where none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5 if len(word) <= 3 else 0.6)
    return lowered[close[0]] if close else None
