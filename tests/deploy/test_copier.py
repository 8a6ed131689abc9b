# SPDX-License-Identifier: Apache-2.0
"""The script that copies own weights, in a process of its own, against a stand-in of Cloud Storage."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstack.deploy.weights_job import copy_objects
from hubstack.review.drift import MARKER
from tests.support.buckets import Buckets, fine_tune

SCRIPT = Path(copy_objects.__file__)
SOURCE, FOLDER, TARGET, COMMIT = "acme-tunes", "support/v3", "stack-support", "a" * 40


@pytest.fixture
def storage() -> Iterator[Buckets]:
    with Buckets() as served:
        served.put_all(SOURCE, FOLDER, fine_tune())
        served.buckets[TARGET] = {}
        yield served


def manifest(storage: Buckets) -> dict[str, Any]:
    """Return what the planner tells the script of the source as it is now."""
    files = [
        {
            "path": name.removeprefix(f"{FOLDER}/"),
            "size_bytes": len(stored.content),
            "generation": stored.generation,
            "crc32c": stored.crc32c,
        }
        for name, stored in storage.buckets[SOURCE].items()
    ]
    told = {"repo_id": f"gs://{SOURCE}/{FOLDER}", "commit": COMMIT, "bucket": SOURCE, "folder": FOLDER}
    return told | {"files": files}


def copy(storage: Buckets, tmp_path: Path, said: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(said))
    command = [sys.executable, str(SCRIPT), "--manifest", str(path), "--bucket", TARGET, "--folder", COMMIT]
    environment = os.environ | {"STORAGE_EMULATOR_HOST": storage.url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def rewrites(storage: Buckets) -> list[str]:
    return [each for each in storage.requests if "rewriteTo" in each]


def test_the_marker_is_that_of_the_other_loader() -> None:
    assert copy_objects.MARKER == MARKER


def test_every_object_is_copied_at_its_generation_and_the_marker_last(storage: Buckets, tmp_path: Path) -> None:
    storage.rewrite_calls = 3
    done = copy(storage, tmp_path, manifest(storage))
    assert done.returncode == 0, done.stderr
    written = storage.buckets[TARGET]
    assert {name: stored.content for name, stored in written.items() if not name.endswith(MARKER)} == {
        f"{COMMIT}/{path}": content for path, content in fine_tune().items()
    }
    assert max(written, key=lambda name: written[name].generation) == f"{COMMIT}/{MARKER}"
    assert all("sourceGeneration=17" in each for each in rewrites(storage))
    assert not any("alt=media" in each for each in storage.requests), "no bytes pass through the Job"


def test_a_second_run_copies_nothing(storage: Buckets, tmp_path: Path) -> None:
    said = manifest(storage)
    copy(storage, tmp_path, said)
    storage.requests.clear()
    done = copy(storage, tmp_path, said)
    assert done.returncode == 0
    assert done.stdout.startswith("complete")
    assert rewrites(storage) == []


def test_a_run_that_was_cut_off_is_continued(storage: Buckets, tmp_path: Path) -> None:
    said = manifest(storage)
    copy(storage, tmp_path, said)
    del storage.buckets[TARGET][f"{COMMIT}/{MARKER}"], storage.buckets[TARGET][f"{COMMIT}/config.json"]
    storage.put(TARGET, f"{COMMIT}/tokenizer.json", b"{}changed")
    storage.requests.clear()
    assert copy(storage, tmp_path, said).returncode == 0
    assert len(rewrites(storage)) == 2
    assert storage.buckets[TARGET][f"{COMMIT}/tokenizer.json"].content == b"{}"
    assert f"{COMMIT}/{MARKER}" in storage.buckets[TARGET]


def test_a_generation_that_is_gone_ends_the_job_without_a_marker(storage: Buckets, tmp_path: Path) -> None:
    said = manifest(storage)
    storage.put(SOURCE, f"{FOLDER}/model.safetensors", b"trained further")
    done = copy(storage, tmp_path, said)
    assert done.returncode == 4
    assert "no longer the locked generation: run `hubstack lock`" in done.stderr
    assert f"{COMMIT}/{MARKER}" not in storage.buckets[TARGET]


def test_a_copy_with_another_checksum_is_refused(storage: Buckets, tmp_path: Path) -> None:
    said = manifest(storage)
    said["files"][0]["crc32c"] = "AAAAAA=="
    assert copy(storage, tmp_path, said).returncode == 3
    assert f"{COMMIT}/{MARKER}" not in storage.buckets[TARGET]


@pytest.mark.parametrize(("status", "code"), [(403, 4), (401, 4), (412, 4), (429, 5), (503, 5)])
def test_only_what_may_pass_is_worth_another_try(storage: Buckets, tmp_path: Path, status: int, code: int) -> None:
    storage.faults.append(("rewriteTo", status, "secret detail"))
    done = copy(storage, tmp_path, manifest(storage))
    assert done.returncode == code
    assert "secret detail" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["../out", "/abs", "a/../../b", ""])
def test_a_path_out_of_the_folder_is_refused_before_anything_is_asked(
    storage: Buckets, tmp_path: Path, path: str
) -> None:
    said = manifest(storage)
    said["files"][0]["path"] = path
    assert copy(storage, tmp_path, said).returncode == 2
    assert storage.requests == []
