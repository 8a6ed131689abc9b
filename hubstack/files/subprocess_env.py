# SPDX-License-Identifier: Apache-2.0
"""The environment variables that subprocesses inherit; tokens and credentials are excluded."""

import os

KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


def kept_environment(*more: str) -> dict[str, str]:
    """Return those variables in KEPT and `more` that are set."""
    return {name: os.environ[name] for name in (*KEPT, *more) if name in os.environ}
