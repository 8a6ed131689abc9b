# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own PromQL engine, built from tests/support/promql by the Go tool chain and asked over a pipe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support import go


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says of one query."""

    error: str
    values: Mapping[str, float]
    """Label `model` to value; empty labels where a series has none."""


def ask(queries: Iterable[tuple[str, int]], load: str = "") -> list[Answer]:
    """Parse the queries, or evaluate them at so many seconds over series in promqltest's form."""
    asked = {"load": load, "queries": [{"expr": expr, "at": at} for expr, at in queries]}
    engine = go.go_tool("promql", "PromQL is not parsed by Prometheus' own parser here")
    return [
        Answer(each["error"], {one["labels"].get("model", ""): one["value"] for one in each["series"] or ()})
        for each in go.ask(engine, asked)
    ]
