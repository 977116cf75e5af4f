"""One connection to a host that is asked directly: HTTP/1.1 by h11, one request at a time.

httpcore's, which goes to hosts behind proxies (transport.py), takes three locks for each request, since it may be asked
for several at once, and each of them lets all other tasks go first. The pool gives a connection to one request alone.
What goes wrong has httpcore's names here as well, so that faults are translated in one place.
"""

import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Final

import h11
import httpcore

_READ: Final = 1 << 16
"""Bytes that are read at a time."""

_LONGEST_HEAD: Final = 100 << 10
"""Bytes of the head of an answer, as with httpcore: blob stores behind content networks have been seen to send 50 KiB,
and what a host may have us keep has to have an end."""

_TLS_OVER: Final = "http/1.1"  # what is asked for within TLS (ALPN)


class Connection(httpcore.AsyncConnectionInterface):
    """It connects when it is first used. Not for several tasks at once."""

    def __init__(
        self,
        origin: httpcore.Origin,
        network: httpcore.AsyncNetworkBackend,
        context: ssl.SSLContext,
        idle_seconds: float,
    ) -> None:
        """`context`: for https. `idle_seconds`: for how long it may be idle and still be used again."""
        self._origin = origin
        self._network = network
        self._context = context
        self._idle_seconds = idle_seconds
        self._idle_until: float | None = None
        self._closed = False
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer, once its head is there. `timeout` of the request's extensions counts for the connection alone:
        who asks has a limit for the whole. Raises httpcore's exceptions, and what the network does; the connection has
        to be closed then."""
        if self._closed or (self._stream is not None and self._idle_until is None):
            raise httpcore.ConnectionNotAvailable
        self._idle_until = None
        stream = self._stream
        if stream is None:
            stream = self._stream = await self._connect(request.extensions.get("timeout", {}).get("connect"))
        sent = await self._as_sent(request)
        with suppress(httpcore.WriteError):  # who reads no more may have answered before
            await stream.write(sent)
        answer = await self._head(stream)
        told = {"http_version": b"HTTP/" + answer.http_version, "network_stream": stream}
        return httpcore.Response(
            answer.status_code, headers=answer.headers.raw_items(), content=_Body(self), extensions=told
        )

    async def _connect(self, seconds: float | None) -> httpcore.AsyncNetworkStream:
        host = self._origin.host.decode("ascii")
        stream = await self._network.connect_tcp(host, self._origin.port, seconds)
        if self._origin.scheme != b"https":
            return stream
        self._context.set_alpn_protocols([_TLS_OVER])
        return await stream.start_tls(self._context, host, seconds)

    async def _as_sent(self, request: httpcore.Request) -> bytes:
        """The whole of a request: those with a body have a few hundred bytes."""
        assert isinstance(request.stream, AsyncIterable)
        try:
            head = h11.Request(method=request.method, target=request.url.target, headers=request.headers)
            parts = [self._http.send(head)]
            parts += [self._http.send(h11.Data(data=chunk)) async for chunk in request.stream]
            parts.append(self._http.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(str(error)) from error
        return b"".join(parts)

    async def _head(self, stream: httpcore.AsyncNetworkStream) -> h11.Response | h11.InformationalResponse:
        """The head of the answer, behind those before it (1xx) but for 101, after which there is no HTTP."""
        while True:
            event = await self._event(stream)
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return event

    async def _event(self, stream: httpcore.AsyncNetworkStream) -> h11.Event | None:
        """What comes next; None where the connection is at its end, or speaks HTTP no more."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise httpcore.RemoteProtocolError(str(error)) from error
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            data = await stream.read(_READ)
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise httpcore.RemoteProtocolError("the host has closed the connection without an answer")
            self._http.receive_data(data)

    async def body(self) -> AsyncIterator[bytes]:
        """The parts of the answer's body as they come."""
        assert self._stream is not None
        while isinstance(event := await self._event(self._stream), h11.Data):
            yield bytes(event.data)

    async def answered(self) -> None:
        """Tells that nobody reads on. A connection whose answer was read to its end, and to its own end, can be used
        again: what has come behind it would be the answer to whatever is asked next, of whoever asks."""
        ended = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if ended and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self._idle_until = time.monotonic() + self._idle_seconds
        else:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        self._idle_until = None
        if self._stream is not None:
            await self._stream.aclose()

    def is_idle(self) -> bool:
        return self._idle_until is not None

    def is_available(self) -> bool:
        return self._idle_until is not None

    def has_expired(self) -> bool:
        """Whether it was idle for too long, or has something to be read: its end, or what nobody has asked for."""
        if self._idle_until is None or self._stream is None:
            return False
        return time.monotonic() > self._idle_until or bool(self._stream.get_extra_info("is_readable"))

    def is_closed(self) -> bool:
        return self._closed

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return origin == self._origin

    def info(self) -> str:
        return "closed" if self._closed else "idle" if self.is_idle() else "busy"


class _Body:
    """The body of an answer, as httpcore has it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body()

    async def aclose(self) -> None:
        """Ends it, read or not."""
        if not self._over:
            self._over = True
            await self._connection.answered()
