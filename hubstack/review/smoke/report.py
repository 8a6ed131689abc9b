# SPDX-License-Identifier: Apache-2.0
"""What a smoke test found: a row per model and question, the commit beside the locked one, and the verdict.

Owns the verdict. Pure: `hubstack.review.smoke.run` asks.
"""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hubstack.files.jsonable import plain
from hubstack.plan import Plan
from hubstack.review.report.tables import Column, FittedTable
from hubstack.review.smoke.questions import Skipped

_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check."""

    what: str
    passed: bool
    note: str
    first_token_ms: float | None
    """Median of its requests; None if the answer is not streamed."""
    requests: int
    """Answers that the median is of."""
    seconds: float | None
    """Of the last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """The results of one model."""

    key: str
    id: str
    checks: tuple[CheckResult, ...]
    locked_commit: str
    answering_commits: tuple[str, ...]
    """Of its ready pods, or as the server says; empty if unknown."""
    skipped: tuple[str, ...] = ()
    """Why the model, or one of its questions, was not asked."""

    @property
    def is_locked_commit(self) -> bool | None:
        """Return whether every pod serves the locked commit; None if unknown."""
        if not self.answering_commits:
            return None
        return all(self.locked_commit.startswith(each[:_SHORT]) for each in self.answering_commits)

    @property
    def passed(self) -> bool:
        """Return whether every answer is good, and comes from the locked commit as far as is known."""
        return all(check.passed for check in self.checks) and self.is_locked_commit is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeResult:
    """All models."""

    models: tuple[ModelResult, ...]

    @property
    def passed(self) -> bool:
        """Return whether something was asked and everything is good."""
        return any(model.checks for model in self.models) and all(model.passed for model in self.models)

    def to_json(self) -> dict[str, Any]:
        """Return the results as plain data."""
        rows = [
            {**plain(model), "passed": model.passed, "is_locked_commit": model.is_locked_commit}
            for model in self.models
        ]
        return {"format": 1, "passed": self.passed, "models": rows}


def smoke_result(
    plan: Plan,
    results: Sequence[Mapping[str, Any]],
    skipped: Sequence[Skipped],
    commits: Mapping[str, Sequence[str]] | None,
) -> SmokeResult:
    """Return what was found.

    Args:
        plan: the plan.
        results: of the script, one for each model that was asked.
        skipped: what was not asked.
        commits: key to the commits of its ready pods; None if unknown.
    """
    by_key = {str(found["key"]): found for found in results}
    models: list[ModelResult] = []
    for model in plan.models:
        found = by_key.get(model.key, {})
        said = _COMMIT.findall(str(found.get("root") or ""))
        running = tuple((commits or {}).get(model.key) or said[:1])
        models.append(
            ModelResult(
                key=model.key,
                id=model.id,
                checks=tuple(_check(each) for each in found.get("checks", [])),
                locked_commit=model.commit,
                answering_commits=running,
                skipped=tuple(each.why for each in skipped if each.key == model.key),
            )
        )
    return SmokeResult(models=tuple(models))


def _check(found: Mapping[str, Any]) -> CheckResult:
    times = [float(each) * 1000 for each in found.get("first_token_seconds", [])]
    return CheckResult(
        what=str(found["what"]),
        passed=found["passed"] is True,
        note=str(found.get("note", "")),
        first_token_ms=round(statistics.median(times), 1) if times else None,
        requests=len(times),
        seconds=round(float(found["seconds"]), 3) if "seconds" in found else None,
    )


def smoke_parts(found: SmokeResult) -> list[Any]:
    """Return the table and the verdict for a terminal."""
    rows = [row for model in found.models for row in _rows(model)]
    names = ("model", "question", "result", "first token ms", "commit", "note")
    table = FittedTable(
        Column(name=name, cells=[row[at] for row in rows], is_number=at == 3, rank=(0, 0, 0, 1, 2, 0)[at])
        for at, name in enumerate(names)
    )
    bad = [model.key for model in found.models if not model.passed]
    asked = sum(bool(model.checks) for model in found.models)
    noun = "model" if asked == 1 else "models"
    if bad:
        verdict = (
            f"{len(bad)} of {len(found.models)} failed: {', '.join(bad)}. Why: `hubstack doctor ENV {bad[0]}`."
        )
    elif asked:
        verdict = f"{asked} {noun} answered."
    else:
        verdict = "No model was checked."
    return [table, verdict]


def _rows(model: ModelResult) -> Iterator[tuple[str, ...]]:
    commit = _commit(model)
    for check in model.checks:
        first = "" if check.first_token_ms is None else f"{check.first_token_ms:,.0f}"
        yield model.key, check.what, "passed" if check.passed else "FAILED", first, commit, check.note
    for why in model.skipped:
        yield model.key, "", "not asked", "", commit if not model.checks else "", why


def _commit(model: ModelResult) -> str:
    if model.is_locked_commit is None:
        return "unknown"
    if model.is_locked_commit:
        return "as locked"
    running = ", ".join(each[:_SHORT] for each in model.answering_commits)
    return f"NOT the locked {model.locked_commit[:_SHORT]}: {running}"
