# SPDX-License-Identifier: Apache-2.0
"""A folder that is written whole: what is ours goes when it is no longer said, what is not ours stays."""

from pathlib import Path

import pytest

from hubstack.files import managed_folder
from hubstack.files.errors import InputError
from hubstack.files.managed_folder import INDEX, write_folder


def held(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file() and p.name != INDEX}


def test_only_what_differs_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert write_folder(folder, {"a/b.yaml": "1", "c.yaml": "2"}, "render") == (["a/b.yaml", "c.yaml"], [])
    before = (folder / "c.yaml").stat().st_mtime_ns
    assert write_folder(folder, {"c.yaml": "2", "d.yaml": "3"}, "render") == (["d.yaml"], ["a/b.yaml"])
    assert held(folder) == {"c.yaml": "2", "d.yaml": "3"}
    assert (folder / "c.yaml").stat().st_mtime_ns == before
    assert not (folder / "a").exists(), "an empty folder would stay in the repository's tree"


def test_files_of_others_stay(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", {"a/b.yaml": "1"}, "render")
    (tmp_path / "out" / "a" / "kustomization.yaml").write_text("theirs")
    write_folder(tmp_path / "out", {}, "render")
    assert held(tmp_path / "out") == {"a/kustomization.yaml": "theirs"}


def test_a_folder_of_someone_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("theirs")
    with pytest.raises(InputError, match="not empty, and hubstack did not write it"):
        write_folder(tmp_path, {"a.yaml": "ours"}, "render")
    assert held(tmp_path) == {"a.yaml": "theirs"}


def test_a_file_of_someone_else_is_never_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", {"a.yaml": "1"}, "render")
    (tmp_path / "out" / "b.yaml").write_text("theirs")
    with pytest.raises(InputError, match="exists, and hubstack did not write it"):
        write_folder(tmp_path / "out", {"a.yaml": "1", "b.yaml": "ours"}, "render")
    assert held(tmp_path / "out")["b.yaml"] == "theirs"


@pytest.mark.parametrize("line", ["../victim", "/etc/victim", "a/../../victim"])
def test_an_index_that_points_outside_removes_nothing(tmp_path: Path, line: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / INDEX).write_text(f"{line}\n")
    with pytest.raises(InputError, match="outside the folder"):
        write_folder(tmp_path / "out", {}, "render")
    assert victim.read_text() == "theirs"


def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a.yaml": "1"}, "render")

    def killed(self: Path, *, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            write_folder(folder, {"b.yaml": "2"}, "render")
    write_folder(folder, {"b.yaml": "2"}, "render")
    assert held(folder) == {"b.yaml": "2"}


def test_a_link_inside_the_folder_is_never_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "b.yaml").write_text("theirs")
    write_folder(folder, {"a/b.yaml": "1"}, "render")
    (folder / "a" / "b.yaml").unlink()
    (folder / "a").rmdir()
    (folder / "a").symlink_to(outside)
    for files in ({"a/b.yaml": "2"}, {}):
        with pytest.raises(InputError, match="symbolic link"):
            write_folder(folder, files, "render")
    assert (outside / "b.yaml").read_text() == "theirs"


def test_a_first_run_that_was_cut_off_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, files = tmp_path / "out", {"a.yaml": "1", "b/c.yaml": "2"}
    real = managed_folder.write_text_atomically

    def killed(path: Path, text: str) -> None:
        if path.name == "c.yaml":
            raise KeyboardInterrupt
        real(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(managed_folder, "write_text_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            write_folder(folder, files, "render")
    write_folder(folder, files, "render")
    assert held(folder) == files


@pytest.mark.parametrize("spoil", ["folder", "binary file", "binary index", "gone"])
def test_what_others_did_to_the_folder_is_an_error_or_mended(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "out"
    write_folder(folder, {"a/b.yaml": "1"}, "render")
    match spoil:
        case "folder":
            (folder / "a" / "b.yaml").unlink()
            (folder / "a" / "b.yaml").mkdir()
        case "binary file":
            (folder / "a" / "b.yaml").write_bytes(b"\xff\xfe\x00")
        case "binary index":
            (folder / INDEX).write_bytes(b"\xff\xfe\x00")
        case _:
            (folder / "a" / "b.yaml").unlink()
            (folder / "a").rmdir()
    if spoil in {"folder", "binary index"}:
        with pytest.raises(InputError):
            write_folder(folder, {"a/b.yaml": "2"}, "render")
        return
    write_folder(folder, {}, "render")
    write_folder(folder, {"a/b.yaml": "2"}, "render")
    assert held(folder) == {"a/b.yaml": "2"}


def test_one_command_does_not_write_the_folder_of_another(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", {"a.yaml": "1"}, "render")
    with pytest.raises(InputError, match="was written by `hubstack render`"):
        write_folder(tmp_path / "out", {"Pulumi.yaml": "1"}, "eject")
    assert held(tmp_path / "out") == {"a.yaml": "1"}
