"""Connections are used again, bounded, and looked at one at a time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import httpcore
import httpx
import pytest

from tests.service.test_cost import counted
from tests.support.registry import Fault, Registry
from webhook.registry import tls
from webhook.registry.addresses import AddressPolicy
from webhook.registry.http11 import Connection
from webhook.registry.names import Resolver
from webhook.registry.network import GuardedBackend
from webhook.registry.transport import GuardedTransport

LOOPBACK = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))


@pytest.fixture
def other() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[GuardedTransport]:
    made = GuardedTransport(GuardedBackend(LOOPBACK, Resolver()), tls.PLAIN)
    yield made
    await made.aclose()
    assert made._pool.connections == []


async def get(transport: GuardedTransport, registry: Registry, path: str = "/v2/a/manifests/1") -> int:
    response = await transport.handle_async_request(httpx.Request("GET", f"{registry.url}{path}"))
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response.status_code


async def at_once(transport: GuardedTransport, registry: Registry, count: int) -> None:
    registry.faults = [Fault(delay=0.05)]
    await asyncio.gather(*(get(transport, registry) for _ in range(count)))
    registry.faults = []


async def test_one_after_the_other_they_share_a_connection_and_an_origin_has_its_own(
    transport: GuardedTransport, registry: Registry, other: Registry
):
    for _ in range(3):
        assert await get(transport, registry) == 404
    (first,) = transport._pool.connections
    await get(transport, other)
    await get(transport, registry)
    assert len(transport._pool.connections) == 2
    assert first in transport._pool.connections


async def test_what_is_used_again_is_looked_at_alone(transport: GuardedTransport, registry: Registry):
    """httpcore's pool looks at all of them, twice for each request."""
    await at_once(transport, registry, 40)
    assert len(transport._pool.connections) == 40
    with counted(Connection, "has_expired") as looked:
        for _ in range(10):
            await get(transport, registry)
    assert 10 <= looked[0] <= 20
    assert len(transport._pool.connections) == 40


async def test_no_more_are_kept_than_a_busy_registry_is_asked_with(transport: GuardedTransport, registry: Registry):
    await at_once(transport, registry, 80)
    assert len(transport._pool.connections) == 64


async def test_those_that_are_idle_for_long_go(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webhook.registry.transport._IDLE_SECONDS", 0.2)
    transport = GuardedTransport(GuardedBackend(LOOPBACK, Resolver()), tls.PLAIN)
    await at_once(transport, registry, 10)
    assert len(transport._pool.connections) == 10
    await asyncio.sleep(0.3)
    await get(transport, registry)
    assert len(transport._pool.connections) == 1
    await transport.aclose()


@pytest.mark.parametrize("fault", [Fault(close=True), Fault(truncate=3), Fault(raw=b"nonsense\r\n\r\n")])
async def test_one_that_failed_is_not_kept(transport: GuardedTransport, registry: Registry, fault: Fault):
    registry.faults = [fault]
    with pytest.raises((httpcore.NetworkError, httpcore.RemoteProtocolError)):
        await get(transport, registry)
    assert transport._pool.connections == []


async def test_one_that_is_given_up_is_not_kept(transport: GuardedTransport, registry: Registry):
    registry.faults = [Fault(delay=30)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await get(transport, registry)
    assert transport._pool.connections == []


async def test_an_answer_that_is_closed_unread_closes_its_connection(transport: GuardedTransport, registry: Registry):
    registry.faults = [Fault(body=bytes(1 << 20))]
    response = await transport.handle_async_request(httpx.Request("GET", registry.url))
    assert len(transport._pool.connections) == 1
    await response.aclose()
    await response.aclose()
    assert transport._pool.connections == []
