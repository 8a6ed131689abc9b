# SPDX-License-Identifier: Apache-2.0
"""`./dev` hands every command of hubstack to hubstack, also those whose names its own checks share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hubstack.cli.app import app

PROJECT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(typer.main.get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that counts as installed, whose Python prints its arguments."""
    made = tmp_path_factory.mktemp("environment")
    (made / "bin").mkdir()
    (made / "bin" / "python").write_text('#!/bin/sh\necho "$@"\n')
    (made / "bin" / "python").chmod(0o755)
    for group in ("run", "dev", "refresh"):
        (made / f".installed-{group}").touch()
    return made


def run(echoing: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["./dev", *arguments],
        cwd=PROJECT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(echoing)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_with_arguments_is_that_of_hubstack(echoing: Path, command: str) -> None:
    for arguments in (["dev", "chat"], ["--help"]):
        assert run(echoing, command, *arguments) == [f"-P -m hubstack {command} {' '.join(arguments)}"]


def test_bench_alone_writes_the_tables(echoing: Path) -> None:
    lines = run(echoing, "bench")
    assert lines
    assert all(line.startswith("-m benchmarks.") for line in lines), lines


@pytest.mark.parametrize(("module", "command"), [("proof", "proof"), ("proof.up_local", "up-local")])
def test_a_usage_error_names_the_command_that_was_typed(module: str, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--no-such-option"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert f"Usage: ./dev {command} " in done.stderr
