# SPDX-License-Identifier: Apache-2.0
"""Each file that people wrote is opened at most once in each process of a command, the program's among them."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
RECORDER = """
import os, sys
_folder, _project = {folder!r}, {project!r} + os.sep
_log = open(os.path.join(_folder, f"{{os.getpid()}}.log"), "a", buffering=1)

def _seen(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.realpath(os.fspath(arguments[0]))
        if isinstance(path, str) and path.startswith(_project) and path.endswith(".yaml"):
            _log.write(path.removeprefix(_project) + "\\n")

sys.addaudithook(_seen)
"""
COMMANDS = {
    "plan": ["plan", "--what-if", "concurrency=3"],
    "explain": ["explain"],
    "preview": ["preview"],
    "check": ["check"],
    "diff": ["diff", "--save", "side.json"],
    "sbom": ["sbom", "--page", "models.md", "--output", "bill.json"],
    "render": ["render"],
    "eject": ["eject"],
    "place": ["place"],
    "lock": ["lock", "--check"],
    "drift": ["drift", "--buckets"],
}
AFTER = {"explain": ["qwen3-8b"], "render": ["out"], "eject": ["out"]}
"""Arguments behind the environment's name."""
QUICK = {"plan", "explain", "preview", "lock", "place"}
"""Commands of the default lane."""
PROCESSES = {"preview": 2, "check": 2, "diff": 3, "render": 2, "eject": 3}
INPUTS = {
    "quickstart": {
        "Pulumi.yaml",
        "examples/quickstart/Pulumi.quickstart.yaml",
        "examples/quickstart/models.yaml",
        "examples/quickstart/models.lock.yaml",
    },
    "sharded/eu": {
        "Pulumi.yaml",
        "examples/sharded/Pulumi.sharded-eu.yaml",
        "examples/sharded/Pulumi.sharded.yaml",
        "examples/sharded/models.yaml",
        "examples/sharded/models.lock.yaml",
    },
}
"""What a plan of the example is made of, without files that may be absent."""


def opens(folder: Path, example: str, command: str) -> dict[int, Counter[str]]:
    """Run a command in a copy of the project; return how often each process opened each input."""
    project, logs, packages = folder / "project", folder / "logs", folder / "packages"
    for made in (project, logs, packages):
        made.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, project)
    folder_name, _, _ = example.partition("/")
    shutil.copytree(PROJECT / "examples" / folder_name, project / "examples" / folder_name)
    for name in ("components", "policy"):
        (project / name).symlink_to(PROJECT / name)
    (packages / "sitecustomize.py").write_text(RECORDER.format(folder=str(logs), project=str(project.resolve())))
    environment = {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{PROJECT}"}
    name = [] if command == "diff" else AFTER.get(command, [])
    words = [*COMMANDS[command][:1], f"examples/{example}", *name, *COMMANDS[command][1:]]
    done = subprocess.run(
        [sys.executable, "-m", "hubstack", *words],
        check=False,
        cwd=project,
        env=environment,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.returncode in {0, 1}, done.stderr
    return {int(log.stem): Counter(log.read_text().split()) for log in logs.glob("*.log")}


@pytest.mark.parametrize(
    "command", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in COMMANDS]
)
def test_a_command_opens_each_input_once_in_each_process(tmp_path: Path, command: str) -> None:
    seen = opens(tmp_path, "sharded/eu", command)
    assert len(seen) >= PROCESSES.get(command, 1), "the processes that a command starts are counted too"
    # `diff` also reads the settings by itself: a pull request's program is not asked what it guards.
    most = 2 if command == "diff" else 1
    again = {path: count for each in seen.values() for path, count in each.items() if count > most}
    assert not again
    # What was counted is what was read: no process of a command goes without its settings and its list.
    assert {"Pulumi.yaml", "examples/sharded/models.yaml"} <= {path for each in seen.values() for path in each}


@pytest.mark.parametrize("example", [pytest.param("quickstart", marks=pytest.mark.slow), "sharded/eu"])
def test_command_and_program_read_the_same_files(tmp_path: Path, example: str) -> None:
    command, program = sorted(opens(tmp_path, example, "preview").items())
    assert INPUTS[example] <= command[1].keys()
    handed = (
        {path for path in INPUTS[example] if "Pulumi" in path}
        if example == "quickstart"
        else {"examples/sharded/Pulumi.sharded-eu.yaml"}
    )
    assert INPUTS[example] - handed <= program[1].keys(), "Pulumi hands a program its own settings"
    assert not handed & program[1].keys()
    assert max(command[1].values()) == max(program[1].values()) == 1
