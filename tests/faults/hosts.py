"""Registries that fail below HTTP too: at the door, in the TLS handshake, and in the midst of an answer.

Each counts what it holds open, so that a test can see whether its clients have let go.
"""

import asyncio
import re
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Literal

from tests.support.listening import Listener
from tests.support.registry import Asked, Fault, Registry

REFUSING = "127.0.0.2"
"""An address of this machine at which nobody listens on the registries' ports."""
MUTE = "127.0.0.3"
"""One at which somebody listens and takes no connection: what a client sends to begin with gets no answer."""
FORBIDDEN = "127.0.0.66"
"""One that settings do not allow. Somebody listens there, and must not be connected to."""

_DRIP_SECONDS = 0.05  # from byte to byte: none of the answers comes to its end within a review


@dataclass(frozen=True)
class Sick:
    """What a registry has. Nothing of it: it is well.

    door: what becomes of a connection that has just been accepted; `plain` is an answer in HTTP without TLS, the one in
    the handshake comes after the client's first message. tls: instead of its own. ends: how the answer breaks off, or
    that it comes `drip` by drip or without end; after: where that begins. faults: what HTTP can say; `{host}` and
    `{port}` in headers and redirects are those that were asked, `{in 5}` is the date in 5 seconds.
    """

    door: Literal["", "close", "reset", "mute", "reset in handshake", "plain"] = ""
    tls: ssl.SSLContext | None = None
    ends: Literal["", "close", "reset", "mute", "drip", "endless"] = ""
    after: Literal["request", "headers", "body"] = "request"
    faults: tuple[Fault, ...] = ()


WELL = Sick()


class _Cut(ConnectionError):
    """The answer has ended, and the connection with it."""


class SickRegistry(Registry):
    """A registry with TLS that can be made ill and well again while it runs.

    `open`: its connections. `busy`: those in which it is in the midst of something: a handshake, or an answer.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(tls=tls)
        self.sick = WELL
        self.open = 0
        self.busy = 0
        self._elsewhere: list[socket.socket] = []

    def make(self, sick: Sick) -> None:
        """Makes it ill, or well, and breaks off all connections, as a restart does: what is to come begins anew."""
        self.sick = sick
        self._loop.call_soon_threadsafe(self._break_off)

    def _break_off(self) -> None:
        for task in tuple(self._listener.tasks):
            task.cancel()

    @property
    def trespassers(self) -> int:
        """Connections to FORBIDDEN."""
        found = 0
        with suppress(BlockingIOError):
            while True:
                self._elsewhere[0].accept()[0].close()
                found += 1
        return found

    async def _serve(self) -> None:
        self._listener = _Door(self, self._tls)
        self.port = await self._listener.open(self._host)
        forbidden, mute, waiting = (closing(socket.socket()) for _ in range(3))
        with forbidden as trap, mute as full, waiting as first:
            trap.bind((FORBIDDEN, self.port))
            trap.listen(64)
            full.bind((MUTE, self.port))
            full.listen(0)
            first.connect((MUTE, self.port))  # the one that may wait: to further ones the kernel says nothing
            trap.setblocking(False)
            self._elsewhere = [trap]
            self._ready.set()
            await self._stop.wait()
            await self._listener.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        host = asked.headers.get("host", "")
        self.faults = [_of(fault, host) for fault in self.sick.faults]
        self.busy += 1
        try:
            return await super()._answer(asked, writer)
        except _Cut:
            return False
        finally:
            self.busy -= 1

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        sick = self.sick
        if not sick.ends:
            await super()._write(writer, data)
            return
        head, gap, body = data.partition(b"\r\n\r\n")
        if sick.after == "body" and not body:
            await super()._write(writer, data)  # a HEAD's answer has none to break off in
            return
        begun = {"request": b"", "headers": head[: len(head) // 2], "body": head + gap + body[: len(body) // 2]}
        sent = begun[sick.after]
        await super()._write(writer, sent)
        if sick.ends == "drip":
            await self._drip(writer, data[len(sent) :])
        elif sick.ends == "endless":
            await self._without_end(writer, b"HTTP/1.1 100 Continue\r\n\r\n" if sick.after == "request" else None)
        elif sick.ends == "mute":
            await _gone(writer)
        elif sick.ends == "reset":
            _reset(writer.get_extra_info("socket"))
            writer.transport.abort()
        raise _Cut

    async def _drip(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for byte in data:
            await super()._write(writer, bytes([byte]))
            await asyncio.sleep(_DRIP_SECONDS)

    async def _without_end(self, writer: asyncio.StreamWriter, again: bytes | None) -> None:
        """The same lines over and over; None: headers, each of another name."""
        number = 0
        while not writer.is_closing():
            lines = again * 100 if again else b"".join(b"\r\nX-%d: x" % (number + more) for more in range(100))
            number += 100
            await super()._write(writer, lines)
            await asyncio.sleep(0)


class _Door(Listener):
    """Where a sick registry takes connections."""

    def __init__(self, registry: SickRegistry, tls: ssl.SSLContext | None) -> None:
        super().__init__(self._in, tls)
        self._registry = registry
        self._own = tls

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Those of the connections that there are."""
        return tuple(self._tasks)

    async def _in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The handshake is over."""
        self._registry.busy -= 1
        try:
            await self._registry._connection(reader, writer)
        finally:
            self._registry.busy += 1

    async def _serve(self, accepted: socket.socket) -> None:
        sick = self._registry.sick
        self._registry.open += 1
        self._registry.busy += 1
        try:
            if sick.door:
                with suppress(OSError), closing(accepted):
                    await _meet(accepted, sick.door)
            else:
                self._tls = sick.tls or self._own
                await super()._serve(accepted)
        finally:
            self._registry.busy -= 1
            self._registry.open -= 1


async def _meet(accepted: socket.socket, how: str) -> None:
    """What happens to a client at the door."""
    loop = asyncio.get_running_loop()
    if how == "reset":
        _reset(accepted)
        return
    if how == "close":
        accepted.shutdown(socket.SHUT_WR)
    else:
        await loop.sock_recv(accepted, 1 << 16)
    if how == "reset in handshake":
        _reset(accepted)
        return
    if how == "plain":
        await loop.sock_sendall(accepted, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        accepted.shutdown(socket.SHUT_WR)
    while await loop.sock_recv(accepted, 1 << 16):  # until the client goes
        pass


def _reset(connection: socket.socket) -> None:
    """From now on closing it is a reset (SO_LINGER without time)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _gone(writer: asyncio.StreamWriter) -> None:
    """Waits until the client has closed the connection."""
    while not writer.is_closing():  # noqa: ASYNC110 -- a stream has no event for it
        await asyncio.sleep(0.02)


def _of(fault: Fault, host: str) -> Fault:
    """A fault as it is for a host:port, now."""

    def filled(text: str) -> str:
        text = text.replace("{host}", host).replace("{port}", host.rpartition(":")[2])
        return re.sub(r"\{in (\d+)\}", lambda found: formatdate(time.time() + int(found[1]), usegmt=True), text)

    headers = [(name, filled(value)) for name, value in fault.headers]
    return replace(fault, headers=headers, redirect=None if fault.redirect is None else filled(fault.redirect))
