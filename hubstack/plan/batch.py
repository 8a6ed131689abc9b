# SPDX-License-Identifier: Apache-2.0
"""A file of requests that a model answers offline: the part of a plan in `ModelPlan.batch`.

Owns the type. `hubstack.planner.serving.batch` creates it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """The Job of one model. Its estimates are in the model's reasons."""

    bucket: str
    input: str
    """Object with the requests."""
    output: str
    """Folder for the answers."""
    parts: int
    parallel: int
    command: tuple[str, ...]
    """The engine's batch runner, without input and output."""
