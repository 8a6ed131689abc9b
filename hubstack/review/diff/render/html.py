# SPDX-License-Identifier: Apache-2.0
"""Renders a report as an HTML page: the tables, and every changed argument side by side.

Owns the pairing of lines. The template escapes all texts, runs no script and asks for nothing from any network.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import yaml
from markupsafe import Markup, escape

from hubstack.files.page_template import page_template
from hubstack.files.terminal import shown_in_page
from hubstack.review.diff.change import Change
from hubstack.review.diff.paths import ABSENT
from hubstack.review.diff.render.sections import Report
from hubstack.review.diff.resources import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pair of lines; None where one version has no line."""

    left: str | None
    right: str | None
    is_same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a resource in both versions."""

    path: str
    pairs: tuple[Pair, ...]


def html_text(change: Change, report: Report) -> str:
    """Return the HTML page."""
    shown = change.of(Action.REPLACE, Action.UPDATE)
    arguments = {each.urn: tuple(_argument(c.path, c.before, c.after) for c in each.changes) for each in shown}
    return page_template("hubstack.review.diff.render", "change.html.jinja").render(
        change=change, report=report, shown=shown, arguments=arguments, breakable=_breakable
    )


def _breakable(text: str) -> Markup:
    """Return a text as HTML in which paths may wrap behind dots, slashes and brackets, and nowhere else."""
    return Markup(re.sub(r"(?<=[./\]\[])(?=[A-Za-z_])", "<wbr>", str(escape(shown_in_page(text)))))  # noqa: S704  escaped


def _argument(path: str, before: Any, after: Any) -> Argument:
    return Argument(path=path, pairs=tuple(side_by_side(_lines(before), _lines(after))))


def _lines(value: Any) -> list[str]:
    if value is ABSENT:
        return []
    if isinstance(value, str):
        return value.splitlines() or [""]
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True, width=100).removesuffix("...\n").splitlines()


def side_by_side(left: list[str], right: list[str], around: int = 3) -> Iterator[Pair]:
    """Pair the lines of two texts; of equal lines, keep only those around a difference."""
    matcher = SequenceMatcher(a=left, b=right, autojunk=False)
    for group in matcher.get_grouped_opcodes(around):
        for tag, a, b, c, d in group:
            olds, news = left[a:b], right[c:d]
            for at in range(max(len(olds), len(news))):
                yield Pair(
                    left=olds[at] if at < len(olds) else None,
                    right=news[at] if at < len(news) else None,
                    is_same=tag == "equal",
                )
