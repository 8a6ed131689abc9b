# SPDX-License-Identifier: Apache-2.0
"""A project on which a test may write: a copy of ours, or a small one. Owns what a stack needs to run."""

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


def small_project(folder: Path, program: str, config: str = "config: {}\n", declared: str = "") -> Path:
    """Write a project named `small` of one program, with the stack `dev`."""
    (folder / "Pulumi.yaml").write_text(f"name: small\nruntime: python\nstackConfigDir: stacks\n{declared}")
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.dev.yaml").write_text(config)
    (folder / "__main__.py").write_text(program)
    return folder
