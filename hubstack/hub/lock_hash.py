# SPDX-License-Identifier: Apache-2.0
"""The hash at the end of each lock entry, which detects manual edits.

Each entry has its own hash, so that a lock is still valid after git merges the entries of two branches. It protects
against accidents only: an attacker can compute it, but not the hash of each file, and has to pass a review.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CONTENT = "content"
"""Key of the hash."""


def content_of(entry: Mapping[str, Any]) -> str:
    """Return the hash of a stored entry's values, independent of order and layout."""
    rest = {key: value for key, value in entry.items() if key != CONTENT}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def edited(entries: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Yield the index of each entry whose hash does not match its values."""
    for index, entry in enumerate(entries):
        if entry.get(CONTENT) != content_of(entry):
            yield index
