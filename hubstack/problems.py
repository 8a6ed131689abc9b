# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an input, said so that a person can mend it.

Owns the shape of a problem and its rendering (message, hint, source line, caret). Does not own the rules
that find problems. All problems of a file are collected first and reported together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


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

    def render(self) -> str:
        """Return `file:line:column: message`, the line with a caret, and the hint."""
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        lines = [f"{place}: {self.message}"]
        if self.source_line is not None and self.column is not None:
            # Tabs are kept in the padding so that the caret stands under its character.
            before = self.source_line[: self.column - 1]
            padding = "".join("\t" if char == "\t" else " " for char in before)
            lines += [f"    {self.source_line}", f"    {padding}^"]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


def render_problems(problems: Iterable[Problem]) -> str:
    """Render all problems in reading order, each once."""
    ordered = sorted(set(problems), key=lambda p: (p.path, p.line or 0, p.column or 0, p.message))
    return "\n".join(problem.render() for problem in ordered)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was most likely meant, or None where none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5 if len(word) <= 3 else 0.6)
    return lowered[close[0]] if close else None
