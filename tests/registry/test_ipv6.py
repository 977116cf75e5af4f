"""Registries whose name is an IPv6 address: what is sent, directly and by a proxy (RFC 3986 3.2.2, RFC 9112 3.2)."""

from pathlib import Path

import pytest

from tests.registry.conftest import Setting, access, reference, server_tls
from tests.support import images as build
from tests.support.proxy import ForwardProxy
from tests.support.registry import Auth, Fault, Registry
from webhook.core.goproxy import ProxyRules
from webhook.registry.addresses import AddressPolicy

ANYBODY = access()
FAR = "[2001:db8::5]"


async def test_directly_in_the_clear(setting: Setting):
    with Registry(host="::1") as registry:
        image = registry.push("team/app", build.multi("linux/amd64"), "1")
        registry.auth = Auth(public={"team/app"})
        setting.serve(registry.address, registry)
        found = await setting.images().resolve(reference(f"{registry.address}/team/app:1"), ANYBODY)
        assert found.root.digest == image.digest
        assert {asked.headers["host"] for asked in registry.log} == {registry.address}
        assert [asked.path for asked in registry.log] == [
            "/v2/team/app/manifests/1",
            "/token",
            "/v2/team/app/manifests/1",
        ]
    assert setting.requests[0][0] == registry.address


async def test_directly_without_a_hosts_directory(setting: Setting):
    with Registry(host="::1") as registry:
        registry.push("team/app", build.multi("linux/amd64"), "1")
        images = setting.images(hosts_dir=None, allowed_hosts=("[[]::1]",))
        assert (await images.resolve(reference(f"{registry.address}/team/app:1"), ANYBODY)).root.body


async def test_directly_by_tls_the_certificate_is_the_addresss(setting: Setting, certificates: Path):
    with Registry(host="::1", tls=server_tls(certificates)) as registry:
        registry.push("team/app", build.multi("linux/amd64"), "1")
        text = f'server = "{registry.url}"\nca = "{certificates / "ca.pem"}"\n'
        setting.serve("reg.example", text=text)
        assert (await setting.images().resolve(reference("reg.example/team/app:1"), ANYBODY)).root.body


@pytest.mark.parametrize(("port", "said"), [(":5000", f"{FAR}:5000"), ("", FAR), (":80", FAR)])
async def test_by_a_proxy_in_the_clear(setting: Setting, registry: Registry, port: str, said: str):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    setting.serve("reg.example", text=f'server = "http://{FAR}{port}"\n')
    with ForwardProxy({f"{FAR}:{said.removeprefix(FAR).strip(':') or 80}": registry.address}) as proxy:
        rules = ProxyRules.from_environment({"HTTP_PROXY": proxy.url()})
        images = setting.images(proxies=rules, addresses=AddressPolicy())
        for _ in range(2):  # the second by the same connection
            found = await images.resolve(reference("reg.example/team/app:1"), ANYBODY)
            assert found.root.body
            assert not found.stale
            setting.clock.now += 1000
        assert proxy.log[0].target == f"http://{said}/v2/team/app/manifests/1?ns=reg.example"
        assert [one.method for one in proxy.log] == ["GET", "HEAD"]
    assert registry.log[0].headers["host"] == said


@pytest.mark.parametrize("proxy_by_tls", [False, True])
@pytest.mark.parametrize("port", [":5000", ""])
async def test_by_a_tunnel_the_certificate_is_the_addresss(
    setting: Setting, certificates: Path, monkeypatch: pytest.MonkeyPatch, proxy_by_tls: bool, port: str
):
    from webhook.registry import tls  # noqa: PLC0415  # its cache of contexts must not outlive the test

    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    tls.context.cache_clear()
    outside = server_tls(certificates) if proxy_by_tls else None
    names = {f"{FAR}{port or ':443'}": ""}
    with Registry(tls=server_tls(certificates)) as registry, ForwardProxy(names, tls=outside) as proxy:
        proxy.names = dict.fromkeys(names, registry.address)
        registry.push("team/app", build.multi("linux/amd64"), "1")
        registry.faults = [Fault(redirect=f"https://{FAR}{port}/v2/team/app/manifests/1", times=1)]
        setting.serve("reg.example", text=f'server = "https://{FAR}{port}"\n')
        rules = ProxyRules.from_environment({"HTTPS_PROXY": proxy.url(host="localhost")})
        images = setting.images(proxies=rules, addresses=AddressPolicy())
        assert (await images.resolve(reference("reg.example/team/app:1"), ANYBODY)).root.body
        assert [(one.method, one.target) for one in proxy.log] == [("CONNECT", f"{FAR}{port or ':443'}")]
        assert {asked.headers["host"] for asked in registry.log} == {f"{FAR}{port}"}
        assert len(registry.log) == 2
    tls.context.cache_clear()


async def test_a_proxy_that_is_an_ipv6_address(setting: Setting, registry: Registry):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    setting.serve("reg.example", text='server = "http://reg.internal:5000"\n')
    with ForwardProxy({"reg.internal:5000": registry.address}, listen="::1") as proxy:
        rules = ProxyRules.from_environment({"HTTP_PROXY": proxy.url(host="[::1]")})
        images = setting.images(proxies=rules, addresses=AddressPolicy())
        assert (await images.resolve(reference("reg.example/team/app:1"), ANYBODY)).root.body
        assert len(proxy.log) == 1
