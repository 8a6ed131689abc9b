# SPDX-License-Identifier: Apache-2.0
"""The hash that each entry of a lock ends in, so that an edit by hand is noticed where it was made.

It is of one entry and not of the file: git merges two branches' locks entry by entry, and what it merges still
holds. It guards against accidents: who means harm can compute it, and is met by review and the hash of each file.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CONTENT = "content"
"""Key of the hash."""


def content_of(entry: Mapping[str, Any]) -> str:
    """Return the hash of a stored entry: of its values, in whatever order and layout they stand."""
    rest = {key: value for key, value in entry.items() if key != CONTENT}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def edited(entries: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Yield the index of each entry that does not have the hash of what it says."""
    for index, entry in enumerate(entries):
        if entry.get(CONTENT) != content_of(entry):
            yield index
