# SPDX-License-Identifier: Apache-2.0
"""A copy of the project on which a test may write. Owns what a stack needs of it to run."""

import shutil
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def copy_project(into: Path, *folders: str) -> Path:
    """Copy the program and these folders into an empty folder; the code is linked."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, into)
    for name in folders:
        shutil.copytree(PROJECT / name, into / name)
    (into / "components").symlink_to(PROJECT / "components")
    return into
