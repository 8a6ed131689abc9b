# SPDX-License-Identifier: Apache-2.0
"""`hubstack diff` as it is typed: files, exit codes, sides that are missing, broken, or the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pull_requests import CONFIG, QUICKSTART, Repository, make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("scratch") / "clone")


def diff(repository: Repository, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubstack", "diff", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=repository.path, capture_output=True, text=True, check=False, env=env)


def test_a_gate_ends_with_1_and_all_files_are_written(repository: Repository, tmp_path: Path) -> None:
    repository.reset()
    repository.edit(CONFIG, ("us-central1", "us-east4"))
    quota = tmp_path / "quota.yaml"
    quota.write_text("quota: {us-east4: {l4: {spot: 1}}}\n")
    files = ("--markdown", str(tmp_path / "c.md"), "--html", str(tmp_path / "c.html"), "--quota", str(quota))
    done = diff(repository, QUICKSTART, *files, "--fail-on", "quota,license", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["environment"] == QUICKSTART
    assert "OVER QUOTA: l4 spot: 3 of 1" in (tmp_path / "c.md").read_text()
    assert "Side by side" in (tmp_path / "c.html").read_text()


@pytest.mark.slow
def test_an_environment_that_is_new_or_gone_is_compared_with_nothing(repository: Repository) -> None:
    repository.reset()
    repository.git("mv", QUICKSTART, "examples/renamed")
    repository.edit("examples/renamed/Pulumi.quickstart.yaml", (QUICKSTART, "examples/renamed"))
    head = json.loads(diff(repository, "examples/renamed", "--json").stdout)
    assert head["is_new"]
    assert {each["action"] for each in head["resources"]} == {"create"}
    gone = json.loads(diff(repository, QUICKSTART, "--json").stdout)
    assert gone["is_gone"]
    assert {each["action"] for each in gone["resources"]} == {"delete"}
    neither = diff(repository, "examples/never")
    assert neither.returncode == 2
    assert "no such folder" in neither.stderr


@pytest.mark.slow
def test_a_side_that_fails_is_named_and_ends_with_2(repository: Repository) -> None:
    repository.reset()
    repository.edit(f"{QUICKSTART}/models.yaml", ("accelerator: l4", "accelerator: l44"))
    done = diff(repository, QUICKSTART)
    assert done.returncode == 2
    assert "work tree" in done.stdout
    assert "`l44` is not an accelerator" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_same_on_both_sides_is_no_change_and_no_token_reaches_a_side(repository: Repository) -> None:
    repository.reset()
    program = repository.path / "__main__.py"
    program.write_text(program.read_text() + "\nimport os\nassert 'HF_TOKEN' not in os.environ\n")
    done = diff(repository, QUICKSTART, "--fail-on", "change", HF_TOKEN="hf_not_for_eyes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cost unchanged; 1 file of the program, policy or pipelines" in done.stdout


@pytest.mark.parametrize("reference", ["no-such-branch", "--upload-pack=x"])
def test_a_reference_that_is_none_is_refused(repository: Repository, reference: str) -> None:
    done = diff(repository, QUICKSTART, f"--against={reference}")
    assert done.returncode == 2
    assert f"`{reference}` is not a commit" in done.stderr


@pytest.mark.slow
def test_a_file_named_like_the_base_hides_nothing(repository: Repository) -> None:
    repository.reset()
    repository.edit(CONFIG, ("us-central1", "us-east4"))
    base = repository.git("rev-parse", "HEAD").strip()
    saved = diff(repository, QUICKSTART, "--save", base)
    assert saved.returncode == 0, saved.stderr
    done = diff(repository, QUICKSTART, "--against", base, "--fail-on", "change")
    assert done.returncode == 1
    assert "NO CHANGE" not in done.stdout
    by_file = diff(repository, QUICKSTART, "--base-file", base, "--fail-on", "change")
    assert by_file.returncode == 0, by_file.stdout + by_file.stderr
    assert "NO CHANGE" in by_file.stdout
    both = diff(repository, QUICKSTART, "--base-file", base, "--against", "HEAD")
    assert both.returncode == 2
    assert "mutually exclusive" in both.stderr
