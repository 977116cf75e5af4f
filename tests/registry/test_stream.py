"""Connections hold little that nobody reads, wait for who does not read, and end as TLS and TCP end, on both event
loops that podgate runs on."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import pytest
import uvloop

from tests.registry.conftest import server_tls
from webhook.registry.stream import TcpStream, connect

SIZE = 4 << 20
MOST_UNREAD = (1 << 14) + (1 << 18)

Run = Callable[[Coroutine[object, object, None]], None]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def runs(work: Coroutine[object, object, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(work)

    return runs


@asynccontextmanager
async def connected(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[TcpStream]:
    """A connection to a server that does this."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    stream = await connect("127.0.0.1", server.sockets[0].getsockname()[1], 5.0, None, ())
    try:
        yield stream
    finally:
        await stream.aclose()
        server.close()


async def all_of(stream: httpcore.AsyncNetworkStream) -> bytes:
    parts = []
    while part := await stream.read(1 << 16):
        parts.append(part)
    return b"".join(parts)


async def says_much(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(SIZE))
    await writer.drain()
    writer.close()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def hears_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.sleep(30)
    finally:
        writer.transport.abort()


def test_what_nobody_reads_stays_with_the_system_until_it_is_read(run: Run):
    async def reads() -> None:
        async with connected(says_much) as stream:
            begun = await stream.read(10)
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert len(stream._unread) <= MOST_UNREAD
            assert begun + await all_of(stream) == bytes(SIZE)
            assert await stream.read(10) == b""

    run(reads())


def test_who_is_not_read_waits_for_so_long_as_he_says(run: Run):
    async def writes() -> None:
        async with connected(hears_nothing) as stream:
            with pytest.raises(httpcore.WriteTimeout):
                await stream.write(bytes(4 * SIZE), 0.1)
            with pytest.raises(httpcore.ReadTimeout):
                await stream.read(1, 0.05)

    run(writes())


def test_a_connection_that_is_closed_meanwhile(run: Run):
    async def closes() -> None:
        async with connected(hears_nothing) as stream:
            reading = asyncio.create_task(stream.read(1))
            await asyncio.sleep(0.01)
            await stream.aclose()
            with pytest.raises(httpcore.ReadError):
                await reading
            with pytest.raises(httpcore.WriteError):
                await stream.write(b"more")

    run(closes())


def test_the_end_is_seen_before_anything_is_asked(run: Run):
    async def ends() -> None:
        async with connected(says_nothing) as stream:
            assert not stream.get_extra_info("is_readable")
            await stream.write(b"x")
            async with asyncio.timeout(5):
                while not stream.get_extra_info("is_readable"):  # noqa: ASYNC110 -- what is tested is the asking
                    await asyncio.sleep(0.002)
            assert await stream.read(1) == b""

    run(ends())


async def echoes_and_breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends the connection below TLS, without TLS's own end, when it hears a lone full stop."""
    while (data := await reader.read(1 << 16)) != b".":
        writer.write(data)
        await writer.drain()
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as below:
        below.shutdown(socket.SHUT_WR)
    await reader.read()
    writer.close()


def test_tls_both_ways_and_an_end_without_its_own(run: Run, certificates: Path):
    async def talks() -> None:
        async with connected(echoes_and_breaks_off, server_tls(certificates)) as below:
            authority = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
            stream = await below.start_tls(authority, "localhost", 5.0)
            for said in (b"a few", bytes(range(256)) * 256, b"and again"):
                await stream.write(said)
                heard = b""
                while len(heard) < len(said):
                    heard += await stream.read(1 << 16, 5.0)
                assert heard == said
            await stream.write(b".")
            assert await stream.read(1 << 16, 5.0) == b""
            assert stream.get_extra_info("ssl_object") is not None
            assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"

    run(talks())
