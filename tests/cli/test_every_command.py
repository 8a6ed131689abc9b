# SPDX-License-Identifier: Apache-2.0
"""Every command on every example ends as documented: with 0, and a clean standard error."""

import json
import re
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


FORMATTED = {
    "plan": ["plan", "EXAMPLE", "--json"],
    "plan --what-if": ["plan", "EXAMPLE", "--json", "--what-if", "replicas.max=2"],
    "explain": ["explain", "EXAMPLE", "MODEL", "--json"],
    "lock": ["lock", "EXAMPLE", "--check", "--json"],
    "place": ["place", "EXAMPLE", "--check", "--json"],
    "promote": ["promote", "EXAMPLE", "EXAMPLE", "--check", "--json"],
}
"""Commands whose JSON is hubstack's own; `sbom` prints CycloneDX, which names its version in `specVersion`."""
RUN_FORMATTED = {
    "preview": ["preview", "EXAMPLE", "--json"],
    "check": ["check", "EXAMPLE", "--json"],
    "render": ["render", "EXAMPLE", "OUT/rendered", "--json"],
    "eject": ["eject", "EXAMPLE", "OUT/ejected", "--json"],
}
PULUMIS = {"propertyDependencies", "parentUrn"}
"""Names of the resource graph that are Pulumi's own."""


MAPPINGS = {"inputs", "outputs", "options", "propertyDependencies"}
"""What they hold is by argument."""


def own_keys(value: object) -> set[str]:
    """The names that hubstack chose: those of its own objects, not of mappings by key, type or argument."""
    if isinstance(value, list):
        return set().union(*map(own_keys, value))
    if not isinstance(value, dict):
        return set()
    inside = {name: each for name, each in value.items() if name not in MAPPINGS}
    return set(value) | set().union(*map(own_keys, inside.values()))


@pytest.mark.parametrize("command", [*FORMATTED, *(pytest.param(each, marks=SLOW) for each in RUN_FORMATTED)])
def test_json_names_its_format_and_writes_every_name_in_one_way(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ends((FORMATTED | RUN_FORMATTED)[command], "quickstart", tmp_path, monkeypatch) == 0, capfd.readouterr()
    said = json.loads(capfd.readouterr().out)
    assert said["format"] == 1
    assert {key for key in said if not re.fullmatch(r"[a-z][a-z0-9_]*", key)} == set()
    assert {key for key in own_keys(said) if re.search(r"^[a-z]+[A-Z]", key)} <= PULUMIS


def test_json_of_several_clusters_names_its_format_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert app.run(["plan", "examples/sharded", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["format"], sorted(said["clusters"])) == (1, ["eu", "us"])
    assert all(each["format"] == 1 for each in said["clusters"].values())


@pytest.mark.parametrize("option", [["--html", "OUT/page.html"], ["--regions", "any"]])
def test_an_option_that_prints_no_json_says_so(
    option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ends(["plan", "EXAMPLE", "--json", *option], "quickstart", tmp_path, monkeypatch) == 2
    assert "prints no JSON" in capfd.readouterr().err


QUIET = {**FORMATTED, **RUN_FORMATTED, "diff": ["diff", "EXAMPLE"], "drift": ["drift", "EXAMPLE"], "init": ["init"]}


@pytest.mark.parametrize("command", QUIET)
def test_every_command_takes_quiet(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run([QUIET[command][0], "--help"]) == 0
    assert "--quiet" in capfd.readouterr().out


@pytest.mark.parametrize("command", ["lock", "place", "promote"])
def test_quiet_says_nothing_where_nothing_changes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in FORMATTED[command] if word != "--json"]
    assert ends([*words, "--quiet"], "quickstart", tmp_path, monkeypatch) == 0
    assert capfd.readouterr() == ("", "")
