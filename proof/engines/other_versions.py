# SPDX-License-Identifier: Apache-2.0
"""The parsers of the versions that a list can name besides the default ones (`hubstack/catalog/engines.yaml`).

Owns where each is: in the environment of the engines, which has vLLM's build for processors, or installed beside it
from `versions/`. Does not own the environment (`proof.engines.install`).
"""

import shutil
import subprocess
from pathlib import Path

from proof.binaries import SandboxError
from proof.engines.install import Engines
from proof.engines.uv_program import find_uv

HERE = Path(__file__).resolve().parent
IN_THE_ENVIRONMENT = {("vllm", "0.32.0")}
"""Versions that the environment itself has."""


def folder_of(engines: Engines, engine: str, version: str) -> Path | None:
    """Return the folder with the Python of a version, installed first where that is needed.

    None if the environment has it.

    Raises:
        SandboxError: `versions/` does not have it, or it could not be installed.
    """
    if (engine, version) in IN_THE_ENVIRONMENT:
        return None
    requirement = HERE / "versions" / f"{engine}-{version}.txt"
    if not requirement.exists():
        raise SandboxError(
            f"there is no {requirement.name} in {requirement.parent}: its first lines say how to write it"
        )
    target = engines.folder / "versions" / requirement.stem
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        options = ("--no-deps", "--require-hashes", "--python", str(engines.python), "--target", str(target))
        command = [find_uv(), "pip", "install", "--quiet", *options, "--requirement", str(requirement)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(f"{requirement.stem} could not be installed:\n{done.stderr[-2000:]}")
        (target / "complete").touch()
    return target
