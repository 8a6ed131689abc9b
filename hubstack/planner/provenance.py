# SPDX-License-Identifier: Apache-2.0
"""A one-word summary of the Hub's security scan of a model's files."""

from hubstack.hub.facts import SecurityFacts
from hubstack.plan.provenance import CLEAN, UNFINISHED, UNKNOWN

_LEVELS = ("unsafe", "suspicious", "caution")
"""The Hub's scan results, worst first."""


def scan_word(security: SecurityFacts) -> str:
    """Return the worst result of a scan as one word."""
    levels = set(security.issues.values())
    if levels:
        return next((level for level in _LEVELS if level in levels), min(levels))
    if security.scans_done is None:
        return UNKNOWN
    return CLEAN if security.scans_done else UNFINISHED
