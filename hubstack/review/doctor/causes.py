# SPDX-License-Identifier: Apache-2.0
"""The known causes and how they are found in what a cluster says. Pure.

Owns the reading of causes.yaml and the order of causes. What is searched is collected by
`hubstack.review.doctor.cluster`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One row of causes.yaml."""

    id: str
    title: str
    where: tuple[str, ...]
    pattern: re.Pattern[str]
    means: str
    do: str
    source: str
    example: str
    term: str | None = None
    """Memory term of the plan that ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Something that the cluster says about a pod."""

    where: str
    """`event`, `status`, `log` or `class`."""
    of: str
    """The pod or object."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A cause, and where it was found."""

    cause: Cause
    of: str
    line: str
    """The line that says so."""
    figures: dict[str, str]
    """What the pattern's groups matched."""


@cache
def causes() -> tuple[Cause, ...]:
    """Return the known causes, the more specific ones first."""
    rows: Any = yaml.safe_load(Path(__file__).with_name("causes.yaml").read_text(encoding="utf-8"))["causes"]
    return tuple(
        replace(Cause(**row), where=tuple(row["where"]), pattern=re.compile(row["pattern"])) for row in rows
    )


def find_cause(texts: Iterable[Text]) -> Found | None:
    """Return the first known cause that the texts name, or None."""
    known = list(texts)
    for cause in causes():
        for text in known:
            if text.where in cause.where and (match := cause.pattern.search(text.text)):
                figures = {name: value for name, value in match.groupdict().items() if value}
                return Found(cause=cause, of=text.of, line=_line_at(text.text, match.end()), figures=figures)
    return None


def _line_at(text: str, at: int) -> str:
    """Return the line in which a match ends."""
    start = text.rfind("\n", 0, max(at - 1, 0)) + 1
    end = text.find("\n", at)
    return text[start : end if end >= 0 else len(text)].strip()
