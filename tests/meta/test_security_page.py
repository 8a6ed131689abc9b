# SPDX-License-Identifier: Apache-2.0
"""docs/concepts/security.md: each claim names a test, and each named test is there and is collected."""

import ast
import re
from functools import cache
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


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((PROJECT / path).read_text())
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def test_every_named_test_is_collected() -> None:
    """pytest collects the functions of a module's body that are called `test_...`."""
    assert [f"{path}::{name}" for path, name in NAMED if name not in named_in(path)] == []


def test_every_word_of_proof_is_a_test_that_the_page_can_be_held_to() -> None:
    mentioned = set(re.findall(r"tests/[\w/.]+::\w+", PAGE))
    assert mentioned == {f"{path}::{name}" for path, name in NAMED}, "a proof is misspelt"


def test_the_page_is_reached() -> None:
    assert "docs/concepts/security.md" in (PROJECT / "SECURITY.md").read_text()
