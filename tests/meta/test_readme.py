# SPDX-License-Identifier: Apache-2.0
"""The README says what the commands print, names files that exist, and documents each command."""

import os
import re
import subprocess
import sys
from pathlib import Path

from hubstack.cli.app import app

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()


def printed(*arguments: str) -> str:
    command = [sys.executable, "-m", "hubstack", *arguments]
    env = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip()


def shown(page: str) -> str:
    found = re.search(r"<!-- output: [^>]*-->\n```text\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1].strip()


def test_the_output_in_the_readme_is_what_the_command_prints() -> None:
    assert shown(README) == printed("plan", "examples/quickstart").split("\n\n")[0]


def test_the_output_of_the_whole_preview_is_on_its_page() -> None:
    page = (PROJECT / "docs" / "getting-started" / "preview.md").read_text()
    assert shown(page) == printed("preview", "examples/quickstart")


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_every_link_of_the_docs_leads_to_a_file() -> None:
    pages = [PROJECT / "README.md", *PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(PROJECT)} links to {target}"


def test_every_command_is_in_the_readme() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert f"`./dev {command.callback.__name__} " in README
