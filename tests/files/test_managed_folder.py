# SPDX-License-Identifier: Apache-2.0
"""A folder that is written whole: what is ours goes when it is no longer said, what is not ours stays."""

from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.files.managed_folder import INDEX, write_folder


def held(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file() and p.name != INDEX}


def test_only_what_differs_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert write_folder(folder, {"a/b.yaml": "1", "c.yaml": "2"}) == (["a/b.yaml", "c.yaml"], [])
    before = (folder / "c.yaml").stat().st_mtime_ns
    assert write_folder(folder, {"c.yaml": "2", "d.yaml": "3"}) == (["d.yaml"], ["a/b.yaml"])
    assert held(folder) == {"c.yaml": "2", "d.yaml": "3"}
    assert (folder / "c.yaml").stat().st_mtime_ns == before
    assert not (folder / "a").exists(), "an empty folder would stay in the repository's tree"


def test_files_of_others_stay(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", {"a/b.yaml": "1"})
    (tmp_path / "out" / "a" / "kustomization.yaml").write_text("theirs")
    write_folder(tmp_path / "out", {})
    assert held(tmp_path / "out") == {"a/kustomization.yaml": "theirs"}


def test_a_folder_of_someone_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("theirs")
    with pytest.raises(InputError, match="not empty, and hubstack did not write it"):
        write_folder(tmp_path, {"a.yaml": "ours"})
    assert held(tmp_path) == {"a.yaml": "theirs"}


def test_a_file_of_someone_else_is_never_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", {"a.yaml": "1"})
    (tmp_path / "out" / "b.yaml").write_text("theirs")
    with pytest.raises(InputError, match="not hubstack's to replace"):
        write_folder(tmp_path / "out", {"a.yaml": "1", "b.yaml": "ours"})
    assert held(tmp_path / "out")["b.yaml"] == "theirs"


@pytest.mark.parametrize("line", ["../victim", "/etc/victim", "a/../../victim"])
def test_an_index_that_points_outside_removes_nothing(tmp_path: Path, line: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / INDEX).write_text(f"{line}\n")
    with pytest.raises(InputError, match="outside the folder"):
        write_folder(tmp_path / "out", {})
    assert victim.read_text() == "theirs"


def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.yaml": "1"})

    def killed(self: Path, *, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            write_folder(folder, {"b.yaml": "2"})
    write_folder(folder, {"b.yaml": "2"})
    assert held(folder) == {"b.yaml": "2"}
