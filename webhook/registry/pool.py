"""Connections that are used again.

httpcore's own pool looks at each of its connections, by a system call for those that are idle, whenever a request
begins or ends; with 64 of them that takes four times as long as all the rest of a request. Here connections are kept by
origin, and only the one that is to be used again is looked at. How they are made, used and closed is httpcore's.

One whose first request brings no answer is closed at once: a tunnel through a proxy whose TLS handshake fails, or is
given up, would still wait for the end of the answer to CONNECT, and count as busy for ever.
"""

import sys
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Callable
from importlib.util import find_spec

import httpcore
import httpx

# With each lock that it makes httpcore tries to import this, to learn whether asyncio is what it runs under, and Python
# looks for what is not there through all folders each time: a tenth of a request's time. This says once that it is not.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # what Python itself puts there for this purpose

Connect = Callable[[httpcore.Origin], httpcore.AsyncConnectionInterface]
"""Makes a connection for an origin; it connects when it is first used."""


class Pool:
    """For one event loop. Connections know themselves for how long they may be idle."""

    def __init__(self, connect: Connect, most_idle: int) -> None:
        """`most_idle`: connections that are kept although nobody uses them now."""
        self._connect = connect
        self._most_idle = most_idle
        self._busy: set[httpcore.AsyncConnectionInterface] = set()
        # By the time since when they are idle, and for each origin the same.
        self._idle: OrderedDict[httpcore.AsyncConnectionInterface, bytes] = OrderedDict()
        self._by_origin: dict[bytes, list[httpcore.AsyncConnectionInterface]] = {}

    @property
    def connections(self) -> list[httpcore.AsyncConnectionInterface]:
        """All that there are."""
        return [*self._busy, *self._idle]

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer; its stream has to be closed. Raises httpcore's exceptions, and what the network backend does.

        A server may close an idle connection at the moment at which it is used again: that says nothing about the
        server, so a request that got no answer on an old connection is sent once more, as Go does it.
        """
        origin = request.url.origin
        name = bytes(request.url.scheme) + b" %b %d" % (origin.host, origin.port)
        once_more = request.method in (b"GET", b"HEAD")
        while True:
            old = await self._idle_one(name)
            connection = old or self._connect(origin)
            self._busy.add(connection)
            try:
                answer = await connection.handle_async_request(request)
            except httpcore.ConnectionNotAvailable:
                await self._close(connection)  # it was closed in the moment before
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                await self._close(connection)
                if old is None or not once_more:
                    raise
                once_more = False
            except BaseException:  # a cancelled one above all
                await self._close(connection)
                raise
            else:
                assert isinstance(answer.stream, AsyncIterable)
                answer.stream = _Stream(answer.stream, self, connection, name)
                return answer

    async def aclose(self) -> None:
        """Closes all connections."""
        for connection in self.connections:
            await self._close(connection)

    async def _idle_one(self, name: bytes) -> httpcore.AsyncConnectionInterface | None:
        """The connection to an origin that was used last, if it still stands; None where there is none."""
        there = self._by_origin.get(name, [])
        while there:
            connection = self._taken(there[-1])
            if connection.is_available() and not connection.has_expired():
                return connection
            await self._close(connection)
        return None

    def _taken(self, connection: httpcore.AsyncConnectionInterface) -> httpcore.AsyncConnectionInterface:
        """An idle connection that is idle no more."""
        name = self._idle.pop(connection)
        there = self._by_origin[name]
        there.remove(connection)
        if not there:
            del self._by_origin[name]
        return connection

    async def give_back(self, connection: httpcore.AsyncConnectionInterface, name: bytes) -> None:
        """After an answer: keeps a connection that can be used again, and closes it where not, and those that have been
        idle for too long, or are too many."""
        if connection not in self._busy:
            return
        if not connection.is_idle():
            await self._close(connection)
            return
        self._busy.discard(connection)
        self._idle[connection] = name
        self._by_origin.setdefault(name, []).append(connection)
        # Others go on while one is being closed.
        while (oldest := next(iter(self._idle), None)) is not None and self._has_to_go(oldest, connection):
            await self._close(oldest)

    def _has_to_go(self, oldest: httpcore.AsyncConnectionInterface, newest: httpcore.AsyncConnectionInterface) -> bool:
        return len(self._idle) > self._most_idle or (oldest is not newest and oldest.has_expired())

    async def _close(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._taken(connection)
        await connection.aclose()


class _Stream(httpx.AsyncByteStream):
    """The body of an answer, which gives its connection back."""

    def __init__(
        self, parts: AsyncIterable[bytes], pool: Pool, connection: httpcore.AsyncConnectionInterface, name: bytes
    ) -> None:
        self._parts = parts
        self._pool = pool
        self._connection = connection
        self._name = name

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._parts:
                yield part
        except BaseException:  # a cancelled one above all
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Ends the answer, read or not."""
        try:
            close = getattr(self._parts, "aclose", None)  # httpcore's streams have it, its type does not say so
            if close is not None:
                await close()
        finally:
            await self._pool.give_back(self._connection, self._name)
