"""A relay on loopback that counts: connections that were made to it, those still open, and bytes that came by them."""

import asyncio
from contextlib import suppress
from typing import Self

from tests.support.listening import Listener


class Relay:
    """An async context manager, in the test's own loop. `address`: where it leads to, host:port; empty: it reads and
    says nothing. Where the other side ends the client is told, and its connection counts until it closes it."""

    def __init__(self, address: str = "") -> None:
        self.made = 0
        self.open = 0
        self.heard = 0
        self.port = 0
        self._address = address
        self._listener = Listener(self._connection)

    async def __aenter__(self) -> Self:
        self.port = await self._listener.open("127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listener.close()

    async def all_closed(self) -> bool:
        """Whether every connection is closed by who made it, soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while self.open:  # noqa: ASYNC110 -- a connection's end is seen when it is read
                    await asyncio.sleep(0.002)
        return self.made > 0 and not self.open

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the client has closed its side: what the other side does ends nothing here."""
        self.made += 1
        self.open += 1
        back = None
        answers: asyncio.Task[None] | None = None
        try:
            with suppress(OSError):
                if self._address:
                    host, _, port = self._address.rpartition(":")
                    there, back = await asyncio.open_connection(host, int(port))
                    answers = asyncio.ensure_future(_answers(there, writer))
                await self._listen(reader, back)
        finally:
            self.open -= 1
            if back is not None:
                back.transport.abort()
            if answers is not None:
                answers.cancel()

    async def _listen(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter | None) -> None:
        while data := await reader.read(1 << 16):
            self.heard += len(data)
            if back is not None and not back.is_closing():
                back.write(data)


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To its end, of which the client is told."""
    with suppress(OSError):
        while (data := await reader.read(1 << 16)) and not writer.is_closing():
            writer.write(data)
            await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()
