# SPDX-License-Identifier: Apache-2.0
"""Local processes that stop when this process does, however it ends.

Owns starting and stopping. Each process has its own group, so that Ctrl-C reaches only us and we stop the others in
order; a watchdog that holds the other end of a pipe kills the group if we are killed.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from proof.binaries import SandboxError

STOP_SECONDS = 5


class Child:
    """One process in a group of its own; a watchdog kills the group when we are gone."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str], folder: Path | None = None
    ) -> None:
        """Start it.

        Args:
            command: program and arguments.
            log: file that its output is appended to.
            environment: all of it.
            folder: working folder; ours by default.
        """
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        script = 'cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null'
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", script, "watchdog", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; after a signal it is negative."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, as a container runtime does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self) -> None:
        """Kill what is left of the group, and the watchdog."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._watchdog.kill()
        self._watchdog.wait()
        if self._watchdog.stdin:
            self._watchdog.stdin.close()

    def stop(self, seconds: float) -> None:
        """End it: a request to the group first, then by force."""
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(seconds)
        self.close()


class Processes:
    """What was started, in order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, Child]] = []

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start a process; its output goes to `<name>.log`."""
        log = self._logs / f"{name}.log"
        log.unlink(missing_ok=True)
        self._running.append((name, Child(command, log, {**os.environ, **(environment or {})})))

    def check(self) -> None:
        """Raise SandboxError, with the end of its log, when a process has ended."""
        for name, child in self._running:
            code = child.poll()
            if code is not None:
                raise SandboxError(f"{name} ended with code {code}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a log."""
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Stop all, the last one first."""
        while self._running:
            _, child = self._running.pop()
            child.stop(STOP_SECONDS)


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
