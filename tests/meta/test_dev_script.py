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
    (made / "bin" / "python").write_text('#!/bin/sh\necho "$@"\necho "$HUBSTACK_COMMAND" >&2\n')
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


@pytest.mark.parametrize(
    ("folder", "started", "named"),
    [(".", "./dev", "./dev"), ("docs", "../dev", "../dev"), ("docs", f"{PROJECT}/dev", "./dev")],
)
def test_commands_that_are_printed_work_in_the_folder_where_it_was_started(
    echoing: Path, folder: str, started: str, named: str
) -> None:
    """Started by its whole path, as by CI, it names what a reader of the log types in the clone."""
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(echoing)}
    done = subprocess.run(
        [started, "plan", "dev"],
        cwd=PROJECT / folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == f"{named}\n"


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
