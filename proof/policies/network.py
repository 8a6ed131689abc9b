# SPDX-License-Identifier: Apache-2.0
"""Pods as namespaces of this machine's network, each a link away from one router, on which kube-router runs.

Owns links, addresses and routes. The router is the namespace that the caller is in (`proof.namespace`); each pod is
a process in a namespace of its own, which ends with it.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proof.binaries import SandboxError
from proof.policies import agent

GATEWAY = "169.254.1.1"
"""The router, as every end sees it."""


class Ends:
    """The ends of connections; use it as a context, so that they stop."""

    def __init__(self, tcp: Sequence[int], udp: Sequence[int]) -> None:
        self._ports = {"tcp": list(tcp), "udp": list(udp)}
        self._running: list[subprocess.Popen[str]] = []
        self._of: dict[str, subprocess.Popen[str]] = {}
        # A refusal is an ICMP message, which the kernel sends an end once a second only.
        for name, value in (("ip_forward", 1), ("icmp_ratelimit", 0), ("icmp_msgs_per_sec", 1_000_000)):
            setting = Path("/proc/sys/net/ipv4") / name
            if setting.exists():
                setting.write_text(str(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._running:
            child.kill()
        for child in self._running:
            with contextlib.suppress(OSError):  # the pipe of one that ended by itself
                child.communicate()

    def add(self, addresses: Sequence[str]) -> None:
        """Start an end with addresses of its own: a pod, or all that is outside of the cluster."""
        command = ["unshare", "--net", "--", sys.executable, "-I", str(Path(agent.__file__))]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._running.append(child)
        self._wait_for_namespace(child)
        near = f"end{len(self._running)}"
        _ip(f"link add {near} type veth peer name eth0 netns {child.pid}")
        _ip(f"link set {near} up")
        _ip(f"address add {GATEWAY}/32 dev {near}")
        for address in addresses:
            _ip(f"route add {address} dev {near}")
            _ip(f"address add {address}/32 dev eth0", child.pid)
            self._of[address] = child
        for words in (
            "link set lo up",
            "link set eth0 up",
            f"route add {GATEWAY} dev eth0",
            f"route add default via {GATEWAY} dev eth0",
        ):
            _ip(words, child.pid)
        self._tell(child, self._ports)
        if self._line(child) != "ready":
            raise SandboxError(f"the end with {addresses[0]} did not start")

    def reach(self, attempts: Iterable[Mapping[str, Any]]) -> list[bool]:
        """Return, in order, whether each attempt (source, target, port, protocol) is answered."""
        asked = list(attempts)
        by_end: dict[int, list[int]] = {}
        for number, each in enumerate(asked):
            by_end.setdefault(id(self._of[each["source"]]), []).append(number)
        groups = [(self._of[asked[numbers[0]]["source"]], numbers) for numbers in by_end.values()]
        for child, numbers in groups:
            self._tell(child, [dict(asked[number]) for number in numbers])
        found = [False] * len(asked)
        for child, numbers in groups:
            for number, answered in zip(numbers, json.loads(self._line(child)), strict=True):
                found[number] = answered
        return found

    def _wait_for_namespace(self, child: subprocess.Popen[str]) -> None:
        own = Path("/proc/thread-self/ns/net").readlink()
        theirs = Path(f"/proc/{child.pid}/ns/net")
        while theirs.readlink() == own:
            if child.poll() is not None:
                raise SandboxError("an end of the network did not start")

    def _tell(self, child: subprocess.Popen[str], value: object) -> None:
        if child.stdin is None:
            raise SandboxError("an end of the network has no input")
        child.stdin.write(f"{json.dumps(value)}\n")
        child.stdin.flush()

    def _line(self, child: subprocess.Popen[str]) -> str:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise SandboxError("an end of the network ended")
        return line.strip()


def _ip(words: str, process: int | None = None) -> None:
    within = ["nsenter", "--target", str(process), "--net"] if process else []
    done = subprocess.run([*within, "ip", *words.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(f"`ip {words}`: {done.stderr.strip()}")
