# SPDX-License-Identifier: Apache-2.0
"""One writer at a time, over real processes' locks (`flock` is by open file: one process can stand for two)."""

import os
from pathlib import Path

import pytest

from hubstack.files.errors import InputError
from hubstack.files.file_lock import exclusive
from hubstack.files.write import remove_scratch
from hubstack.hub.promote import write_promotion


def test_a_list_is_held_by_one_and_free_after_it(tmp_path: Path) -> None:
    path = tmp_path / "dev.models.yaml"
    path.write_text("models: [a/b]\n")
    told = pytest.raises(InputError, match=r"dev\.models\.yaml: another hubstack process is writing its lock")
    with exclusive(path, "x"), told, exclusive(path, "stacks/dev.models.yaml"):
        pytest.fail("two writers at once")
    with pytest.raises(KeyError), exclusive(path, "x"):
        raise KeyError
    with exclusive(path, "x"):
        assert path.read_text() == "models: [a/b]\n"
    assert [each.name for each in tmp_path.iterdir()] == ["dev.models.yaml"], "nothing is left for git to see"


def test_a_list_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="x: cannot be locked for writing: No such file"),
        exclusive(tmp_path / "no", "x"),
    ):
        pytest.fail("there is nothing to hold")


def test_a_promotion_waits_for_no_lock_that_is_being_written(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        (tmp_path / f"{name}.models.yaml").write_text("models: [a/b]\n")
    with exclusive(tmp_path / "prod.models.yaml", "x"), pytest.raises(InputError, match="another hubstack"):
        write_promotion(tmp_path, "dev.models.yaml", "prod.models.yaml", [])


def test_only_what_a_killed_write_of_this_file_left_is_removed(tmp_path: Path) -> None:
    kept = ["dev.lock.yaml", ".dev.lock.yaml", ".prod.lock.yaml.7.tmp", "dev.lock.yaml.7.tmp"]
    for name in [*kept, ".dev.lock.yaml.7.tmp", f".dev.lock.yaml.{os.getpid()}.tmp"]:
        (tmp_path / name).touch()
    remove_scratch(tmp_path / "dev.lock.yaml")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(kept)
