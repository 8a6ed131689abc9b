# SPDX-License-Identifier: Apache-2.0
"""Where on this machine an address of the cluster is, and connections from one to another.

Owns the rule. The API server refuses loopback addresses for endpoints, and programs can only listen on those that
the machine has: 10.a.b.c of the cluster is 127.a.b.c here. In a network namespace that has all of 10.0.0.0/8
(`proof.namespace`) an address is what it is.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

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
    """Listens on places of the loopback and forwards each connection to where it is to go."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[Place, asyncio.Server] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def open(self, place: Place, choose: Choose) -> None:
        """Listen on a place."""

        async def serve() -> asyncio.Server:
            return await asyncio.start_server(lambda reader, writer: _forward(reader, writer, choose), *place)

        self._servers[place] = self._run(serve())

    def shut(self, place: Place) -> None:
        """Listen no more; connections that are open stay."""
        server = self._servers.pop(place, None)
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)

    def open_places(self) -> Sequence[Place]:
        """Return the places that are listened on."""
        return tuple(self._servers)

    def stop(self) -> None:
        """End everything."""

        async def end() -> None:
            for server in self._servers.values():
                server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.1)  # in which the transports close

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, choose: Choose) -> None:
    back: asyncio.StreamWriter | None = None
    try:
        place = choose()
        if place is not None:
            there, back = await asyncio.open_connection(*place)
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
    except OSError:
        pass
    finally:
        for each in (writer, back):
            if each is not None:
                each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
