# SPDX-License-Identifier: Apache-2.0
"""Reads the flags of llama.cpp's server from what it prints for `--help`."""

import re
from typing import Any

_FLAG = re.compile(r"--[a-z0-9][a-z0-9-]*")
_CHOICES = re.compile(r"[<{\[]([\w.-]+(?:[|,][\w.-]+)+)[>}\]]")


def read_flags(text: str) -> dict[str, Any]:
    """Return the flags with their kind: `switch`, `float` for a number, `str`, or the list of choices."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("-") and not line.startswith("---"):
            # Names and value, then two spaces and the description; names are aligned after a comma.
            head = re.split(r"\s{2,}", re.sub(r",\s+", ", ", line))[0]
            value = _FLAG.split(head)[-1].strip()
            found |= {name: _kind(value) for name in _FLAG.findall(head)}
    return dict(sorted(found.items()))


def _kind(value: str) -> Any:
    if not value:
        return "switch"
    choices = _CHOICES.fullmatch(value)
    if choices and ".." not in value:
        return re.split(r"[|,]", choices[1])
    return "float" if value == "N" else "str"
