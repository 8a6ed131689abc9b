# SPDX-License-Identifier: Apache-2.0
"""Writes the contents of a git reference to another folder. Never touches the work tree, the index or HEAD.

Owns the git commands. `git archive` honours `export-ignore` in .gitattributes: such files are missing from the base
version.
"""

import io
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

_MAIN = tuple(
    f"refs/{name}"
    for name in (
        "remotes/origin/HEAD",
        "remotes/origin/main",
        "remotes/origin/master",
        "heads/main",
        "heads/master",
    )
)
"""Written in full: a tag called `main` must not stand in for the branch."""


_PROGRAM = re.compile(
    r"^(__main__\.py|Pulumi\.yaml|dev|uv\.lock|pyproject\.toml|justfile|requirements.*\.txt)$"
    r"|^(hubstack|components|policy|wheels|\.ci)/(?!.*\.md$)|(^|/)(\.github|\.gitlab|gitops|\.cloudbuild)/"
    r"|(^|/)(\.gitlab-ci|cloudbuild)[^/]*\.ya?ml$|(^|/)(\.gitattributes|\.gitmodules|CODEOWNERS)$"
)
"""Files that run, check or protect a review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit and its display name."""

    sha: str
    name: str


def find_commit(folder: Path, reference: str | None) -> Commit:
    """Return the commit of a reference; by default where this branch left the main one, else HEAD.

    Raises:
        InputError: no git, no repository, or no such commit.
    """
    if reference is not None:
        sha = _try(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        if sha is None:
            _is_repository(folder)
            message = f"`{reference}` is not a commit of this repository"
            hint = "a shallow clone of CI may lack it: fetch it (`git fetch origin main`), or use fetch-depth: 0"
            if Path(reference).is_file():
                hint = f"to compare with a file of --save, use `--base-file {reference}`"
            raise InputError([Problem(path="--against", message=message, hint=hint)])
        _refuse_ambiguous(folder, reference, sha)
        return Commit(sha=sha, name=sha[:7] if sha.startswith(reference) else f"{reference} ({sha[:7]})")
    _is_repository(folder)
    head = _try(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if head is None:
        message = "the repository has no commits to compare with"
        raise InputError([Problem(path=str(folder), message=message, hint="create a commit, or use --base-file")])
    for name in _MAIN:
        base = _try(folder, "merge-base", "HEAD", name)
        if base:
            branch = _try(folder, "symbolic-ref", "--quiet", name) or name
            return Commit(sha=base, name=f"{branch.rpartition('/')[2]} ({base[:7]})")
    return Commit(sha=head, name=f"HEAD ({head[:7]})")


def _refuse_ambiguous(folder: Path, reference: str, sha: str) -> None:
    """Reject an ambiguous reference: Git prefers tags to branches, and both to short hashes."""
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", reference):
        return  # git takes a full hash for itself before any name
    places = [f"refs/{place}{reference}" for place in ("", "tags/", "heads/", "remotes/")]
    said = _try(folder, "for-each-ref", "--format=%(refname)", *places) or ""
    named = [name for name in said.splitlines() if name in places]
    commits = {_try(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") for name in named}
    if named and re.fullmatch(r"[0-9a-f]{4,}", reference):
        objects = (_try(folder, "rev-parse", f"--disambiguate={reference}") or "").splitlines()
        commits |= {each for each in objects if _try(folder, "cat-file", "-t", each) == "commit"}
    if len(commits | {sha}) > 1:
        message = f"`{reference}` names several commits ({', '.join(named)})"
        hint = "use the full hash or the full ref name (`refs/heads/main`, `refs/tags/v1`)"
        raise InputError([Problem(path="--against", message=message, hint=hint)])


def is_unchanged(folder: Path, commit: Commit) -> bool:
    """Return whether the folder matches the commit exactly."""
    # .gitmodules of a pull request may ask git to ignore a submodule.
    asked = ("diff", "--quiet", "--no-ext-diff", "--ignore-submodules=none", commit.sha, "--", ".")
    same = _run(folder, *asked).returncode == 0
    return same and _try(folder, "ls-files", "--others", "--exclude-standard", "--", ".") == ""


def changed_program(folder: Path, commit: Commit) -> tuple[str, ...]:
    """Return the files of the program, its policy and its pipelines that are not as the commit has them.

    Whoever changes these changes what a review of the change says.
    """
    asked = ("diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", "--ignore-submodules=none", "--relative")
    said = [
        _try(folder, *asked, commit.sha, "--", "."),
        _try(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", "."),
    ]
    names = {name for text in said for name in (text or "").split("\0") if name}
    return tuple(sorted(name for name in names if _PROGRAM.search(name)))


def names_at(folder: Path, commit: Commit) -> tuple[str, ...]:
    """Return the names in a folder at a commit; empty if the folder did not exist."""
    # ls-tree says paths as seen from the folder that it runs in, and of that folder only.
    said = _try(folder, "ls-tree", "--name-only", commit.sha)
    return tuple(said.splitlines()) if said else ()


def extract(folder: Path, commit: Commit, into: Path) -> bool:
    """Write a folder as of a commit; return whether the commit has it."""
    prefix = (_try(folder, "rev-parse", "--show-prefix") or "").rstrip("/")
    top = Path(_try(folder, "rev-parse", "--show-toplevel") or folder)
    tree = f"{commit.sha}:{prefix}" if prefix else commit.sha
    done = _run(top, "archive", "--format=tar", tree)
    if done.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        links = [link for member in archive if (link := _write_member(archive, member, into))]
    for link in links:
        if not _stays_inside(link, into):
            link.unlink()
    return True


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> Path | None:
    """Write one entry of a tree; return its path if it is a link.

    `tarfile`'s own filters came with Python 3.11.4, and they refuse the whole archive for one link that leaves it.
    """
    path = into / member.name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        path.symlink_to(member.linkname)
        return path
    elif member.isfile() and (content := archive.extractfile(member)):
        path.write_bytes(content.read())
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
    return None


def _stays_inside(link: Path, folder: Path) -> bool:
    try:
        return link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a loop: RuntimeError before Python 3.13
        return False


def _is_repository(folder: Path) -> None:
    if _try(folder, "rev-parse", "--git-dir") is None:
        hint = "`hubstack diff ENV --save FILE` writes a side; `--base-file FILE` compares with it"
        raise InputError([Problem(path=str(folder), message="is not in a git repository", hint=hint)])


def _try(folder: Path, *arguments: str) -> str | None:
    done = _run(folder, *arguments)
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else None


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # --no-optional-locks: not even the index is refreshed.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, check=False, capture_output=True)  # noqa: S603  git from the PATH, no shell
    except OSError as error:
        reason = "is not installed" if isinstance(error, FileNotFoundError) else f"cannot be run: {error.strerror}"
        message = f"{reason}, but is needed to read the base"
        raise InputError([Problem(path="git", message=message, hint="install it, or use --base-file")]) from None
