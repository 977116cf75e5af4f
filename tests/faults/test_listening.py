"""What a server of the tests keeps to itself, and what it tells: else podgate would be blamed for it, or nobody."""

import asyncio
import socket
import struct
from contextlib import closing

import pytest

from tests.support.listening import unless_twice_lost


class _WritesOn(asyncio.Protocol):
    """Writes on as soon as there is room again, as TLS does, and its client has gone just then."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(0)
        while not transport.get_write_buffer_size():
            transport.write(bytes(1 << 16))

    def resume_writing(self) -> None:
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()
        self._transport.write(b"more")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


async def _met_with_a_reset() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with closing(client):
            protocol = _WritesOn(client)
            client.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
            while not protocol.lost.done():
                try:
                    client.recv(1 << 20)
                except OSError:  # there is nothing yet, or nobody any more
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)


async def test_a_connection_that_asyncio_loses_twice_is_no_error(caplog: pytest.LogCaptureFixture):
    await _met_with_a_reset()
    assert "._call_connection_lost(" in caplog.text  # else asyncio has mended it, and the handler may go
    caplog.clear()
    asyncio.get_running_loop().set_exception_handler(unless_twice_lost)
    await _met_with_a_reset()
    assert caplog.text == ""


async def test_whatever_else_fails_in_a_servers_loop_is_told(caplog: pytest.LogCaptureFixture):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(unless_twice_lost)
    loop.call_soon(int, "no number")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "Exception in callback" in caplog.text
    assert "ValueError" in caplog.text
