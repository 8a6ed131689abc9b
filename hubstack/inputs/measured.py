# SPDX-License-Identifier: Apache-2.0
"""Measured performance, kept in a file beside the list: `<stack>.measured.yaml`, written by `hubstack bench`.

Owns the format, reading and writing. The file is reviewed like the lock, because the planner prefers its rows to
its formulas. Does not own which rows apply to a placement (`hubstack.planner.performance.measured`).
"""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubstack.files.documents import parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.schema_errors import schema_problems
from hubstack.files.write import write_text_atomically

FORMAT = 1
UNPINNED = "unpinned"
"""Version of an engine whose image has no pinned tag."""
HEAD = """# Measured performance. Written by `hubstack bench`; commit this file.
# `hubstack plan` prefers these rows to its formulas (docs/guides/measure.md).
"""
_AGAIN = "restore the file from git, or delete the row and run `hubstack bench`"

Positive = Annotated[float, Field(ge=1e-6, le=1e9, allow_inf_nan=False)]
"""Requests per second or milliseconds; the bounds only exclude what no server does and arithmetic cannot hold."""
Count = Annotated[int, Field(ge=1, le=10**9)]


class Milliseconds(BaseModel):
    """The distribution of a latency."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    median: Positive
    p99: Positive

    @property
    def rounded(self) -> "Milliseconds":
        """Return the same with four digits."""
        return Milliseconds(median=float(f"{self.median:.4g}"), p99=float(f"{self.p99:.4g}"))


class Setup(BaseModel):
    """What was measured: a model at a commit on its accelerators, with its engine."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    model: str
    """Hub ID."""
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    accelerator: str
    """Catalogue ID; a row never applies to another accelerator."""
    accelerators: Count
    """Accelerators of one replica."""
    servers_per_accelerator: Count = 1
    tensor_parallel: Count
    pipeline_parallel: Count = 1
    engine: str
    version: str
    kv_cache_dtype: str = "auto"


class Measurement(BaseModel):
    """One run of a load tool against one replica."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    setup: Setup
    max_num_seqs: Count | None = None
    """The engine's batch limit during the run; None if its flags set none."""
    max_num_batched_tokens: Count | None = None
    input_tokens: Count
    """Of each request."""
    output_tokens: int = Field(ge=0, le=10**9)
    """Of each request; 0 for a model that embeds."""
    concurrency: Count
    """Clients that each send their next request when the last is answered."""
    requests: Count
    """Requests answered."""
    requests_per_second: Positive
    token_ms: Milliseconds | None = None
    """Time per output token after the first; None for a model that embeds."""
    first_token_ms: Milliseconds | None = None
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    tool: str

    @property
    def load(self) -> tuple[Setup, int, int, int]:
        """What a new run of the same load replaces."""
        return self.setup, self.input_tokens, self.output_tokens, self.concurrency


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    measurements: list[Measurement]


def measured_path(models_path: Path, stack: str) -> Path:
    """Return the file of a stack: beside its list."""
    return models_path.with_name(measured_name(stack))


def measured_name(stack: str) -> str:
    """Return the name of a stack's file, without its folder."""
    return f"{stack}.measured.yaml"


def load_measured(path: Path, name: str) -> tuple[Measurement, ...]:
    """Read the file; an absent file has no rows.

    Args:
        path: the file.
        name: the file as named in messages.

    Raises:
        InputError: the file is invalid; lists every problem.
    """
    if not path.exists() and not path.is_symlink():
        return ()
    document = parse_document(read_text(path, name, "recreate it with `hubstack bench`"), name)
    try:
        return tuple(_File.model_validate(document.value).measurements)
    except ValidationError as error:
        raise InputError(schema_problems(document, error, _File, _AGAIN, is_generated=True)) from None


def write_measured(path: Path, known: tuple[Measurement, ...], new: tuple[Measurement, ...]) -> None:
    """Add rows to the file atomically; a row of the same setup and load is replaced."""
    rows = {row.load: row for row in (*known, *new)}
    ordered = sorted(rows.values(), key=lambda row: (row.setup.model, repr(row.load)))
    held = [row.model_dump(exclude_defaults=True) for row in ordered]
    body = yaml.safe_dump({"format": FORMAT, "measurements": held}, sort_keys=False, width=116)
    write_text_atomically(path, HEAD + body)
