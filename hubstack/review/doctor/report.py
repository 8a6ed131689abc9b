# SPDX-License-Identifier: Apache-2.0
"""What `hubstack doctor` prints. Owns the layout only."""

from collections.abc import Iterator
from typing import Any

from hubstack.review.doctor.diagnose import Diagnosis, Report, State
from hubstack.review.report.tables import Column, FittedTable

_LONGEST = 400


def report_parts(report: Report) -> list[Any]:
    """Return a table of the models, and a paragraph for each that is wrong."""
    rows = report.models
    columns = {
        "model": [row.key for row in rows],
        "state": [row.state.value.upper() if row.state is State.WRONG else row.state.value for row in rows],
        "servers": [row.pods for row in rows],
        "cause": [row.title for row in rows],
    }
    parts: list[Any] = [
        FittedTable(Column(name=name, cells=cells, is_number=False, rank=0) for name, cells in columns.items())
    ]
    for row in rows:
        if row.state is State.WRONG:
            parts += ["", *_paragraph(row)]
    wrong = sum(row.state is State.WRONG for row in rows)
    if not rows:
        verdict = "The stack has no model in a cluster."
    elif wrong:
        noun = "model is" if wrong == 1 else "models are"
        verdict = f"{wrong} {noun} wrong. All causes: docs/guides/not-starting.md."
    else:
        verdict = "Nothing is wrong."
    return [*parts, "", verdict]


def _paragraph(row: Diagnosis) -> Iterator[str]:
    yield f"{row.key}: {row.title}."
    if row.line:
        line = row.line if len(row.line) <= _LONGEST else f"{row.line[:_LONGEST]}..."
        yield f"  {row.of}: {line}"
    yield from (f"  {figure}" for figure in row.figures)
    yield from (f"  | {line[:_LONGEST]}" for line in row.log)
    if row.means:
        yield f"  {row.means}"
    if row.do:
        yield f"  What to do: {row.do}"
