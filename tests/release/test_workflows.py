# SPDX-License-Identifier: Apache-2.0
"""Our own workflows: linted as the recipes are, and what may publish runs no code of the repository."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.gitops.test_recipes import PINNED, actionlint, lint, zizmor

WORKFLOWS = Path(__file__).resolve().parents[2] / ".github" / "workflows"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(WORKFLOWS, tmp_path / ".github" / "workflows")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_both_linters_find_nothing(repository: Path) -> None:
    code, said = zizmor(repository)
    assert code == 0, said
    assert lint(repository, str(actionlint()), "-no-color") == (0, "")


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_workflow_has_no_right_by_default_and_pins_each_action_by_its_commit(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert PINNED.search(line), line


def test_what_may_publish_runs_no_code_of_the_repository_and_holds_no_token() -> None:
    text = (WORKFLOWS / "release.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    holders = {name for name, job in jobs.items() if "id-token" in job["permissions"]}
    assert holders == {"publish"}
    assert jobs["publish"]["environment"] == "pypi"
    assert not any("checkout" in step.get("uses", "") for step in jobs["publish"]["steps"])
    assert not re.search(r"secrets\.|password|token:(?! write)", text)
    assert jobs["publish"]["needs"] == "build"
