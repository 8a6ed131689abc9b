# SPDX-License-Identifier: Apache-2.0
"""Progress on stderr, where there is no terminal."""

import json
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from hubstack.cli import app, console
from hubstack.cli.console import Progress
from tests.support.project import PROJECT


def ask(*, quiet: bool = False) -> None:
    with Progress(quiet=quiet) as progress:
        progress.begin(2000, "the Hub without a token")
        progress.done("a/b")
        progress.pause(280)
        progress.done("a/c")


def test_a_short_run_says_what_it_asks_and_that_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    ask()
    out, err = capsys.readouterr()
    assert out == "", "what a program reads is not mixed with progress"
    assert err.splitlines() == [
        "fetching 2,000 model revisions from the Hub without a token",
        "1 of 2,000 model revisions; rate-limited by the Hub, retrying in 280 s",
    ]


def test_a_long_run_says_how_far_it_is_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", -1)
    ask()
    assert "2 of 2,000 model revisions" in capsys.readouterr().err.splitlines()


def test_nothing_is_said_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    ask(quiet=True)
    assert capsys.readouterr() == ("", "")


def test_json_of_a_plan_names_the_version_that_decided_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert app.run(["plan", "examples/quickstart", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said.pop("hubstack") == version("hubstack")
    assert said == json.loads((PROJECT / "examples" / "quickstart" / "plan.json").read_text())


def reading_commands() -> list[str]:
    """The commands that read one stack: their argument `env` says which."""
    group = typer.main.get_command(app.app)
    assert isinstance(group, TyperGroup)
    names = {name: {each.name: each for each in command.params} for name, command in group.commands.items()}
    return [name for name, held in names.items() if "env" in held and "folder" not in held and name != "init"]


@pytest.mark.parametrize("name", reading_commands())
@pytest.mark.parametrize("project", [None, Path("my project")])
def test_a_suggested_command_is_for_the_environment_of_the_running_one(
    name: str, project: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSTACK_COMMAND", "./dev")
    monkeypatch.setattr(console, "_SELECTED", ContextVar("selected", default=("prod", project)))
    of = " --project 'my project'" if project else ""
    for suffix in ("", " --json"):
        assert console.as_run_here(f"run `hubstack {name}{suffix}`") == f"run `./dev {name} prod{suffix}{of}`"
    assert console.as_run_here(f"`hubstack {name} ENV KEY`") == f"`./dev {name} prod KEY{of}`"


def test_a_project_that_names_a_clone_gets_commands_instead_of_paths_of_the_clone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console.forget_environment()
    said = "see `hubstack images` (docs/guides/callers.md)"
    monkeypatch.delenv("HUBSTACK_COMMAND", raising=False)
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    assert console.as_run_here(said) == "see `uv run hubstack images` (`uv run hubstack docs guides/callers`)"
    monkeypatch.setenv("HUBSTACK_COMMAND", "./dev")
    assert console.as_run_here(said) == "see `./dev images` (docs/guides/callers.md)"
