"""What a server sends behind the end of an answer is no answer to what is asked next.

Connections are shared by all who ask one registry: whoever can make it say more than it means to, as by a wrong
Content-Length, must not answer in its place.
"""

import asyncio
import ssl
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import certificate, server_context
from tests.support.registry import Registry
from webhook.registry.addresses import AddressPolicy
from webhook.registry.names import Resolver
from webhook.registry.network import GuardedBackend
from webhook.registry.tls import Tls
from webhook.registry.transport import GuardedTransport

OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
ASKED = 4


class Generous(Registry):
    """Says more than it was asked for, `apart` from the answer or together with it."""

    def __init__(self, tls: ssl.SSLContext | None, *, apart: bool) -> None:
        super().__init__(tls=tls)
        self._apart = apart

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for part in (data, OTHER) if self._apart else (data + OTHER,):
            writer.write(part)
        await writer.drain()


@pytest.fixture(params=[(False, False), (False, True), (True, False), (True, True)], ids=str)
def generous(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Generous]:
    by_tls, apart = request.param
    context = server_context(tmp_path, certificate("generous")) if by_tls else None
    with Generous(context, apart=apart) as registry:
        yield registry


async def test_it_is_left_where_it_is(generous: Generous):
    backend = GuardedBackend(AddressPolicy(allowed=(ip_network("127.0.0.0/8"),)), Resolver())
    transport = GuardedTransport(backend, Tls(verify=False))
    told = []
    for number in range(ASKED):
        response = await transport.handle_async_request(httpx.Request("GET", f"{generous.url}/v2/a/manifests/{number}"))
        told.append((response.status_code, await response.aread()))
        await response.aclose()
        await asyncio.sleep(0.05)  # what is still on its way when the next one is asked cannot be told from an answer
    await transport.aclose()
    assert [status for status, _ in told] == [404] * ASKED
    assert all(body != b"other" for _, body in told)
    assert [asked.path for asked in generous.log] == [f"/v2/a/manifests/{number}" for number in range(ASKED)]
