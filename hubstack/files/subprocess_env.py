# SPDX-License-Identifier: Apache-2.0
"""What of the environment a process of ours is given: no token and no credential is among it."""

import os

KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


def kept_environment(*more: str) -> dict[str, str]:
    """Return the variables of KEPT and of `more`, as far as they are set."""
    return {name: os.environ[name] for name in (*KEPT, *more) if name in os.environ}
