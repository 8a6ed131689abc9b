# SPDX-License-Identifier: Apache-2.0
"""The widths to which engines pad a mixture's experts: types and reader of catalog/expert_kernels.yaml.

Owns which kernel a card uses and its rounding. Does not own the memory that padding adds
(`hubstack.planner.memory.sizing`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hubstack.catalog.row import Row
from hubstack.kinds import EngineKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertKernel:
    """How a kernel rounds expert matrices."""

    engine: EngineKind
    version: str
    """Engine version in which it was found."""
    format: str
    """`mxfp4` or `nvfp4`."""
    kernel: str
    min_capability: float
    below_capability: float
    hidden: int
    """The width is rounded up to a multiple of this; 1 means no rounding."""
    intermediate: int
    """The same for the part of the width that a rank holds."""
    source: str

    def suits(self, engine: EngineKind, weights_format: str, capability: float) -> bool:
        """Return whether the engine uses this kernel on a card with this compute capability."""
        on_card = self.min_capability <= capability < self.below_capability
        return self.engine is engine and self.format == weights_format and on_card


def read_expert_kernels(file: Row) -> Iterator[ExpertKernel]:
    """Yield the kernels of catalog/expert_kernels.yaml."""
    for row in file.rows("expert_kernels"):
        yield row.fill(
            ExpertKernel,
            min_capability=row.number("from"),
            below_capability=row.number("below"),
            hidden=row.maybe_integer("hidden") or 1,
            intermediate=row.maybe_integer("intermediate") or 1,
        )
        row.done()
