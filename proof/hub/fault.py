# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on a route, and how often."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of trouble; it comes upon the next `count` requests whose `METHOD path` the pattern finds."""

    route: str
    """Regular expression."""
    count: int = 1
    status: int | None = None
    """Answer with this status instead."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of that answer, or of the ordinary one: `Retry-After`, or `RateLimit` with its policy."""
    stall_seconds: float = 0
    resets: bool = False
    """Send the head and half the body, and reset the connection."""
    drip_seconds: float = 0
    """Send one byte, head included, and wait so long before the next."""
    cuts_chunks: bool = False
    """Send half of the body in chunks, and close without the last one."""
    page: str | None = None
    """Answer 200 with this web page."""
    redirects_to: str | None = None
    """Answer `status` (or 307) with this address and the path that was asked."""
    lists: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Path to keys of its row in the list of files, with another value."""
    cuts_body: bool = False
    """Promise the whole body, send half, and close."""
    truncates_json: bool = False
    """Send half of the JSON as if it were all of it."""
    drops_keys: tuple[str, ...] = ()
    """Keys left out of the model's JSON (`sha`, `gated`, `safetensors` ...)."""
    drops_sizes: bool = False
    """Files are listed without size or hash."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Keys of the model's JSON with another value."""

    def takes(self, request_line: str) -> bool:
        """Return whether this request is hit, and count it."""
        if self.count <= 0 or not re.search(self.route, request_line):
            return False
        self.count -= 1
        return True
