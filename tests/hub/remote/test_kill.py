# SPDX-License-Identifier: Apache-2.0
"""`hubstack lock` killed (SIGKILL) at moments spread over its life, with a fixed seed.

A helper process has imported hubstack and forks for each run, so that what is killed is the command at work and not
the import of its modules. Not proven here: a power cut, for which the file is flushed before it gets its name.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hubstack.hub.lock import load_lock
from hubstack.hub.remote import write_lock
from hubstack.inputs.models import load_request
from proof.hub.tiny import TINY, commit
from tests.support.hub import StandIn
from tests.support.hub.invented import repository

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]
MODELS, SEED = 6, 7
SERVER = """
import os, sys
import hubstack.hub.remote, hubstack.planner.placement.write_placement
from hubstack.cli import app as cli
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.argv = ["hubstack", *line.split()]
        try:
            cli.run()
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Runs:
    """Starts the command, and ends it at a moment."""

    def __init__(self, project: Path, url: str) -> None:
        self._words = f"lock dev --upgrade all --project {project}\n"
        held = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **held,
                "HF_ENDPOINT": url,
                "HF_HOME": str(project / "hf"),
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_ASSETS_CACHE": constants.HF_ASSETS_CACHE,
            },  # the next run takes up what a killed one heard
        )

    def run(self, until: Callable[[], None] | None = None) -> float:
        """Run until it ends, or until the function returns and it is killed; return the seconds to its end."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(self._words)
        self._server.stdin.flush()
        child, begun = int(self._server.stdout.readline()), time.monotonic()
        if until is not None:
            until()
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
        assert self._server.stdout.readline() == "ended\n"
        return time.monotonic() - begun

    def close(self) -> None:
        self._server.communicate(timeout=30)


@pytest.fixture
def project(hub: StandIn, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "stacks/Pulumi.dev.yaml"):
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    for number in range(MODELS):
        # Many files make a large lock, and a write that takes its time.
        files = {"config.json": TINY, **{f"part-{part:03}.txt": b"x" * part for part in range(300)}}
        hub.repositories[f"stand-in/m{number}"] = repository(f"m{number}", files)
    listed = "".join(f"  - stand-in/m{number}\n" for number in range(MODELS))
    (folder / "stacks" / "dev.models.yaml").write_text(f"models:\n{listed}")
    return folder


@pytest.fixture
def runs(hub: StandIn, project: Path) -> Iterator[Runs]:
    made = Runs(project, hub.url)
    yield made
    made.close()


def moments(hub: StandIn, whole: float, writing: float) -> list[Callable[[], None]]:
    """Return 50 moments: over the whole run, at a request, and after the last one, where the lock is written."""
    rng = random.Random(SEED)  # noqa: S311

    def after(seconds: float) -> Callable[[], None]:
        return lambda: time.sleep(seconds)

    def at_request(number: int, seconds: float = 0) -> Callable[[], None]:
        def wait() -> None:
            until = time.monotonic() + 30
            while len(hub.requests) < number and time.monotonic() < until:
                time.sleep(0.0005)
            time.sleep(seconds)

        return wait

    last = 2 * MODELS
    return [
        *(after(rng.uniform(0, whole)) for _ in range(15)),
        *(at_request(rng.randint(1, last)) for _ in range(10)),
        *(at_request(last, rng.uniform(0, writing)) for _ in range(25)),
    ]


def test_fifty_kills_leave_the_old_lock_or_the_new_one(hub: StandIn, project: Path, runs: Runs) -> None:
    path, locked = project / "stacks" / "dev.models.yaml", project / "stacks" / "dev.models.lock.yaml"
    write_lock(load_request(path, "x"), path, [])
    old = locked.read_bytes()
    for number in range(MODELS):
        repo = hub.repositories[f"stand-in/m{number}"]
        newest = commit(
            repo.id,
            "newest",
            {"config.json": {**TINY, "vocab_size": 2000}, **dict.fromkeys(map(str, range(300)), b"y")},
        )
        repo.commits[newest.sha], repo.refs["main"] = newest, newest.sha
    hub.requests.clear()
    ends: list[float] = []
    whole = runs.run()
    new = locked.read_bytes()
    assert old != new
    assert len(hub.requests) == 2 * MODELS
    locked.write_bytes(old)
    hub.requests.clear()
    runs.run(lambda: ends.append(_time_of_last_request(hub)))
    seen: list[bytes] = []
    for wait in moments(hub, whole, writing=whole - min(whole * 0.9, ends[0])):
        locked.write_bytes(old)
        hub.requests.clear()
        runs.run(wait)
        seen.append(locked.read_bytes())
        assert seen[-1] in {old, new}, "a lock must be one or the other, byte for byte"
        write_lock(load_request(path, "x"), path, ["all"])
        assert locked.read_bytes() == new, "the next run must not stumble over what is left"
        assert not [each.name for each in (project / "stacks").iterdir() if each.name.endswith(".tmp")]
    assert {old, new} == set(seen), f"{seen.count(old)} old, {seen.count(new)} new: the moments miss the write"


def _time_of_last_request(hub: StandIn) -> float:
    """Wait for the last request; return the seconds that it took."""
    begun = time.monotonic()
    while len(hub.requests) < 2 * MODELS and time.monotonic() < begun + 30:
        time.sleep(0.0005)
    return time.monotonic() - begun


WRITER = """
import sys
from pathlib import Path
from hubstack.files.write import write_text_atomically
target = Path(sys.argv[1])
write_text_atomically(target, "a" * 3_000_000)
print("ready", flush=True)
while True:
    for letter in "ba":
        write_text_atomically(target, letter * 3_000_000)
"""


def test_a_write_that_is_killed_leaves_the_file_whole(tmp_path: Path) -> None:
    rng = random.Random(SEED)  # noqa: S311
    target = tmp_path / "x.yaml"
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.001, 0.08))
            writer.kill()
        text = target.read_text()
        assert len(text) == 3_000_000
        assert len(set(text)) == 1, "half of one and half of the other"


def test_a_lock_that_a_killed_run_held_holds_nobody_up(hub: StandIn, project: Path, runs: Runs) -> None:
    runs.run(lambda: _time_of_last_request(hub) and None)
    path = project / "stacks" / "dev.models.yaml"
    write_lock(load_request(path, "x"), path, [])
    assert len(load_lock(project / "stacks" / "dev.models.lock.yaml").models) == MODELS
