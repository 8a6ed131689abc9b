# SPDX-License-Identifier: Apache-2.0
"""Where a fact comes from, and how old it is. Does not own what the facts say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document, file or listing that facts were read from."""

    id: str
    title: str
    url: str | None
    as_of: str | None
    """`2026`, `2026-08` or `2026-08-20`, as exact as it is known; None where the source has no date."""
