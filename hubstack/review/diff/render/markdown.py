# SPDX-License-Identifier: Apache-2.0
"""Renders a report as a pull-request comment within the size limit.

Owns the size: the verdict and the answers always stay and fit on one screen; tables are folded. If a comment is too
long, bulk tables lose rows first, then all tables. Texts from the Hub are hostile; `hubstack.files.escape.markdown`
escapes them.
"""

import re
from collections.abc import Iterator

from hubstack.files.escape import markdown as escape
from hubstack.files.escape import visible
from hubstack.review.diff.render.sections import Report, Section
from hubstack.review.diff.render.words import cut_at_word

MAX_BYTES = 65_536
"""GitHub's comment limit in characters; measured here in bytes, which is never fewer."""
_CELL, _ANSWER = 400, 240
"""Maximum characters of a cell, and of an answer, whose details are in the tables."""
_STEPS = ((None, None), (200, None), (50, None), (20, 200), (10, 50), (5, 20), (0, 10), (0, 3), (0, 0))
"""Maximum rows of a bulk table and of other tables, starting with all."""


def markdown_text(report: Report, link: str | None = None, limit: int = MAX_BYTES) -> str:
    """Return the report as a Markdown comment.

    Args:
        report: the report.
        link: URL of the full report, shown where rows are omitted.
        limit: maximum size in bytes.
    """
    text = ""
    for bulk, others in _STEPS:
        text = "\n".join(_lines(report, link, bulk, others)) + "\n"
        if len(text.encode()) <= limit:
            return text
    end = f"\n\n{_omitted_rows(None, link)}\n"
    kept = text.encode()[: limit - len(end.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + end


def _lines(report: Report, link: str | None, bulk: int | None, others: int | None) -> Iterator[str]:
    yield f"### {escape(report.title)}"
    yield ""
    word, _, rest = report.verdict.partition(":")
    yield f"**{escape(word)}:** {escape(rest)}"
    yield ""
    if report.answers:
        yield "| | |"
        yield "| --- | --- |"
        yield from (f"| **{escape(question)}** | {_cell(answer, _ANSWER)} |" for question, answer in report.answers)
    for version, output in report.failures:
        # An indented block, in which no Git host recognizes mentions, links or commands.
        yield from ("", f"{escape(version)}:", "", *(f"    {visible(line)}" for line in output.splitlines()))
    for section in report.sections:
        yield ""
        yield from _section(section, bulk if section.is_bulk else others, link)
    yield ""
    yield f"<sub>{escape(report.blind)}</sub>"


def _section(section: Section, most: int | None, link: str | None) -> Iterator[str]:
    yield f"<details><summary>{escape(section.title)} ({len(section.rows):,})</summary>"
    yield ""
    rows = section.rows if most is None else section.rows[:most]
    if rows:
        yield f"| {' | '.join(escape(column) or ' ' for column in section.columns)} |"
        yield f"|{' --- |' * len(section.columns)}"
        yield from (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)
    if len(rows) < len(section.rows):
        yield ""
        yield _omitted_rows(len(section.rows) - len(rows), link)
    if section.note:
        yield ""
        yield escape(section.note)
    yield ""
    yield "</details>"


def _omitted_rows(number: int | None, link: str | None) -> str:
    what = f"{number:,} more rows" if number is not None else "The rest"
    where = f"[the whole report]({link})" if link and re.fullmatch(r"https?://[^\s()<>]+", link) else None
    return f"_{what} in {where}._" if where else f"_{what} in the output of `hubstack diff`._"


def _cell(text: str, longest: int = _CELL) -> str:
    return escape(cut_at_word(text, longest))
