# SPDX-License-Identifier: Apache-2.0
"""How long `hubstack lock` takes for 1,000 models: sequentially and concurrently, in one run.

The Hub is a small server in a process of its own, which waits 50 ms before each answer; its answers are those of the
tests' stand-in, made beforehand so that it costs the machine little. Each run is a process of its own too, whose peak
memory the kernel tells. Compare the ratio, not the seconds. The live Hub limits how often it is asked: there a
thousand models take as long as it allows.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hubstack.hub.remote import JOBS
from proof.hub.tiny import TINY
from tests.support.hub.invented import repository

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks" / "lock_speed.md"
MODELS, LATENCY_SECONDS, FILES = 1000, 0.05, 20
RUN = """
import json, resource, sys, time
from pathlib import Path
from hubstack.hub.remote import RetryLimits, write_lock
from hubstack.inputs.models import load_request
begun = time.perf_counter()
path = Path(sys.argv[1])
lines, refused = write_lock(load_request(path, "x"), path, [], None, RetryLimits(jobs=int(sys.argv[2])))
seconds = time.perf_counter() - begun
assert refused is None, refused
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(lines) - 1]))
"""


def answers() -> dict[str, bytes]:
    """Return the prepared response for each path."""
    files = {"config.json": TINY, **{f"model-{n:05}.safetensors": b"x" * n for n in range(1, FILES)}}
    found: dict[str, bytes] = {}
    for number in range(MODELS):
        repo = repository(f"m{number}", files)
        (commit,) = repo.commits.values()
        config = commit.file("config.json")
        assert config
        body = json.dumps(repo.json(commit, blobs=True, security=True)).encode()
        found[f"/api/models/{repo.id}"] = body
        found[f"/{repo.id}/resolve/{commit.sha}/config.json"] = config.content or b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    return {path: head % (len(body), body) for path, body in found.items()}


async def serve() -> None:
    """Serve as the Hub until standard input is closed."""
    known = answers()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode().partition("?")[0]
                await asyncio.sleep(LATENCY_SECONDS)
                writer.write(known[path])

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def measure(folder: Path, url: str, jobs: int) -> tuple[float, float, str]:
    listed = folder / f"jobs-{jobs}.models.yaml"
    listed.write_text("models:\n" + "".join(f"  - stand-in/m{number}\n" for number in range(MODELS)))
    env = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(folder), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(listed), str(jobs)],
        env=env,
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, mib, added = json.loads(done.stdout)
    assert added == MODELS
    return seconds, mib, listed.with_name(f"jobs-{jobs}.models.lock.yaml").read_text()


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    command = [sys.executable, "-m", "benchmarks.lock_speed", "serve"]
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hub,
    ):
        assert hub.stdin
        assert hub.stdout
        url = hub.stdout.readline().strip()
        runs = {jobs: measure(Path(name), url, jobs) for jobs in (JOBS, 64, 1)}
        hub.stdin.close()
    assert len({text for _, _, text in runs.values()}) == 1, "the lock must not depend on what was answered first"
    serial = runs[1][0]
    lines = [
        "# Locking many models",
        "",
        "Written by `python -m benchmarks.lock_speed`: "
        f"{MODELS:,} models, two questions each, answered after {LATENCY_SECONDS * 1000:.0f} ms by a stand-in of the Hub.",
        "",
        "| `--jobs` | s | of one at a time | peak memory, MiB |",
        "| --- | --- | --- | --- |",
        *(
            f"| {jobs}{' (default)' if jobs == JOBS else ''} | {seconds:.1f} | 1/{serial / seconds:.1f} | {mib:.0f} |"
            for jobs, (seconds, mib, _) in sorted(runs.items())
        ),
    ]
    print("\n".join(lines[4:]))
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
