# SPDX-License-Identifier: Apache-2.0
"""The README says what the commands print, names files that exist, and documents each command."""

import re
import subprocess
import sys
from pathlib import Path

from hubstack.cli.app import app

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()


def test_the_output_in_the_readme_is_what_the_command_prints() -> None:
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "hubstack", "preview", "examples/quickstart"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert shown.group(1).strip() == printed.strip(), "the README's output is stale"


def test_every_link_of_the_docs_leads_to_a_file() -> None:
    pages = [PROJECT / "README.md", *PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(PROJECT)} links to {target}"


def test_every_command_is_in_the_readme() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert f"`./dev {command.callback.__name__} " in README
