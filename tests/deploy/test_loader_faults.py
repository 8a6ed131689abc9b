# SPDX-License-Identifier: Apache-2.0
"""The loader on a bad day of the Hub, and killed: a folder with a marker is whole.

The real huggingface_hub in a process of its own, against the stand-in of the Hub. Not proven here: a bucket behind
a FUSE mount, which answers in its own way.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proof.hub.tiny import TINY, safetensors
from tests.support.hub import TOKENS, Fault, StandIn
from tests.support.hub.invented import repository

SCRIPT = Path(__file__).resolve().parents[2] / "hubstack" / "deploy" / "weights_job" / "load_weights.py"
MARKER = ".hubstack-complete"
ACCESS = next(token for token, right in TOKENS.items() if right == "access")
WEIGHTS = safetensors("U8", fill=random.Random(1).randbytes, weight=[3_000_000])  # noqa: S311
FILES = {"config.json": json.dumps(TINY).encode(), "model.safetensors": WEIGHTS}


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with StandIn([repository("weights", FILES)]) as served:
        yield served


@pytest.fixture
def elsewhere() -> Iterator[StandIn]:
    with StandIn([repository("weights", FILES)]) as served:
        served.url = served.url.replace("127.0.0.1", "localhost")
        yield served


def manifest(hub: StandIn) -> dict[str, Any]:
    repo = hub.repositories["stand-in/weights"]
    files = [
        {"path": path, "size_bytes": len(content), "git_oid": None, "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in FILES.items()
    ]
    return {"repo_id": repo.id, "commit": repo.refs["main"], "patterns": ["*"], "exclude": [], "files": files}


def start(hub: StandIn, folder: Path) -> subprocess.Popen[str]:
    (folder / "manifest.json").write_text(json.dumps(manifest(hub)))
    (folder / "scratch").mkdir(exist_ok=True)
    (folder / "token").write_text(ACCESS)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "HF_HOME": str(folder / "home"),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN_PATH": str(folder / "token"),
        "HF_HUB_ETAG_TIMEOUT": "2",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [
        sys.executable,
        str(SCRIPT),
        "--manifest",
        str(folder / "manifest.json"),
        "--target",
        str(folder / "bucket"),
        "--scratch",
        str(folder / "scratch"),
    ]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@dataclass
class Run:
    code: int
    text: str


def run(hub: StandIn, folder: Path) -> Run:
    started = start(hub, folder)
    out, err = started.communicate(timeout=120)
    assert ACCESS not in out + err, "the log of a Job is read by many"
    assert "Traceback" not in out + err
    return Run(started.returncode, out + err)


def landed(folder: Path) -> dict[str, bytes]:
    bucket = folder / "bucket"
    found = {str(path.relative_to(bucket)): path.read_bytes() for path in bucket.rglob("*") if path.is_file()}
    return {path: content for path, content in found.items() if path != MARKER}


def is_marked(folder: Path) -> bool:
    return (folder / "bucket" / MARKER).exists()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="GET .*safetensors", status=429, headers={"Retry-After": "1"}),
        Fault(route="GET .*safetensors", cuts_body=True, count=2),
        Fault(route="GET .*safetensors", stall_seconds=4),
        Fault(route="HEAD .*safetensors", status=503),
        Fault(route="HEAD .*safetensors", status=429, headers={"Retry-After": "1"}),
    ],
    ids=["429", "cut", "stall", "503-head", "429-head"],
)
def test_what_passes_is_waited_for_and_every_byte_is_the_locked_one(
    hub: StandIn, tmp_path: Path, fault: Fault
) -> None:
    hub.faults.append(fault)
    done = run(hub, tmp_path)
    assert done.code == 0, done.text
    assert fault.count == 0, "the fault must have come"
    assert landed(tmp_path) == FILES
    assert is_marked(tmp_path)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(route="GET .*safetensors", count=99, status=500), 5),
        (Fault(route="GET .*safetensors", count=99, status=403, headers={"X-Error-Code": "GatedRepo"}), 4),
        (Fault(route="safetensors", count=99, status=401), 4),
        (Fault(route="safetensors", count=99, status=404, headers={"X-Error-Code": "RepoNotFound"}), 4),
        (Fault(route="safetensors", count=99, status=404, headers={"X-Error-Code": "RevisionNotFound"}), 4),
        (Fault(route="GET .*safetensors", resets=True), 5),  # huggingface_hub gives up; the Job tries again
        (Fault(route="GET .*safetensors", count=99, page="<html>sign in</html>"), 5),
        (Fault(route="safetensors", count=99, redirects_to="http://localhost:9"), 5),
    ],
    ids=["500", "gated", "expired", "deleted", "no-revision", "reset", "page", "nowhere"],
)
def test_what_does_not_pass_ends_with_a_line_and_without_a_marker(
    hub: StandIn, tmp_path: Path, fault: Fault, code: int
) -> None:
    hub.faults.append(fault)
    done = run(hub, tmp_path)
    assert done.code == code, done.text
    assert done.text.splitlines()[-1].startswith("error: ")
    assert not is_marked(tmp_path)
    assert set(landed(tmp_path)) == {"config.json"}, "what was whole stays for the next try"
    hub.faults.clear()
    assert run(hub, tmp_path).code == 0
    assert landed(tmp_path) == FILES


def test_the_token_does_not_follow_a_file_to_another_host(hub: StandIn, elsewhere: StandIn, tmp_path: Path) -> None:
    hub.faults.append(Fault(route="GET .*safetensors", count=99, redirects_to=elsewhere.url))
    done = run(hub, tmp_path)
    assert done.code == 0, done.text
    assert elsewhere.requests, "the file came from there"
    assert not any(asked.has_token for asked in elsewhere.requests)
    assert all(asked.has_token for asked in hub.asked("safetensors"))


def test_bytes_of_another_host_that_were_not_locked_are_refused(
    hub: StandIn, elsewhere: StandIn, tmp_path: Path
) -> None:
    changed = FILES["model.safetensors"][:-1] + b"!"
    other = repository("weights", {**FILES, "model.safetensors": changed})
    sha = hub.repositories["stand-in/weights"].refs["main"]
    other.commits[sha] = next(iter(other.commits.values()))
    elsewhere.repositories["stand-in/weights"] = other
    hub.faults.append(Fault(route="GET .*safetensors", count=99, redirects_to=elsewhere.url))
    done = run(hub, tmp_path)
    assert done.code == 3, done.text
    assert not is_marked(tmp_path)
    assert "model.safetensors" not in landed(tmp_path)


def test_kills_leave_no_marker_before_the_folder_is_whole(hub: StandIn, tmp_path: Path) -> None:
    """Twelve kills with a fixed seed: at a request, and at a moment of the copying after it."""
    rng = random.Random(7)  # noqa: S311
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        hub.requests.clear()
        count = rng.randint(1, 4)
        started = start(hub, folder)
        _wait(lambda count=count: len(hub.requests) >= count)
        time.sleep(rng.uniform(0, 0.05))
        started.kill()
        started.communicate()
        if is_marked(folder):
            assert landed(folder) == FILES, "a server would read a folder that is not whole"
    assert run(hub, folder).code == 0
    assert landed(folder) == FILES
    assert is_marked(folder)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)
