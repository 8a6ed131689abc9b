# SPDX-License-Identifier: Apache-2.0
"""The other Pythons of this machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def candidates(minor: int) -> Iterator[Path]:
    name = f"python3.{minor}"
    if found := shutil.which(name):
        yield Path(found)
    # pyenv's shims run only the versions that are switched on.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/3.{minor}.*/bin/{name}"), reverse=True)


def interpreter(minor: int, what: str) -> Path:
    """Return Python 3.`minor`, or skip, saying what was not tried."""
    for path in candidates(minor):
        command = [str(path), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if (done.returncode, done.stdout.strip()) == (0, f"3.{minor}"):
            return path
    pytest.skip(f"no Python 3.{minor} on this machine: {what}")
