# SPDX-License-Identifier: Apache-2.0
"""Probes and hooks of a container, asked as a kubelet asks them.

Owns one question of each kind. When it is asked, and what follows, is `proof.pods.kubelet`'s.
"""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from proof.api import Object
from proof.pods.container import Launch, port_number, remap

_SERVING = b"\x08\x01"
"""HealthCheckResponse with the status SERVING, as it is on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked."""

    container: Object
    address: str
    """On this machine."""
    launch: Launch


def ask(action: Object, target: Target, seconds: float) -> bool:
    """Return whether a probe's or a hook's action succeeds."""
    if "httpGet" in action:
        return _http(action["httpGet"], target, seconds)
    if "tcpSocket" in action:
        return _tcp(port_number(target.container, action["tcpSocket"]["port"]), target, seconds)
    if "grpc" in action:
        return _grpc(action["grpc"], target, seconds)
    if "exec" in action:
        return _execute(action["exec"]["command"], target, seconds)
    raise ValueError(f"a probe of an unknown kind: {', '.join(action)}")


def _http(action: Object, target: Target, seconds: float) -> bool:
    port = port_number(target.container, action["port"])
    if action.get("scheme") == "HTTPS":
        # A kubelet does not check the certificate either.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            target.address, port, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(target.address, port, timeout=seconds)
    headers = {each["name"]: each["value"] for each in action.get("httpHeaders", ())}
    try:
        connection.request("GET", action.get("path", "/"), headers={"User-Agent": "kube-probe/1.36"} | headers)
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tcp(port: int, target: Target, seconds: float) -> bool:
    try:
        socket.create_connection((target.address, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def _grpc(action: Object, target: Target, seconds: float) -> bool:
    service = action.get("service", "").encode()
    question = b"\x0a" + bytes([len(service)]) + service if service else b""
    with grpc.insecure_channel(f"{target.address}:{action['port']}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bytes(check(question, timeout=seconds)) == _SERVING
        except grpc.RpcError:
            return False


def _execute(command: Sequence[str], target: Target, seconds: float) -> bool:
    words = ["/usr/bin/env", *(remap(word, target.launch.mounts) for word in command)]
    try:
        done = subprocess.run(
            words, env=dict(target.launch.environment), capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
