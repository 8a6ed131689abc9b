# SPDX-License-Identifier: Apache-2.0
"""Local processes that stop when this process does, however it ends.

Owns starting and stopping. Each process has its own group, so that Ctrl-C reaches only us and we stop the others in
order; a watchdog that holds the other end of a pipe kills the group if we are killed.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from proof.binaries import SandboxError

STOP_SECONDS = 5


class Processes:
    """What was started, in order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]] = []

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start a process; its output goes to `<name>.log`."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        script = 'cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null'
        watchdog = subprocess.Popen(
            ["/bin/sh", "-c", script, "watchdog", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        self._running.append((name, process, watchdog))

    def check(self) -> None:
        """Raise SandboxError, with the end of its log, when a process has ended."""
        for name, process, _ in self._running:
            if process.poll() is not None:
                raise SandboxError(f"{name} ended with code {process.returncode}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a log."""
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Stop all, the last one first."""
        while self._running:
            _, process, watchdog = self._running.pop()
            _end(process, signal.SIGTERM)
            watchdog.kill()
            watchdog.wait()
            if watchdog.stdin:
                watchdog.stdin.close()


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process, signal.SIGKILL)
    except ProcessLookupError:
        process.wait()


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
