# SPDX-License-Identifier: Apache-2.0
"""The 4-bit float format that a repository's name says: publishers put it there, the Hub's tags do not have it."""

import re

_FORMAT = re.compile(r"(?<![a-z0-9])(nv|mx)?fp4(?![a-z0-9])")


def float4_format(repo_id: str) -> str | None:
    """Return `nvfp4` or `mxfp4` for a repository of weights in that format, by its name; None for any other."""
    found = _FORMAT.search(repo_id.rpartition("/")[2].lower())
    # NVIDIA's own builds are named `-FP4`.
    return f"{found[1] or 'nv'}fp4" if found else None
