# SPDX-License-Identifier: Apache-2.0
"""Runs the base and head programs in parallel and reads their results.

Owns which program runs which version, the process environment (no token, no credential) and termination. If the
work tree is unchanged, the program runs once.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hubstack.files.bundled import import_paths
from hubstack.files.documents import MAX_JSON_BYTES, read_text
from hubstack.files.errors import HubstackError, InputError
from hubstack.files.subprocess_env import kept_environment
from hubstack.files.write import write_text_atomically
from hubstack.inputs.environment import Environment, find_environment
from hubstack.inputs.refreshed import load_quota, quota_name
from hubstack.review.diff.capacity import Quota, parse_quota
from hubstack.review.diff.git import Commit, changed_program, extract, find_commit, is_unchanged
from hubstack.review.diff.guards import read_guards
from hubstack.review.diff.release import installed, requirement
from hubstack.review.diff.state import State, Versions, parse_state, read_elsewhere

WORK_TREE = "work tree"
TIMEOUT_SECONDS = 300
_RUNNING: set[subprocess.Popen[str]] = set()
_STOPPED = threading.Event()
_PACKAGES = Path(__file__).resolve().parents[3]
_EXPORTS = ("hubstack/review/diff/export.py", "hubstack/sides/export.py")
"""Possible paths of the export program in a commit: since 0.2, and before."""
_EXPORT_MODULE = "hubstack.review.diff.export"
"""Its module in every release."""


def read_versions(
    name: str,
    project_dir: Path,
    against: str | None,
    quota: Path | None = None,
    base_file: Path | None = None,
    *,
    release: str | None = None,
) -> Versions:
    """Run the base and head versions of an environment.

    Args:
        name: a stack, or a folder relative to the project.
        project_dir: folder of Pulumi.yaml in the work tree.
        against: a git reference, never a file; None for the merge base with the main branch.
        quota: a quota file.
        base_file: what `save_version` wrote, instead of a git reference.
        release: an earlier hubstack that runs the work tree's files as the base, instead of a git reference.

    Raises:
        InputError: the old side or the quota cannot be read, or neither side has the environment.
    """
    limits: Quota = (
        parse_quota(read_text(quota, str(quota), "name a quota file (docs/reference/diff.md)"), str(quota))
        if quota
        else _refreshed_quota(name, project_dir)
    )
    if base_file:
        hint = "`hubstack diff ENV --save FILE` writes one"
        base = parse_state(read_text(base_file, str(base_file), hint, most=MAX_JSON_BYTES), str(base_file))
        head, program = _run(WORK_TREE, name, project_dir), ()
    elif release is not None:
        (base, head), program = _from_release(name, project_dir, release), ()
    else:
        commit = find_commit(project_dir, against)
        base, head = _from_git(name, project_dir, commit)
        program = changed_program(project_dir, commit)
    if base.is_missing and head.is_missing:
        _environment(name, project_dir)  # says what is wrong with the name
    return Versions(base=base, head=head, quota=dict(limits), program=program)


def _refreshed_quota(name: str, project_dir: Path) -> Quota:
    """Return what `hubstack refresh` read of the environment's quotas; nothing if it did not."""
    try:
        environment = _environment(name, project_dir)
    except InputError:
        return {}  # only the base has it
    file = quota_name(environment.stack)
    held = load_quota(environment.config_file.with_name(file), file)
    if held is None:
        return {}
    return {
        (region, kind, way): limit
        for region, kinds in held.quota.items()
        for kind, row in kinds.items()
        for way, limit in (("on-demand", row.on_demand), ("spot", row.spot))
        if limit is not None
    }


def save_version(name: str, project_dir: Path, path: Path) -> None:
    """Run the work tree's version and write it to a file.

    Raises:
        InputError: it has no such environment.
        HubstackError: it fails.
    """
    _environment(name, project_dir)
    state = _run(WORK_TREE, name, project_dir)
    if state.error:
        raise HubstackError(state.error)
    write_text_atomically(path, state.to_json())


def _environment(name: str, project_dir: Path) -> Environment:
    return find_environment(name, project_dir, project_dir)


def _from_git(name: str, project_dir: Path, commit: Commit) -> tuple[State, State]:
    if is_unchanged(project_dir, commit):
        head = _run(WORK_TREE, name, project_dir)
        return replace(head, name=commit.name), head
    with tempfile.TemporaryDirectory(prefix="hubstack-diff-") as folder, ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(_run, WORK_TREE, name, project_dir)
        into = Path(folder).resolve()
        has_project = extract(project_dir, commit, into) and (into / "Pulumi.yaml").is_file()
        try:
            base = _run(commit.name, name, into) if has_project else State(name=commit.name)
            return base, running.result()
        except BaseException:  # interrupted or terminated: the folder goes only when nothing runs in it
            _STOPPED.set()
            for process in tuple(_RUNNING):
                process.kill()
            raise


def _from_release(name: str, project_dir: Path, release: str) -> tuple[State, State]:
    """Run the same files with an earlier hubstack and with this one."""
    with installed(requirement(release, project_dir)) as python:
        base = _run(f"hubstack {Path(release).name}", name, project_dir, python)
    return base, _run(f"hubstack {version('hubstack')}", name, project_dir)


def _packages(folder: Path) -> Path:
    """Return the folder of a version's hubstack: its own, as in a clone, or the one running here."""
    return folder if any((folder / export).is_file() for export in _EXPORTS) else _PACKAGES


def _run(side: str, name: str, folder: Path, python: Path | None = None) -> State:
    """Run one version in a separate process, by default with this Python and its own packages."""
    kept = kept_environment("TMPDIR") | {"PYTHONDONTWRITEBYTECODE": "1"}
    # -P: the folder of this file holds modules of its own names and must not come before the side's packages.
    if python:
        command = [str(python), "-P", "-m", _EXPORT_MODULE, name, str(folder)]
    else:
        packages = _packages(folder)
        export = next(packages / name for name in _EXPORTS if (packages / name).is_file())
        own = import_paths() if packages == _PACKAGES else (packages, packages / "components")
        paths = [*map(str, own), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
        command = [sys.executable, "-P", str(export), name, str(folder)]
    with tempfile.TemporaryDirectory(prefix="hubstack-home-") as home:  # not the caller's: it holds credentials
        try:
            done = _output(command, folder, kept | {"HOME": home})
        except subprocess.TimeoutExpired:
            return State(name=side, error=f"timed out after {TIMEOUT_SECONDS} seconds")
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        return State(name=side, error=f"the program could not be run:\n{tail}")
    said: dict[str, Any] = json.loads(done.stdout)
    guards = read_guards(name, folder)
    if said.get("missing"):
        return State(name=side)
    # A reader knows no folder of ours.
    error = str(said["error"]).replace(f"{folder}{os.sep}", "") if "error" in said else None
    return State(
        name=side,
        plan=said.get("plan"),
        graph=said.get("graph"),
        facts=tuple(said.get("facts", ())),
        guards=guards,
        elsewhere=read_elsewhere(said),
        error=error,
    )


def _output(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command until it exits; kill it if interrupted."""
    with subprocess.Popen(  # noqa: S603  our own file, no shell
        command,
        cwd=folder,
        env=env,
        text=True,
        errors="backslashreplace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        _RUNNING.add(process)
        if _STOPPED.is_set():
            process.kill()
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            raise
        finally:
            _RUNNING.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
