# SPDX-License-Identifier: Apache-2.0
"""One end of connections: listens on ports, and connects to where each line of its input says.

Runs in a network namespace of its own, with nothing but the standard library. The first line of the input has its
addresses and ports; each further line is a list of `{"source", "target", "port", "protocol"}`, and is answered with
a list of whether each was answered.
"""

import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SECONDS = 2.0
"""For a connection that nobody refuses."""


def _listen(port: int) -> None:
    listener = socket.create_server(("0.0.0.0", port), backlog=256)  # noqa: S104  its own namespace
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"here")
        connection.close()


def _answer(port: int) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", port))  # noqa: S104  its own namespace
    # From the address that was asked: a client takes no other's answer.
    listener.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
    while True:
        _, extra, _, sender = listener.recvmsg(64, 64)
        asked = extra[0][2][8:12]
        listener.sendmsg([b"here"], [(socket.IPPROTO_IP, _PKTINFO, bytes(4) + asked + bytes(4))], 0, sender)


_PKTINFO = 8  # IP_PKTINFO of Linux


def _ask(attempt: dict[str, Any]) -> bool:
    kind = socket.SOCK_DGRAM if attempt["protocol"] == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as asking:
        asking.settimeout(SECONDS)
        try:
            asking.bind((attempt["source"], 0))
            asking.connect((attempt["target"], attempt["port"]))
            if kind is socket.SOCK_DGRAM:
                asking.send(b"?")
            return asking.recv(4) == b"here"
        except OSError:
            return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    told = json.loads(sys.stdin.readline())
    for port in told["tcp"]:
        threading.Thread(target=_listen, args=(port,), daemon=True).start()
    for port in told["udp"]:
        threading.Thread(target=_answer, args=(port,), daemon=True).start()
    _say("ready")
    with ThreadPoolExecutor(32) as pool:
        for line in sys.stdin:
            _say(json.dumps(list(pool.map(_ask, json.loads(line)))))


if __name__ == "__main__":
    main()
