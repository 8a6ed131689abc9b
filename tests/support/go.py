# SPDX-License-Identifier: Apache-2.0
"""Programs of well-kept Go modules that tests ask, each built from its folder beside this file by its go.mod."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@cache
def go_tool(folder: str, without: str, package: str = ".") -> Path:
    """Return the program, built; Go's own cache makes a second build a matter of a second.

    Args:
        folder: where its go.mod is.
        without: what is not tested where there is no Go, for the skipped test's line.
        package: what is built of it.
    """
    go, binary = shutil.which("go"), HERE / folder / ".bin" / folder
    if go is None:
        pytest.skip(f"no Go tool chain: {without}")
    command = [go, "build", "-o", str(binary), package]
    done = subprocess.run(command, cwd=HERE / folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return binary


def ask(tool: Path, question: Any) -> Any:
    """Return what a program answers: JSON in, JSON out."""
    done = subprocess.run([tool], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
