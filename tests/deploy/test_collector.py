# SPDX-License-Identifier: Apache-2.0
"""The collector on real folders, in a process of its own: what it removes, and what it never touches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "hubstack" / "deploy" / "weights_job" / "collect_weights.py"
OLD, OLDER, NEW, CANARY = "a" * 40, "b" * 40, "c" * 40, "d" * 40
MARKER = ".hubstack-complete"


def stage(bucket: Path, commit: str, *, complete: bool = True) -> Path:
    folder = bucket / commit
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "1_Pooling" / "config.json").write_text("{}")
    if complete:
        (folder / MARKER).write_text(json.dumps({"repo_id": "acme/tiny", "commit": commit, "files": []}))
    return folder


def collect(bucket: Path, current: str = NEW, *keep: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(SCRIPT), "--root", str(bucket), "--current", current]
    command += [word for commit in keep for word in ("--keep", commit)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_only_what_is_in_use_stays(tmp_path: Path) -> None:
    for commit in (OLD, OLDER, NEW, CANARY):
        stage(tmp_path, commit)
    done = collect(tmp_path, NEW, CANARY)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [NEW, CANARY]
    assert (tmp_path / NEW / "model.safetensors").read_bytes() == b"weights"
    assert f"removed   {OLD}" in done.stdout


def test_a_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    stage(tmp_path, OLD)
    stage(tmp_path, NEW)
    assert collect(tmp_path).returncode == collect(tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [NEW]


def test_a_half_staged_folder_of_another_commit_goes_too(tmp_path: Path) -> None:
    stage(tmp_path, OLD, complete=False)
    stage(tmp_path, NEW)
    assert collect(tmp_path).returncode == 0
    assert not (tmp_path / OLD).exists()


@pytest.mark.parametrize("damage", ["absent", "no marker", "marker of another", "marker is no JSON", "link"])
def test_nothing_goes_while_the_current_commit_is_not_whole(tmp_path: Path, damage: str) -> None:
    stage(tmp_path, OLD)
    if damage == "link":
        (tmp_path / NEW).symlink_to(tmp_path / OLD)
    elif damage != "absent":
        folder = stage(tmp_path, NEW, complete=damage != "no marker")
        if damage.startswith("marker"):
            (folder / MARKER).write_text(json.dumps({"commit": OLD}) if "another" in damage else "{")
    done = collect(tmp_path)
    assert done.returncode == 3
    assert "nothing was removed" in done.stderr
    assert (tmp_path / OLD / "model.safetensors").exists()


HOSTILE = ("A" * 40, "a" * 39, "a" * 41, "g" * 40, f" {'a' * 39}", ".." * 20, "main", "lost+found", f"{'a' * 39}\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_that_is_not_named_by_a_commit_is_never_touched(tmp_path: Path, name: str) -> None:
    stage(tmp_path, NEW)
    other = tmp_path / name
    other.mkdir()
    (other / "kept").write_text("x")
    done = collect(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (other / "kept").read_text() == "x"


def test_a_file_named_like_a_commit_is_left(tmp_path: Path) -> None:
    stage(tmp_path, NEW)
    (tmp_path / OLD).write_text("a file")
    assert collect(tmp_path).returncode == 0
    assert (tmp_path / OLD).read_text() == "a file"


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, bucket = tmp_path / "outside", tmp_path / "bucket"
    outside.mkdir()
    (outside / "precious").write_text("x")
    stage(bucket, NEW)
    (bucket / OLD).symlink_to(outside)
    inner = stage(bucket, OLDER)
    (inner / "folder").symlink_to(outside)
    (inner / "file").symlink_to(outside / "precious")
    assert collect(bucket).returncode == 0
    assert (outside / "precious").read_text() == "x"
    assert (bucket / OLD).is_symlink(), "a link named like a commit is not a folder"
    assert not inner.exists()


@pytest.mark.parametrize("word", ["", "main", "../x", "/", "C" * 40, "a" * 39])
@pytest.mark.parametrize("where", ["current", "keep"])
def test_a_commit_that_is_none_is_refused_before_anything_goes(tmp_path: Path, word: str, where: str) -> None:
    stage(tmp_path, OLD)
    stage(tmp_path, NEW)
    done = collect(tmp_path, word) if where == "current" else collect(tmp_path, NEW, word)
    assert done.returncode == 2
    assert (tmp_path / OLD).is_dir()
    assert "Traceback" not in done.stderr


def test_a_bucket_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert collect(tmp_path / "nowhere").returncode == 2
    real = tmp_path / "real"
    stage(real, NEW)
    (tmp_path / "link").symlink_to(real)
    assert collect(tmp_path / "link").returncode == 2


def test_a_folder_that_cannot_be_emptied_is_an_error_that_may_pass(tmp_path: Path) -> None:
    from hubstack.deploy.weights_job import collect_weights  # noqa: PLC0415

    folder = stage(tmp_path, OLD)
    (folder / MARKER).unlink()
    (folder / MARKER).mkdir()  # an unlink of a folder fails, as a bucket's refusal does
    stage(tmp_path, NEW)
    assert collect_weights.main(["--root", str(tmp_path), "--current", NEW]) == 5


def test_it_needs_the_standard_library_only() -> None:
    imports = {line.split()[1] for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))}
    assert imports <= sys.stdlib_module_names | {"__future__"}
