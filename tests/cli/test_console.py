# SPDX-License-Identifier: Apache-2.0
"""Progress on stderr, where there is no terminal."""

import json
from importlib.metadata import version

import pytest

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
