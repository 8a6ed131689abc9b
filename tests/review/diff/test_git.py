# SPDX-License-Identifier: Apache-2.0
"""Which commit a word names: nobody can plant a file, a tag or a submodule setting that stands in for the base."""

import subprocess
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.review.diff.git import find_commit, is_unchanged


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def two_commits(tmp_path: Path) -> tuple[Path, str, str]:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    shas: list[str] = []
    for text in ("one", "two"):
        (tmp_path / "list.yaml").write_text(text)
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", text)
        shas.append(git(tmp_path, "rev-parse", "HEAD"))
    return tmp_path, shas[0], shas[1]


def test_a_file_named_like_a_commit_changes_nothing(two_commits: tuple[Path, str, str]) -> None:
    folder, first, _ = two_commits
    (folder / first).write_text("{}")
    assert find_commit(folder, first).sha == first


def test_a_file_given_as_a_reference_is_sent_to_its_own_option(
    two_commits: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, _ = two_commits
    (folder / "saved.json").write_text("{}")
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"--base-file saved\.json"):
        find_commit(folder, "saved.json")


@pytest.mark.parametrize("kind", ["branch", "short hash"])
def test_a_tag_that_shadows_a_branch_or_a_short_hash_is_refused(
    two_commits: tuple[Path, str, str], kind: str
) -> None:
    folder, first, second = two_commits
    name = "main" if kind == "branch" else second[:7]
    git(folder, "tag", name, first)
    with pytest.raises(InputError, match="names several commits"):
        find_commit(folder, name)


def test_a_tag_that_is_called_like_a_full_hash_changes_nothing(two_commits: tuple[Path, str, str]) -> None:
    folder, first, second = two_commits
    (folder / ".git" / "refs" / "tags" / second).write_text(f"{first}\n")
    assert find_commit(folder, second).sha == second


def test_without_a_reference_a_tag_called_main_is_not_the_main_branch(two_commits: tuple[Path, str, str]) -> None:
    folder, first, second = two_commits
    git(folder, "tag", "main", first)
    assert find_commit(folder, None).sha == second


def test_a_submodule_that_asks_to_be_ignored_is_still_a_change(two_commits: tuple[Path, str, str]) -> None:
    folder, first, second = two_commits
    (folder / ".gitmodules").write_text('[submodule "s"]\npath = s\nurl = ./s\nignore = all\n')
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{first},s")
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "--quiet", "--message", "submodule")
    base = find_commit(folder, "HEAD")
    git(folder, "update-index", "--cacheinfo", f"160000,{second},s")
    assert not is_unchanged(folder, base)
