# SPDX-License-Identifier: Apache-2.0
"""Where a fact comes from, and how old it is. Does not own the facts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document, file or listing from which facts were read."""

    id: str
    title: str
    url: str | None
    as_of: str | None
    """`2026`, `2026-08` or `2026-08-20`, as precise as known; None if the source has no date."""
