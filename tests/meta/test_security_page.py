# SPDX-License-Identifier: Apache-2.0
"""docs/concepts/security.md: each claim names a test, and each named test is there and is collected."""

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "concepts" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))


def rows() -> list[list[str]]:
    cells = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [row for row in cells if row[0] not in {"---", "what hubstack does", "setting"}]


def test_every_claim_names_its_proof() -> None:
    assert len(rows()) > 35
    assert [row[0] for row in rows() if not re.search(r"`tests/[\w/]+\.py::test_\w+`", row[-1])] == []


def test_every_section_says_what_remains() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    threats = [each for each in sections if each.startswith("A ")]
    assert [each.splitlines()[0] for each in threats] == [
        "A hostile model repository",
        "A hostile pull request",
        "A leaked token",
        "A curious neighbour",
        "A compromised image",
    ]
    assert all("What remains:" in each for each in threats)


def test_every_named_test_is_collected() -> None:
    files = sorted({path for path, _ in NAMED})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "proof or not proof", *files]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    collected = set(re.findall(r"^(tests/[\w/]+\.py)::(test_\w+)", done.stdout, re.MULTILINE))
    assert [f"{path}::{name}" for path, name in NAMED if (path, name) not in collected] == []


def test_every_word_of_proof_is_a_test_that_the_page_can_be_held_to() -> None:
    mentioned = set(re.findall(r"tests/[\w/.]+::\w+", PAGE))
    assert mentioned == {f"{path}::{name}" for path, name in NAMED}, "a proof is misspelt"


def test_the_page_is_reached() -> None:
    assert "docs/concepts/security.md" in (PROJECT / "SECURITY.md").read_text()
