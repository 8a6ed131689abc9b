# SPDX-License-Identifier: Apache-2.0
"""Every command on every example ends as documented: with 0, and a clean standard error."""

import json
from pathlib import Path

import pytest

from hubstack.cli import app
from tests.support.golden import EXAMPLES, PROJECT, golden_path

SLOW = pytest.mark.slow
READS = {
    "plan": ["plan", "EXAMPLE"],
    "plan --json": ["plan", "EXAMPLE", "--json"],
    "plan --html": ["plan", "EXAMPLE", "--html", "OUT/page.html"],
    "explain": ["explain", "EXAMPLE", "MODEL"],
    "lock --check": ["lock", "EXAMPLE", "--check"],
    "place --check": ["place", "EXAMPLE", "--check"],
    "sbom": ["sbom", "EXAMPLE", "--output", "OUT/bill.json", "--page", "OUT/models.md"],
}
"""Commands that run no program."""
RUNS = {
    "preview": ["preview", "EXAMPLE"],
    "preview --json": ["preview", "EXAMPLE", "--json"],
    "preview --summary": ["preview", "EXAMPLE", "--summary"],
    "check": ["check", "EXAMPLE"],
    "check --json": ["check", "EXAMPLE", "--json"],
    "render": ["render", "EXAMPLE", "OUT/rendered"],
    "eject": ["eject", "EXAMPLE", "OUT/ejected"],
}


def ends(command: list[str], example: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(PROJECT)
    model = json.loads(golden_path(example, "plan").read_text())["models"][0]["key"]
    place = {"EXAMPLE": f"examples/{example}", "MODEL": model}
    return app.run([place.get(word, word.replace("OUT", str(out))) for word in command])


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("command", [*READS, *(pytest.param(each, marks=SLOW) for each in RUNS)])
def test_a_command_ends_well_on_every_example(
    command: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ends((READS | RUNS)[command], example, tmp_path, monkeypatch) == 0, capfd.readouterr()
    assert "Traceback" not in capfd.readouterr().err


@SLOW
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_compared_with_itself_has_no_change(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = str(tmp_path / "side.json")
    assert ends(["diff", "EXAMPLE", "--save", saved], example, tmp_path, monkeypatch) == 0, capfd.readouterr()
    again = ["diff", "EXAMPLE", "--base-file", saved, "--fail-on", "change"]
    assert ends(again, example, tmp_path, monkeypatch) == 0, capfd.readouterr()
    assert "NO CHANGE" in capfd.readouterr().out


@pytest.mark.parametrize("command", ["plan", "lock --check", "place --check", "sbom"])
def test_a_command_takes_all_clusters_of_an_example(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    words = ["examples/sharded" if word == "EXAMPLE" else word for word in READS[command]]
    assert app.run([word.replace("OUT", str(tmp_path)) for word in words]) == 0, capfd.readouterr()
