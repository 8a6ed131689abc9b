# SPDX-License-Identifier: Apache-2.0
"""Where uv is: on PATH, or in the clone."""

import os
import shutil
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def find_uv() -> str:
    """Return uv's program."""
    return os.environ.get("UV") or shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
