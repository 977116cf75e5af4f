"""What happens on the wire around one request: connections used again, and ways that lead from public to private."""

import asyncio
from ipaddress import ip_network

import httpx
import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.tls import PLAIN, Tls
from webhook.registry.transport import Transports
from webhook.registry.wire import Ask, Wire, keeps_secrets, media_type


class Peer:
    """A connection whose other end has this address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, _: str) -> tuple[str, int]:
        return (self._address, 443)


class Internet(Transports):
    """The wire of a test: addresses by host name, and which transport each request went over."""

    def __init__(self, addresses: dict[str, str]) -> None:
        super().__init__(AddressPolicy())
        self._addresses = addresses
        self.seen: list[tuple[str, bool]] = []

    def of(self, url: httpx.URL, configuration: Tls, *, public_only: bool = False) -> httpx.AsyncBaseTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            self.seen.append((request.url.host, public_only))
            peer = {"network_stream": Peer(self._addresses[request.url.host])}
            target = request.url.params.get("to")
            headers = {"Location": target} if target else {}
            return httpx.Response(
                307 if target else 200, headers=headers, stream=httpx.ByteStream(b""), extensions=peer
            )

        return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("first", "second", "public_only"),
    [("8.8.8.8", "8.8.4.4", True), ("8.8.8.8", "10.0.0.1", True), ("10.0.0.1", "10.0.0.2", False)],
)
async def test_after_a_public_host_only_public_ones_are_connected_to(first: str, second: str, *, public_only: bool):
    async with Internet({"a.example": first, "b.example": second}) as internet:
        wire = Wire(internet, RegistryOptions(), Hooks())
        reply = await wire.get(Ask("https://a.example/v2/?to=https://b.example/x", "*/*", 100))
        assert internet.seen == [("a.example", False), ("b.example", public_only)]
        assert reply.public == (first == "8.8.8.8")


@pytest.mark.parametrize("location", ["p:////[", "p:///x//[::1", "https://[::1", "http://[::1]]/"])
async def test_a_redirect_to_what_is_no_url_is_a_fault_of_the_registrys(location: str):
    async with Internet({"a.example": "8.8.8.8"}) as internet:
        wire = Wire(internet, RegistryOptions(), Hooks())
        with pytest.raises(RegistryError) as caught:
            await wire.get(Ask(str(httpx.URL("https://a.example/v2/", params={"to": location})), "*/*", 100))
        assert caught.value.code == "malformed"


async def test_the_address_of_the_peer_is_known(setting: Setting, registry: Registry):
    policy = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))
    async with Transports(policy) as transports:
        for _ in range(2):  # a new connection, and the same again
            response = await transports.of(httpx.URL(registry.url), PLAIN).handle_async_request(
                httpx.Request("GET", registry.url)
            )
            assert response.extensions["network_stream"].get_extra_info("server_addr")[0] == "127.0.0.1"
            await response.aread()
            await response.aclose()


async def test_a_connection_that_was_closed_meanwhile_is_no_fault(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1", "2")
    images = setting.images()
    await images.resolve(reference("reg.example/team/app:1"), access())
    registry.faults = [Fault(close=True, times=1)]
    assert (await images.resolve(reference("reg.example/team/app:2"), access())).root.body
    assert len(registry.log) == 3


async def test_a_new_connection_that_is_closed_is_one(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.faults = [Fault(close=True)]
    with pytest.raises(RegistryError):
        await setting.images().resolve(reference("reg.example/team/app:1"), access())
    assert len(registry.log) == 1 + len(setting.pauses)


async def test_one_host_is_asked_so_many_things_at_once(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), *(f"t{number}" for number in range(12)))
    registry.faults = [Fault(delay=0.05)]
    images = setting.images(concurrency_per_host=3)
    names = (reference(f"reg.example/team/app:t{number}") for number in range(12))
    await asyncio.gather(*(images.resolve(name, access()) for name in names))
    assert 1 < registry.most_at_once <= 3
    assert len(registry.log) == 12


async def test_a_name_that_nobody_knows(setting: Setting):
    for name in ("reg.invalid", "a..b"):
        setting.serve("reg.example", text=f'server = "https://{name}:1"\n')
        with pytest.raises(RegistryError) as caught:
            await setting.images().resolve(reference("reg.example/team/app:1"), access())
        assert caught.value.code == "unavailable"


async def test_no_cookie_is_kept(setting: Setting, registry: Registry):
    registry.push("team/app", build.single("linux/amd64"), "1", "2")
    registry.faults = [Fault(headers=[("Set-Cookie", "session=ann")])]
    images = setting.images()
    for tag in ("1", "2"):
        await images.resolve(reference(f"reg.example/team/app:{tag}"), access())
    assert not any("cookie" in asked.headers for asked in registry.log)


async def test_the_environment_is_not_read(setting: Setting, registry: Registry, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    registry.push("team/app", build.single("linux/amd64"), "1")
    assert (await setting.images().resolve(reference("reg.example/team/app:1"), access())).root.body


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "https://a.example:443/y", True),
        ("http://a.example/x", "https://a.example/y", True),
        ("http://a.example:5000/x", "https://a.example:5000/y", False),
        ("https://a.example/x", "https://a.example:444/y", False),
        ("https://a.example/x", "https://b.a.example/y", False),
        ("https://a.example/x", "https://b.example/y", False),
    ],
)
def test_where_authorization_may_go(first: str, second: str, *, kept: bool):
    assert keeps_secrets(httpx.URL(first), httpx.URL(second)) is kept


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("application/json", "application/json"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        ("", ""),
        (";", ""),
    ],
)
def test_media_types(line: str, kind: str):
    assert media_type({"Content-Type": line}) == kind
