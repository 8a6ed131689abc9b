# SPDX-License-Identifier: Apache-2.0
"""Renders a check report as a terminal table or as JSON. Owns the layout only."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import RenderableType

from hubstack.review.check.finding import Finding
from hubstack.review.check.run import Report
from hubstack.review.report.tables import Column, FittedTable

_SHOWN = 4
"""Maximum number of subjects named in a row of grouped findings."""


def report_parts(report: Report, *, quiet: bool = False) -> Iterator[RenderableType]:
    """Yield the findings table, the reason and fix of each rule, notes and the summary.

    Args:
        report: what was found.
        quiet: whether only what failed is shown.
    """
    shown = tuple(one for one in report.findings if one.is_failure) if quiet else report.findings
    if shown:
        told = replace(report, findings=shown)
        yield _table(told)
        yield ""
        yield from _rules(told)
        yield ""
    for note in () if quiet else report.notes:
        yield f"Note: {note}."
    passed = sum(1 for one in report.findings if one.waiver)
    warned = len(report.findings) - report.failures - passed
    counts = f"{report.failures} failed, {warned} warned, {passed} waived"
    yield f"{report.stack}: {counts}; {report.judged} resources checked."
    if not report.judged:
        yield "FAILED: no resources were checked, so compliance is unknown."


def _table(report: Report) -> FittedTable:
    groups = _groups(report.findings)
    return FittedTable(
        (
            Column(name="rule", cells=[group[0].rule for group in groups]),
            Column(name="state", cells=[_state(group[0]) for group in groups]),
            Column(name="about", cells=[_about(group) for group in groups], is_wrapped=True),
            Column(name="found", cells=[group[0].message for group in groups], is_wrapped=True),
            Column(name="where", cells=[_where(group) for group in groups], is_wrapped=True),
        )
    )


def _about(group: list[Finding]) -> str:
    names = [one.subject for one in group]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _groups(findings: tuple[Finding, ...]) -> list[list[Finding]]:
    """Group identical findings, in order of first appearance."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        place = (finding.mark.path, finding.mark.line) if finding.mark and finding.waiver is None else None
        is_alone = place if finding.is_failure else None
        groups.setdefault((finding.rule, finding.message, finding.waiver, is_alone), []).append(finding)
    return list(groups.values())


def _state(finding: Finding) -> str:
    if finding.waiver:
        return f"waived until {finding.waiver.waiver.until}"
    return "failed" if finding.is_failure else "warned"


def _where(group: list[Finding]) -> str:
    """Return the file and the lines of a group's subjects, in their order."""
    marks = [finding.waiver.mark if finding.waiver else finding.mark for finding in group]
    lines: dict[str, list[str]] = {}
    for mark in marks:
        if mark:
            lines.setdefault(mark.path, []).append(str(mark.line))
    found = {path: list(dict.fromkeys(each)) for path, each in lines.items()}
    places = [
        f"{path}:{','.join(each[:_SHOWN])}{'...' if len(each) > _SHOWN else ''}" for path, each in found.items()
    ]
    return ", ".join(places) or "-"


def _rules(report: Report) -> Iterator[str]:
    for rule in sorted({finding.rule: finding.text for finding in report.findings}.items()):
        text = rule[1]
        yield f"{text.id} {text.name}: {text.why} {text.fix}"


def report_json(report: Report) -> str:
    """Return the report as sorted, indented JSON that ends with a newline."""
    data = {
        "format": 1,
        "stack": report.stack,
        "passes": report.passes,
        "failures": report.failures,
        "resources_judged": report.judged,
        "notes": list(report.notes),
        "findings": [_plain(finding) for finding in report.findings],
    }
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(finding: Finding) -> dict[str, Any]:
    text, mark, placed = finding.text, finding.mark, finding.waiver
    where = {"file": mark.path, "line": mark.line, "column": mark.column} if mark else None
    waiver = placed and {
        "owner": placed.waiver.owner,
        "until": placed.waiver.until.isoformat(),
        "why": placed.waiver.why,
    }
    data: dict[str, Any] = {
        "rule": text.id,
        "name": text.name,
        "level": finding.level,
        "message": finding.message,
        "why": text.why,
        "fix": text.fix,
        "model": finding.model,
        "resource": finding.resource,
        "where": where,
        "waiver": waiver,
    }
    return {key: value for key, value in data.items() if value is not None}
