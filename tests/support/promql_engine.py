# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own PromQL engine, built from tests/support/promql by the Go tool chain and asked over a pipe."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "promql"
BINARY = SOURCE / ".bin" / "promql"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says of one query."""

    error: str
    values: Mapping[str, float]
    """Label `model` to value; empty labels where a series has none."""


@cache
def _built() -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go tool chain: PromQL is not parsed by Prometheus' own parser here")
    # Go's own cache makes the second build a matter of a second.
    done = subprocess.run(
        [go, "build", "-o", str(BINARY), "."], cwd=SOURCE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return BINARY


def ask(queries: Iterable[tuple[str, int]], load: str = "") -> list[Answer]:
    """Parse the queries, or evaluate them at so many seconds over series in promqltest's form."""
    asked = {"load": load, "queries": [{"expr": expr, "at": at} for expr, at in queries]}
    done = subprocess.run([_built()], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [
        Answer(each["error"], {one["labels"].get("model", ""): one["value"] for one in each["series"] or ()})
        for each in json.loads(done.stdout)
    ]
