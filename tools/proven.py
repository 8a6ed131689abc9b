# SPDX-License-Identifier: Apache-2.0
"""Generates docs/proven.md: what is proven, how, and what is not, from the tests and the parts that they run.

A claim is a test's name, so there is no claim without a test. Real parts are pinned by a go.mod or a lock;
stand-ins describe themselves in the first line of their docstring. tools/proven.yaml has the rest.
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

<!-- Written by `./dev gen` from tests/proof, the files that pin the parts and tools/proven.yaml; do not edit. -->

Declaring something does not prove it. For every change, `.ci/run` builds or installs the parts below, on one
machine without a cloud, and runs `./dev test -m proof -n 0 tests/proof`. Each line under a heading is a test. To
use the parts manually, see [sandbox](concepts/sandbox.md). `./dev test` covers everything that needs no parts
(plan, lock, catalogue).
"""


def page_text() -> str:
    """Return the page."""
    said: dict[str, Any] = yaml.safe_load((ROOT / "tools" / "proven.yaml").read_text())
    parts = [_HEAD, "## What is real\n", "| part | built from |\n| --- | --- |"]
    parts += [f"| {row['part']} | {row['module']} {version_of(row)} |" for row in said["real"]]
    parts += ["\n## Stand-ins\n", "| module | is |\n| --- | --- |"]
    parts += [f"| `{path}` | {_cell(summary(ROOT / path))} |" for path in said["stands_in"]]
    parts.append("\n## What is proven")
    for path in sorted(TESTS.rglob("test_*.py")):
        parts += [f"\n### {_heading(path)}\n", docstring(path), ""]
        parts += [f"- {claim}" for claim in claims(path)]
    parts += ["\n## What is not proven\n", "| claim | why |\n| --- | --- |"]
    parts += [f"| {claim} | {why} |" for claim, why in said["not_proven"]]
    return "\n".join(parts) + "\n"


def version_of(row: dict[str, str]) -> str:
    """Return the version of a module in the file that pins it."""
    file, module = row.get("go_mod") or row["lock"], re.escape(row["module"])
    pinned = (
        rf"^\s*(?:require )?{module} (v\S+)"
        if "go_mod" in row
        else rf'^(?:name = "{module}"\nversion = "|{module}==)([^"\s]+)'
    )
    found = re.search(pinned, (ROOT / file).read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{file} does not require {row['module']}")
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
