# SPDX-License-Identifier: Apache-2.0
"""Each bad file is answered with its reviewed text, exit 2 and nothing written; how to add one: CONTRIBUTING.md."""

import os
import re
import resource
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from hubstack.files.documents import MAX_BYTES
from tests.bad_input.made import MADE, run_made
from tests.bad_input.runner import HERE, KINDS, PROJECT, Outcome, case_names, expectations, project_with, run_case

CASES = case_names()
EXPECTED = {f"{kind}/{name}": text for kind in KINDS for name, text in expectations(kind).items()}
WHOLE_FILE = re.compile(
    r"^[^:]+: (is |cannot be read|lists no models|no stack named|contains no |already exists|was edited)"
)
"""Problems that no line is to blame for."""
OURS = (
    "Traceback",
    "pydantic",
    "NoneType",
    "dict_type",
    "ValueError",
    "KeyError",
    "validator",
    "Input should",
    "input should",
    "Extra inputs",
    "field required",
    "object has no attribute",
    "Errno",
    "tag:yaml",
    "recursion",
)
"""Words of the program, which no user can do anything about."""
PLACED = re.compile(r"^[\w./-]+:\d+:\d+: ")


def check(name: str, seen: Outcome) -> None:
    assert seen.stderr == EXPECTED[name]
    assert (seen.code, seen.stdout, seen.is_untouched) == (2, "", True)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_answered_with_its_text_exit_2_and_nothing_written(name: str) -> None:
    check(name, run_case(name))


@pytest.mark.parametrize("name", MADE)
def test_so_is_one_that_only_a_machine_can_make(name: str) -> None:
    check(name, run_made(name))


@pytest.mark.parametrize(
    "name",
    [
        "models/many-faults.yaml",
        "models/yaml-bomb.yaml",
        "models/id-escape.yaml",
        "locks/edited-license.yaml",
        "settings/two-faults.yaml",
        "policies/many-faults.yaml",
        "sides/truncated.json",
    ],
)
def test_a_process_of_its_own_says_the_same(name: str) -> None:
    with project_with(name) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "hubstack", *KINDS[name.partition("/")[0]].command],
            cwd=folder,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=_bounded,
        )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", EXPECTED[name])


def _bounded() -> None:
    """A process that reads a bomb whole dies of this."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


@pytest.mark.parametrize("name", ["models/made-50-mb", "models/made-brackets-without-end", "locks/made-33-mb"])
def test_a_file_without_measure_is_refused_before_it_is_held(name: str) -> None:
    run_made("models/made-missing")  # what is imported on first use is none of the file's memory
    tracemalloc.start()
    try:
        run_made(name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    largest = 33_000_000 if name.startswith("locks") else MAX_BYTES
    # The bytes, their text, and its lines; the 50 MB alone would be more.
    assert peak < 4 * largest + 8_000_000


# The corpus itself


def test_the_corpus_is_as_large_as_it_says_and_every_file_has_its_text() -> None:
    assert len(CASES) >= 600
    assert set(CASES) | set(MADE) == set(EXPECTED)
    beside = set(HERE.rglob("cases/*/*+*"))
    assert all(path.with_name(path.name.partition("+")[0]).exists() for path in beside)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_message_names_its_place_and_what_to_do(name: str) -> None:
    lines = EXPECTED[name].splitlines()
    heads = [line for line in lines if line[:1] not in {" ", ""} and not line.startswith("and ")]
    assert heads
    assert len(heads) == len([line for line in lines if line.startswith("    hint: ")])
    for head in heads:
        assert PLACED.match(head) or WHOLE_FILE.match(head), head


@pytest.mark.parametrize("name", EXPECTED)
def test_no_message_speaks_of_the_program_or_moves_the_terminal(name: str) -> None:
    text = EXPECTED[name]
    said = "\n".join(line for line in text.splitlines() if not line.startswith("    ") or "hint:" in line)
    for word in OURS:
        assert word not in said, word
    assert re.search(r"<class|\b_[A-Z]\w+\b", said) is None
    assert all(char == "\n" or char == "\t" or char.isprintable() for char in text)
    assert len(text) < 60_000


def test_cases_differ_in_more_than_their_name() -> None:
    files = Counter(
        (path.parent.name, path.read_bytes()) for path in HERE.glob("cases/*/*") if "+" not in path.name
    )
    assert [key for key, count in files.items() if count > 1] == []


def test_an_expectation_that_is_wrong_fails_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "models/empty.yaml"
    monkeypatch.setitem(EXPECTED, name, EXPECTED[name] + "?")
    with pytest.raises(AssertionError):
        check(name, run_case(name))


def test_the_project_that_bad_files_are_put_into_is_itself_fine(tmp_path: Path) -> None:
    from tests.bad_input.runner import base_project, run  # noqa: PLC0415

    base_project(tmp_path)
    seen = run(tmp_path, "models")
    assert (seen.code, seen.stderr) == (0, "")
