"""A forward proxy on loopback, in a thread of its own: CONNECT and absolute URLs, to where it knows that names lead."""

import asyncio
import base64
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.listening import InThread


@dataclass(frozen=True)
class Through:
    """One request to the proxy: its method and target as they were sent, and who asked."""

    method: str
    target: str
    login: str


class ForwardProxy(InThread):
    """A context manager. `names`: the addresses of names, host:port to host:port. `users`: user:password pairs, where
    it lets in nobody else."""

    def __init__(
        self,
        names: dict[str, str],
        *,
        tls: ssl.SSLContext | None = None,
        users: tuple[str, ...] = (),
        listen: str = "127.0.0.1",
    ) -> None:
        super().__init__(listen, tls)
        self.log: list[Through] = []
        self.names = names
        self.users = users

    def url(self, login: str = "", host: str = "127.0.0.1") -> str:
        """What stands in HTTPS_PROXY."""
        return f"http{'s' if self._tls else ''}://{login}{'@' if login else ''}{host}:{self.port}"

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                await writer.drain()
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether there may be another on this connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers = [line.partition(":") for line in lines if line]
        said = next((value for name, _, value in headers if name.lower() == "proxy-authorization"), "").strip()
        login = base64.b64decode(said.removeprefix("Basic ")).decode() if said else ""
        self.log.append(Through(method, target, login))
        if self.users and login not in self.users:
            writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return True
        if method == "CONNECT":
            await self._tunnel(target, reader, writer)
            return False
        kept = [line for line in lines if not line.lower().startswith("proxy-authorization")]
        writer.write(await self._forwarded(target, [f"{method} {{}} {version}", *kept]))
        return True

    async def _open(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.names.get(name, "127.0.0.1:1").rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))

    async def _forwarded(self, target: str, lines: list[str]) -> bytes:
        """The answer to a request without a body, whose answer has a length."""
        parts = urlsplit(target)
        reader, writer = await self._open(parts.netloc if parts.port else f"{parts.netloc}:80")
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            writer.write("\r\n".join(lines).format(path).encode("latin-1"))
            head = await reader.readuntil(b"\r\n\r\n")
            length = (
                0 if lines[0].startswith("HEAD ") else int(head.lower().partition(b"content-length:")[2].split()[0])
            )
            return head + await reader.readexactly(length)
        finally:
            writer.transport.abort()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await self._open(target)
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        pumps = [asyncio.ensure_future(_pump(reader, back)), asyncio.ensure_future(_pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.transport.abort()  # before anything is waited for: the wait may be cancelled
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while (data := await reader.read(1 << 16)) and not writer.is_closing():
            writer.write(data)
            await writer.drain()
