# SPDX-License-Identifier: Apache-2.0
"""fake-gcs-server: a server of Cloud Storage's JSON API that others wrote, built once and run in memory.

Owns how it is built and started. The version is in `server/go.mod`, the hashes beside it. It stands for Cloud
Storage where own weights are locked and copied; it has no IAM, and knows nothing of locations.
"""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from proof.binaries import FLAGS, Parts, SandboxError, Say, built, go, version_of
from proof.processes import free_ports

HERE = Path(__file__).resolve().parent
PROGRAM, MODULE = "fake-gcs-server", "github.com/fsouza/fake-gcs-server"
_START_SECONDS = 30


def program(say: Say = lambda _: None) -> Path:
    """Return the server's program, built first where that is needed."""
    parts = Parts("storage", (PROGRAM,), (HERE / "server",), _build, "building fake-gcs-server: a minute, once")
    return built(parts, say) / PROGRAM


def _build(folder: Path, say: Say) -> None:
    say(f"fake-gcs-server {version_of(MODULE, HERE / 'server')}")
    go(["build", *FLAGS, "-s -w", "-o", f"{folder}/{PROGRAM}", MODULE], HERE / "server")


@contextmanager
def serving(say: Say = lambda _: None) -> Generator[str]:
    """Run the server on a free port of this machine; yield its address.

    Raises:
        SandboxError: it does not start.
    """
    (port,) = free_ports(1)
    # Its folders on disk would hide nested objects; in memory all are there.
    command = [str(program(say)), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-public-host", f"127.0.0.1:{port}", "-log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            _await(f"http://127.0.0.1:{port}", running)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


def _await(address: str, running: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_internal/healthcheck", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SandboxError("fake-gcs-server did not start")
