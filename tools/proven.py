# SPDX-License-Identifier: Apache-2.0
"""The page `docs/proven.md`: what is proven, how, and what is not; written from the tests and the parts they run.

A claim is the name of a test, so a claim that has no test cannot stand there. What is real is pinned by a go.mod,
what stands in says so in its own first line. Beside them tools/proven.yaml.
"""

import ast
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "proven.md"
TESTS = ROOT / "tests" / "proof"
_HEAD = """# What is proven, how, and what is not

<!-- Written by `./dev gen` from tests/proof, the parts' go.mod files and tools/proven.yaml; do not edit. -->

What only a declaration says is not proven. At every change `.ci/run` builds the parts below from their sources, on
one machine and without a cloud, and runs `./dev test -m proof -n 0 tests/proof`. Each line under a heading is a
test. [sandbox](concepts/sandbox.md) says how to use the parts by hand. What needs no parts (plan, lock, catalogue)
is held by `./dev test`.
"""


def page_text() -> str:
    """Return the page."""
    said: dict[str, Any] = yaml.safe_load((ROOT / "tools" / "proven.yaml").read_text())
    parts = [_HEAD, "## What is real\n", "| part | built from |\n| --- | --- |"]
    parts += [f"| {row['part']} | {row['module']} {version_of(row)} |" for row in said["real"]]
    parts += ["\n## What stands in\n", "| module | is |\n| --- | --- |"]
    parts += [f"| `{path}` | {_cell(summary(ROOT / path))} |" for path in said["stands_in"]]
    parts.append("\n## What is proven")
    for path in sorted(TESTS.rglob("test_*.py")):
        parts += [f"\n### {_heading(path)}\n", docstring(path), ""]
        parts += [f"- {claim}" for claim in claims(path)]
    parts += ["\n## What is not proven\n", "| claim | why |\n| --- | --- |"]
    parts += [f"| {claim} | {why} |" for claim, why in said["not_proven"]]
    return "\n".join(parts) + "\n"


def version_of(row: dict[str, str]) -> str:
    """Return the version of a module that a go.mod names."""
    text = (ROOT / row["go_mod"]).read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(row['module'])} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{row['go_mod']} does not name {row['module']}")
    return found[1]


def claims(path: Path) -> list[str]:
    """Return the tests of a module as sentences."""
    tree = ast.parse(path.read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [name.removeprefix("test_").replace("_", " ") for name in names]


def docstring(path: Path) -> str:
    """Return a module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def summary(path: Path) -> str:
    """Return the first sentence of a module's docstring."""
    return " ".join(docstring(path).partition("\n\n")[0].split())


def _heading(path: Path) -> str:
    return path.stem.removeprefix("test_").replace("_", " ").capitalize()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
