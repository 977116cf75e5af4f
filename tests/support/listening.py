"""Accepting connections so that at the end none is left, not even one that is still within its TLS handshake.

asyncio's own servers do not know of those, and leave a connection to itself that is being closed.
"""

import asyncio
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Gives each connection to `connection`, and closes it when that is done. For one event loop."""

    def __init__(self, connection: Connection, tls: ssl.SSLContext | None = None) -> None:
        self._connection = connection
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, host: str) -> int:
        """Listens on a free port of an address; which one."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, 0), family=family, backlog=512)
        self._socket.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())
        port: int = self._socket.getsockname()[1]
        return port

    async def close(self) -> None:
        """Breaks off what there is."""
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._socket.close()
        for _ in range(5):  # for what was aborted to be closed
            await asyncio.sleep(0)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(self._socket)
            task = loop.create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.Transport | None = None
        try:
            with suppress(OSError):  # a handshake that fails, a client that has gone
                transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls)
                writer = asyncio.StreamWriter(transport, protocol, reader, loop)
                await self._connection(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            if transport is None:
                accepted.close()
            else:
                transport.abort()


def unless_twice_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The exception handler of a server that floods: all goes to the usual one but what is asyncio's own fault.

    Where its TLS goes on writing as soon as there is room again, and the client has reset the connection just then,
    asyncio (CPython's selector_events.py, `_write_ready`) loses the connection at once and once more in a callback,
    which finds nothing left. The client, podgate, has no part in it: it writes nothing at such a moment.
    """
    twice = "._call_connection_lost(" in context["message"] and isinstance(context.get("exception"), AttributeError)
    if not twice:
        loop.default_exception_handler(context)


class InThread(ABC):
    """A server in a thread and an event loop of its own, a context manager. `port` is where it listens on `host`."""

    def __init__(self, host: str, tls: ssl.SSLContext | None) -> None:
        self.port = 0
        self._host = host
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @abstractmethod
    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end."""

    def _run(self) -> None:
        self._loop.set_exception_handler(unless_twice_lost)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        listener = Listener(self._connection, self._tls)
        self.port = await listener.open(self._host)
        self._ready.set()
        await self._stop.wait()
        await listener.close()
