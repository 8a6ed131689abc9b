# SPDX-License-Identifier: Apache-2.0
"""examples/gitops/review.sh, run as a pipeline runs it: a real repository, the real command, no Hub, no cloud."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pull_requests import BGE, QUICKSTART, Repository, make_repository

pytestmark = pytest.mark.slow

MAX_COMMENT = 65_536
"""Characters of a comment on GitHub."""
LIST = f"{QUICKSTART}/models.yaml"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = make_repository(tmp_path_factory.mktemp("scratch") / "clone")
    dev = made.path / "dev"
    dev.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubstack "$@"\n')
    dev.chmod(0o755)
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "base")
    return made


def run(repository: Repository, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    env = {**kept, "PYTHONPATH": str(repository.path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    return subprocess.run(command, cwd=repository.path, env=env, capture_output=True, text=True, check=False)


def review(repository: Repository, comment: Path) -> subprocess.CompletedProcess[str]:
    return run(repository, "examples/gitops/review.sh", QUICKSTART, "main", str(comment))


def test_a_change_that_risks_nothing_passes_with_a_comment(repository: Repository, tmp_path: Path) -> None:
    repository.reset()
    repository.edit(LIST, ("  capacity:", "  scaling: {queue: 6}\n  capacity:"))
    done = review(repository, tmp_path / "comment.md")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "comment.md").read_text()
    assert 0 < len(text) < MAX_COMMENT
    assert "scaler" in text, "what changes is named"


def test_a_model_taken_away_is_stopped_and_the_comment_says_what_is_lost(
    repository: Repository, tmp_path: Path
) -> None:
    repository.reset()
    repository.edit(LIST, ("  - BAAI/bge-small-en-v1.5\n", ""))
    assert run(repository, "./dev", "lock", QUICKSTART).returncode == 0
    done = review(repository, tmp_path / "comment.md")
    assert done.returncode == 1, done.stdout + done.stderr
    text = (tmp_path / "comment.md").read_text()
    assert 0 < len(text) < MAX_COMMENT
    assert f"{BGE}-weights-bucket" in text
    assert "data" in done.stdout


def test_a_list_without_its_lock_is_stopped_and_the_comment_says_so(repository: Repository, tmp_path: Path) -> None:
    repository.reset()
    repository.edit(LIST, ("models:\n", "models:\n  - Qwen/Qwen3-8B\n"))
    done = review(repository, tmp_path / "comment.md")
    assert done.returncode == 2
    text = (tmp_path / "comment.md").read_text()
    assert "NOT COMPARED" in text
    assert "<summary><b>lock</b> failed</summary>\n\n    missing: Qwen/Qwen3-8B at main" in text
