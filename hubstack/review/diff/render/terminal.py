# SPDX-License-Identifier: Apache-2.0
"""Renders a report as terminal tables."""

from collections.abc import Iterator
from textwrap import indent

from rich.console import RenderableType
from rich.table import Table

from hubstack.review.diff.render.sections import Report
from hubstack.review.report.tables import Column, FittedTable


def terminal_parts(report: Report) -> Iterator[RenderableType]:
    """Yield the output from top to bottom."""
    yield report.title
    yield report.verdict
    yield ""
    answers = Table(box=None, pad_edge=False, show_header=False)
    answers.add_column(no_wrap=True)
    answers.add_column(overflow="fold")
    for question, answer in report.answers:
        answers.add_row(question, answer)
    yield answers
    for version, output in report.failures:
        yield f"{version}:\n{indent(output, '    ')}"
    for section in report.sections:
        yield ""
        yield f"{section.title}:"
        yield FittedTable(
            Column(name=name, cells=[row[at] for row in section.rows], is_wrapped=True)
            for at, name in enumerate(section.columns)
        )
        if section.note:
            yield section.note
    yield ""
    yield report.blind
