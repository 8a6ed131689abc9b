# SPDX-License-Identifier: Apache-2.0
"""Where on this machine an address of the cluster is, and connections from one to another.

Owns the rule. The API server refuses loopback addresses for endpoints, and programs can only listen on those that
the machine has: 10.a.b.c of the cluster is 127.a.b.c here. In a network namespace that has all of 10.0.0.0/8
(`proof.namespace`) an address is what it is.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

Place = tuple[str, int]
Choose = Callable[[], Place | None]
"""Returns where the next connection goes, None to refuse it."""


class Addresses:
    """Addresses of pods."""

    def __init__(self, *, is_namespace: bool = False) -> None:
        self._is_namespace = is_namespace
        self._next = 1

    def local(self, address: str) -> str:
        """Return where an address of the cluster is."""
        return address if self._is_namespace else f"127.{address.partition('.')[2]}"

    def take(self) -> str:
        """Return an address that no pod has had."""
        self._next += 1
        return f"10.8.{self._next // 250}.{self._next % 250 + 1}"


class Relay:
    """Listens on places of this machine and forwards each connection to where it is to go."""

    def __init__(self) -> None:
        self._listening: dict[Place, socket.socket] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self, place: Place, choose: Choose) -> None:
        """Listen on a place."""
        listener = socket.create_server(place, backlog=128)
        self._listening[place] = listener
        threading.Thread(target=self._accept, args=(listener, choose), name="relay", daemon=True).start()

    def shut(self, place: Place) -> None:
        """Listen no more; connections that are open stay."""
        listener = self._listening.pop(place, None)
        if listener is not None:
            _close(listener)

    def open_places(self) -> Sequence[Place]:
        """Return the places that are listened on."""
        return tuple(self._listening)

    def stop(self) -> None:
        """End everything."""
        for place in self.open_places():
            self.shut(place)
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, choose: Choose) -> None:
        with contextlib.suppress(OSError):  # it was shut
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._forward, args=(client, choose), name="relayed", daemon=True).start()

    def _forward(self, client: socket.socket, choose: Choose) -> None:
        place = choose()
        with client, contextlib.suppress(OSError):
            if place is None:
                return
            with socket.create_connection(place) as server:
                with self._lock:
                    self._open |= {client, server}
                back = threading.Thread(target=_copy, args=(server, client), name="relayed", daemon=True)
                back.start()
                _copy(client, server)
                back.join()
                with self._lock:
                    self._open -= {client, server}


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, and pass its end on."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _close(listener: socket.socket) -> None:
    # A thread that waits in accept() is woken by the shutdown only.
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
