# SPDX-License-Identifier: Apache-2.0
"""The fitted constants in constants.yaml, and how reliable each is.

Owns reading them, and the fallback for GPU generations or engines without measurements. Does not own the fit
(`benchmarks.throughput` writes the file) or the formulas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from hubstack.planner.performance.formula import Constants

PATH = Path(__file__).parent / "constants.yaml"
GENERATIONS = ("pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell", "blackwell-rtx", "tpu")
FORMAT_FACTORS = {"matmul": ("matmul", "prompt_matmul"), "expert_layers": ("expert_layer_s",)}
"""Factor of a number format in constants.yaml to the constants that it scales."""
CALIBRATED_ROWS = 20
UNFITTED_WIDENING = 1.25
"""Our choice: factor that widens each end of a range if its generation or engine was not fitted."""


class Evidence(StrEnum):
    """The evidence behind a figure."""

    MEASURED = "measured"
    """A measurement of exactly this setup."""
    CALIBRATED = "calibrated"
    """Constants fitted to rows of this generation with this engine."""
    EXTRAPOLATED = "extrapolated"
    """Constants of another engine or generation, or fitted to fewer than 20 rows."""


@dataclass(frozen=True, slots=True)
class Range:
    """Factors around a figure that contain 80 % of the measurements of other models."""

    low: float
    high: float

    def widened(self, factor: float) -> "Range":
        """Return the range with each end widened by a factor."""
        return Range(self.low / factor, self.high * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The constants of one generation with one engine."""

    constants: Constants
    rows: int
    """Rows of this generation and engine that were fitted."""
    evidence: Evidence
    speed: Range
    """Ranges of throughput; those of times are the inverse."""
    first_token: Range


@dataclass(frozen=True, slots=True)
class Table:
    """The parsed contents of constants.yaml."""

    said: Mapping[str, Any]

    def find(self, generation: str, engine: str, link: str, number_format: str, kind: str) -> Fitted:
        """Return the constants of an engine on an accelerator generation.

        Args:
            generation: of the accelerator.
            engine: id of the catalogue.
            link: between the ranks.
            number_format: that is multiplied in.
            kind: class of the ranges: `dense one`, `experts several` ...
        """
        own, pair = self._part("engines", engine), self._part("pairs", generation, engine)
        rows = int(pair.get("rows", 0))
        shared = self._part("shared")
        of_generation = self._part("generations", generation)
        link_row, first = self._part("links", link), self._part("first_token")
        values: dict[str, float] = {**shared, **{n: v for n, v in own.items() if n != "rows"}}
        values |= {n: v for n, v in of_generation.items() if n != "rows"}
        for factor, scale in self._part("formats", number_format).items():
            for name in FORMAT_FACTORS[factor]:
                values[name] *= scale
        constants = Constants(
            **values,
            hop_s=link_row["hop_s"],
            link=link_row["efficiency"],
            first_queue=first["queue"],
            first_step=first["step"],
            factor=float(pair.get("factor", 1.0)),
        )
        is_fitted = rows >= CALIBRATED_ROWS
        widening = 1.0 if is_fitted else UNFITTED_WIDENING
        return Fitted(
            constants=constants,
            rows=rows,
            evidence=Evidence.CALIBRATED if is_fitted else Evidence.EXTRAPOLATED,
            speed=self._range(kind).widened(widening),
            first_token=self._range("first token").widened(widening),
        )

    def has(self, engine: str) -> bool:
        """Return whether the file has constants for an engine."""
        return engine in self.said["engines"]

    def _part(self, *keys: str) -> Mapping[str, Any]:
        found: Any = self.said
        for key in keys:
            found = found.get(key, {})
        return cast("Mapping[str, Any]", found)

    def _range(self, kind: str) -> Range:
        row = self._part("ranges", kind)
        return Range(row["low"], row["high"])


@cache
def load_table() -> Table:
    """Read constants.yaml."""
    return Table(yaml.load(PATH.read_bytes(), Loader=yaml.CSafeLoader))


def range_kind(*, has_experts: bool, ranks: int) -> str:
    """Return the class of ranges that applies."""
    return f"{'experts' if has_experts else 'dense'} {'one' if ranks == 1 else 'several'}"
