"""A registry that takes a given time for each answer, and next to none of its own.

The storm is measured against round trips to a registry at 50 ms. What the tests' registry adds when 64 ask at once (5
to 10 ms on a quiet machine) would count as podgate's; this one answers the same from the same, by a protocol instead of
streams, on a core that podgate has no part in, and is never early.
"""

import asyncio
import time
import urllib.parse
from typing import Final, Self, cast

import uvloop

from tests.bench.machine import pinned
from tests.support.registry import Asked, Registry, encoded

BACKLOG: Final = 512
_LEAST: Final = 0.001
"""Seconds: the shortest that uvloop's timers know."""


class PromptRegistry(Registry):
    """A context manager. `delay`: seconds from when a request was read until it is answered, never less. `core`: where
    it runs. It knows no faults."""

    def __init__(self, delay: float, core: int) -> None:
        super().__init__()
        self._loop.close()
        self._loop = uvloop.new_event_loop()
        self.delay = delay
        self._core = core
        self._connections: set[_Connection] = set()

    def __enter__(self) -> Self:
        with pinned(self._core):
            return super().__enter__()

    async def _serve(self) -> None:
        server = await self._loop.create_server(lambda: _Connection(self), self._host, 0, backlog=BACKLOG)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self._connections):
            connection.abort()

    def begun(self, connection: "_Connection") -> None:
        """Notes a connection."""
        self._connections.add(connection)

    def ended(self, connection: "_Connection") -> None:
        """Forgets it."""
        self._connections.discard(connection)

    def answer(self, asked: Asked) -> bytes:
        """Notes a request; what is to be sent for it."""
        self.log.append(asked)
        return encoded(self._normal(asked), asked.method)


class _Connection(asyncio.Protocol):
    """One request after the other, without bodies: podgate asks for documents and tokens by GET."""

    def __init__(self, registry: PromptRegistry) -> None:
        self._registry = registry
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own says so by its methods alone
        self._transport.set_write_buffer_limits(0)  # uvloop sends at once then, not when it has nothing else to do
        self._registry.begun(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.ended(self)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        read = time.monotonic()
        head, end, self._unread = (self._unread + data).partition(b"\r\n\r\n")
        if not end:
            self._unread = head
            return
        self._answer(read + self._registry.delay, self._registry.answer(_asked(head, read)))

    def _answer(self, due: float, answer: bytes) -> None:
        """At its time: timers count from when the event loop last looked at the clock, which may be too soon."""
        left = due - time.monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(max(left, _LEAST), self._answer, due, answer)
            return
        if not self._transport.is_closing():
            self._transport.write(answer)


def _asked(head: bytes, read: float) -> Asked:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    assert method in ("GET", "HEAD")
    path, _, query = target.partition("?")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(method, urllib.parse.unquote(path), urllib.parse.parse_qs(query), headers, read)
