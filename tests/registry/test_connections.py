"""No connection is left open, or kept in a pool, where nothing came of it: counted where they arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.registry.conftest import LOOPBACK, server_tls
from tests.support import images as build
from tests.support.proxy import ForwardProxy
from tests.support.registry import Fault, Registry
from tests.support.relay import Relay
from webhook.core.errors import RegistryError
from webhook.core.goproxy import ProxyRules
from webhook.registry import tls
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.transport import Transports
from webhook.registry.wire import Ask, Wire

WAYS = ["directly", "by a proxy", "by a proxy with TLS"]


@dataclass
class Way:
    """How a host is asked, and the relay that counts its client's connections. They keep what was set at the start."""

    relay: Relay
    transports: Transports
    ask: Ask
    seconds: float = 5.0

    async def get(self) -> object:
        options = RegistryOptions(addresses=LOOPBACK, request_timeout=self.seconds)
        return await Wire(self.transports, options, Hooks()).get(self.ask)

    def kept(self) -> list[object]:
        """The connections in all pools, of which there must be one."""
        pools = [transport._pool for transport in self.transports._made.values()]
        assert pools
        return [connection for pool in pools for connection in pool.connections]

    async def left_nothing(self) -> bool:
        return await self.relay.all_closed() and self.kept() == []


Lay = Callable[[str, str], Awaitable[Way]]


@pytest.fixture
async def lay(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lay]:
    """Makes a way to an address. Behind a proxy that is other.example, which the certificate does not name; directly
    the authority is one that nobody knows."""
    tls.context.cache_clear()
    async with AsyncExitStack() as stack:

        async def laid(way: str, address: str) -> Way:
            if way == "directly":
                relay = await stack.enter_async_context(Relay(address))
                transports = await stack.enter_async_context(Transports(LOOPBACK))
                return Way(relay, transports, Ask(f"https://127.0.0.1:{relay.port}/v2/", "*/*", 1 << 16))
            context, scheme = None, "http"
            if way == "by a proxy with TLS":
                monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
                context, scheme = server_tls(certificates), "https"
            proxy = stack.enter_context(ForwardProxy({"other.example:443": address}, tls=context))
            relay = await stack.enter_async_context(Relay(f"127.0.0.1:{proxy.port}"))
            rules = ProxyRules.from_environment({"HTTPS_PROXY": f"{scheme}://localhost:{relay.port}"})
            transports = await stack.enter_async_context(Transports(LOOPBACK, rules))
            return Way(relay, transports, Ask("https://other.example/v2/", "*/*", 1 << 16))

        yield laid
    tls.context.cache_clear()


@pytest.mark.parametrize("way", WAYS)
async def test_a_certificate_that_is_not_good(lay: Lay, certificates: Path, way: str):
    with Registry(tls=server_tls(certificates)) as registry:
        asked = await lay(way, registry.address)
        with pytest.raises(RegistryError, match="tls"):
            await asked.get()
        assert registry.log == []
        assert await asked.left_nothing()


@pytest.mark.parametrize("way", WAYS)
async def test_a_handshake_that_nobody_answers(lay: Lay, way: str):
    async with Relay() as silent:
        asked = await lay(way, f"127.0.0.1:{silent.port}")
        asked.seconds = 0.5
        with pytest.raises(RegistryError, match="timeout"):
            await asked.get()
        assert await asked.left_nothing()
        assert await silent.all_closed()


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_cancelled_within_the_handshake(lay: Lay, way: str):
    async with Relay() as silent:
        asked = await lay(way, f"127.0.0.1:{silent.port}")
        task = asyncio.create_task(asked.get())
        while not silent.heard:  # noqa: ASYNC110 -- what the client says first is its hello
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asked.left_nothing()
        assert await silent.all_closed()


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_is_no_tls(lay: Lay, registry: Registry, way: str):
    asked = await lay(way, registry.address)
    with pytest.raises(RegistryError, match="tls"):
        await asked.get()
    assert await asked.left_nothing()


@pytest.mark.parametrize("way", WAYS)
async def test_a_host_that_is_not_there(lay: Lay, way: str):
    asked = await lay(way, "127.0.0.1:1")
    with pytest.raises(RegistryError, match="unavailable"):
        await asked.get()
    assert await asked.left_nothing()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fault", [Fault(close=True), Fault(truncate=1), Fault(raw=b"\0\r\n\r\n"), Fault(endless=True), Fault(delay=30)]
)
async def test_an_answer_that_breaks_off(lay: Lay, certificates: Path, way: str, fault: Fault):
    with Registry(tls=server_tls(certificates)) as registry:
        registry.faults = [fault]
        asked = await lay(way, registry.address)
        asked.ask = replace(asked.ask, tls=tls.Tls(verify=False))
        asked.seconds = 0.5 if fault.delay else 5.0
        fault.status = 200
        with pytest.raises(RegistryError):
            await asked.get()
        assert fault.delay or registry.log
        assert await asked.left_nothing()


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_answered_is_kept_and_used_again(lay: Lay, certificates: Path, way: str):
    with Registry(tls=server_tls(certificates)) as registry:
        registry.push("team/app", build.multi("linux/amd64"), "1")
        asked = await lay(way, registry.address)
        url = f"{asked.ask.url}team/app/manifests/1"
        asked.ask = replace(asked.ask, url=url, tls=tls.Tls(verify=False))
        for _ in range(3):
            await asked.get()
        assert len(registry.log) == 3
        assert (asked.relay.made, asked.relay.open, len(asked.kept())) == (1, 1, 1)
        await asked.transports.aclose()
        assert await asked.relay.all_closed()
