"""Connections over asyncio's own transports, in the clear and by TLS.

httpcore's own are anyio's. Each read and write of those enters a scope of its own for the time that it may take, and
lets all other tasks go first, twice: where many requests begin at once none of them is sent before nearly all have been
made, and that alone took a quarter of a request's time. Here a read waits where there is nothing to be read, and a
write where the system takes no more.
"""

import asyncio
import select
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar, cast

import httpcore

T = TypeVar("T")

_ENOUGH: Final = 1 << 14
"""Bytes that nobody has read yet, from which on no more are taken from the system: whoever names the registries must
not fill the memory with what waits. One more read of the event loop's, 256 KiB at most, may be on top."""

_RECORDS: Final = 1 << 16
"""Bytes that are read at a time for TLS, whose records have 16 KiB."""


async def connect(
    address: str,
    port: int,
    seconds: float | None,
    local_address: str | None,
    options: Iterable[httpcore.SOCKET_OPTION],
) -> "TcpStream":
    """A connection to a literal address, within so many seconds, None: however long it takes. Raises httpcore's
    ConnectError and ConnectTimeout."""
    loop = asyncio.get_running_loop()
    ours = None if local_address is None else (local_address, 0)
    try:
        async with asyncio.timeout(seconds):
            _, stream = await loop.create_connection(TcpStream, address, port, local_addr=ours)
    except TimeoutError as error:  # the system's own as well
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    for option in options:
        stream.get_extra_info("socket").setsockopt(*option)
    return stream


class _Stream(httpcore.AsyncNetworkStream):
    """What both kinds have in common."""

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """The same connection by TLS, closed where that fails; TLS within TLS where it leads through a proxy that is
        itself asked by TLS."""
        return await secured(self, ssl_context, server_hostname, timeout)


class TcpStream(asyncio.Protocol, _Stream):
    """A connection in the clear. One task reads or writes at a time."""

    def __init__(self) -> None:
        self._transport = cast("asyncio.Transport", None)  # there from connection_made on
        self._unread = bytearray()
        self._over = False
        self._error: Exception | None = None
        self._paused = self._full = self._closed = False
        self._news: asyncio.Future[None] | None = None

    # what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)  # what is written is sent at once, or waited for

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) >= _ENOUGH and not (self._paused or self._transport.is_closing()):
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._over = True
        self._wake()
        return True  # what there is to be sent may still be

    def connection_lost(self, exc: Exception | None) -> None:
        self._over, self._error, self._full = True, exc, False
        self._wake()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _next(self) -> None:
        """Waits until the event loop has something to tell."""
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    # what httpcore asks for

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's
        """Up to so many bytes, none where the other side has ended. Raises httpcore's ReadError and ReadTimeout."""
        if not (self._unread or self._over or self._closed):
            await _in_time(self._readable(), timeout, httpcore.ReadTimeout)
        if self._unread:
            return self._taken(max_bytes)
        if self._error is not None or self._closed:
            raise httpcore.ReadError(str(self._error or "it was closed")) from self._error
        return b""

    async def _readable(self) -> None:
        while not (self._unread or self._over or self._closed):
            await self._next()

    def _taken(self, most: int) -> bytes:
        data = bytes(self._unread[:most])
        del self._unread[:most]
        if self._paused and len(self._unread) < _ENOUGH and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- httpcore's
        """Returns when the system has taken all. Raises httpcore's WriteError and WriteTimeout."""
        if not buffer:
            return
        self._still_there()
        self._transport.write(buffer)
        if self._full:
            await _in_time(self._writable(), timeout, httpcore.WriteTimeout)
            self._still_there()

    async def _writable(self) -> None:
        while self._full:
            await self._next()

    def _still_there(self) -> None:
        if self._error is not None or self._closed or self._transport.is_closing():
            raise httpcore.WriteError(str(self._error or "it was closed")) from self._error

    async def aclose(self) -> None:
        """Closes it, without waiting for what has not been sent."""
        if self._closed:
            return
        self._closed = True
        self._wake()
        # Not close() first: where that sends the rest meanwhile, asyncio's abort() then fails, for it has nothing left.
        self._transport.abort()
        await asyncio.sleep(0)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 -- the interface is httpcore's
        """server_addr, client_addr, socket, and is_readable: whether there is something to read, if only the end."""
        if info == "is_readable":
            return bool(self._unread) or self._over or self._transport.is_closing() or self._has_more()
        name = {"server_addr": "peername", "client_addr": "sockname", "socket": "socket"}.get(info)
        return None if name is None else self._transport.get_extra_info(name)

    def _has_more(self) -> bool:
        """Whether the system has something that the event loop has not yet heard of."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))


class TlsStream(_Stream):
    """A connection by TLS over another one. It may end without TLS's own end, as many servers do it: HTTP says how long
    an answer is, and digests are compared."""

    def __init__(self, below: httpcore.AsyncNetworkStream, context: ssl.SSLContext, name: str | None) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def handshake(self) -> None:
        """Raises ssl.SSLError, and what the connection below does."""
        await self._drive(self._tls.do_handshake)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's
        """Up to so many bytes, none where the other side has ended. Raises ssl.SSLError, httpcore's ReadError and
        ReadTimeout."""
        try:
            return await _in_time(self._drive(partial(self._tls.read, max_bytes)), timeout, httpcore.ReadTimeout)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- httpcore's
        """Returns when the system has taken all. Raises ssl.SSLError, httpcore's WriteError and WriteTimeout."""
        await _in_time(self._written(memoryview(buffer)), timeout, httpcore.WriteTimeout)

    async def _written(self, left: memoryview) -> None:
        while left:
            left = left[await self._drive(partial(self._tls.write, left)) :]

    async def _drive(self, step: Callable[[], T]) -> T:
        """One step of TLS's, with what has to be sent and received for it."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                wanting = True
            else:
                wanting = False
            if self._outgoing.pending:
                await self._below.write(self._outgoing.read())
            if not wanting:
                return result
            received = await self._below.read(_RECORDS)
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()

    async def aclose(self) -> None:
        """Closes it, without TLS's own end."""
        await self._below.aclose()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 -- the interface is httpcore's
        """As of the connection below, and ssl_object; what was received and not yet decrypted is there to be read."""
        if info == "ssl_object":
            return self._tls
        waits = info == "is_readable" and bool(self._tls.pending() or self._incoming.pending)
        return waits or self._below.get_extra_info(info)


async def secured(
    stream: httpcore.AsyncNetworkStream, context: ssl.SSLContext, name: str | None, seconds: float | None
) -> TlsStream:
    """TLS over a connection, which is closed where it fails. Raises httpcore's ConnectError and ConnectTimeout."""
    try:
        made = TlsStream(stream, context, name)
        await _in_time(made.handshake(), seconds, httpcore.ConnectTimeout)
    except (ssl.SSLError, httpcore.ReadError, httpcore.WriteError) as error:
        await stream.aclose()
        raise httpcore.ConnectError(str(error)) from error
    except BaseException:  # a cancelled one above all
        await stream.aclose()
        raise
    return made


async def _in_time(work: Awaitable[T], seconds: float | None, late: type[httpcore.TimeoutException]) -> T:
    """What may take so many seconds, None: however long it takes. Raises `late`."""
    if seconds is None:
        return await work
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise late(str(error)) from error
