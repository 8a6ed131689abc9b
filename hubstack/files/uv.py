# SPDX-License-Identifier: Apache-2.0
"""Runs uv, the installer of Python packages. Owns where it is found and how it fails."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SECONDS = 600


class UvError(Exception):
    """Uv is missing or failed: the message says why, without passwords."""


def run_uv(arguments: Sequence[str], folder: Path | None = None) -> None:
    """Run one command of uv, quietly.

    Args:
        arguments: the command line after `uv`.
        folder: where to run it; by default here.

    Raises:
        UvError: there is no uv, or it failed.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise UvError("uv is not on the PATH")
    try:
        done = subprocess.run(  # noqa: S603  uv, no shell
            [uv, arguments[0], "--quiet", *arguments[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UvError(without_password(str(error))) from None
    if done.returncode:
        raise UvError(without_password(" ".join(done.stderr.split())[-400:]) or f"uv exited with {done.returncode}")


def without_password(text: str) -> str:
    """Return a text without the user and password of a URL in it."""
    return re.sub(r"//[^/@\s]*@", "//", text)
