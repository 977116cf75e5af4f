"""Registries behind a proxy: real ones, by CONNECT and by absolute URLs."""

import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.registry.conftest import LOOPBACK, Setting, access, reference, server_tls
from tests.support import images as build
from tests.support.proxy import ForwardProxy
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.core.goproxy import ProxyRules
from webhook.registry.addresses import AddressPolicy
from webhook.registry.resolver import RegistryImages

PLAIN_HOST = 'server = "http://reg.internal:5000"\n'
ANYBODY = access()
TAGGED = reference("reg.example/team/app:1")


def rules(**variables: str) -> ProxyRules:
    return ProxyRules.from_environment(variables)


async def failure(images: RegistryImages, text: str = "reg.example/team/app:1") -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(reference(text), ANYBODY)
    return caught.value


def behind(registry: Registry) -> dict[str, str]:
    return {"reg.internal:5000": registry.address}


async def test_plain_http_goes_through_http_proxy(setting: Setting, registry: Registry):
    """The proxy is on loopback, which no setting allows: the operator has chosen it, and it alone is exempt."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    setting.serve("reg.example", text=PLAIN_HOST)
    with ForwardProxy(behind(registry)) as proxy:
        images = setting.images(proxies=rules(HTTP_PROXY=proxy.url()), addresses=AddressPolicy())
        assert (await images.resolve(TAGGED, ANYBODY)).root.body
        (through,) = proxy.log
    assert (through.method, through.login) == ("GET", "")
    assert through.target == "http://reg.internal:5000/v2/team/app/manifests/1?ns=reg.example"
    assert len(registry.log) == 1


@pytest.mark.parametrize("proxy_by_tls", [False, True])
async def test_https_goes_through_a_tunnel(
    setting: Setting, certificates: Path, monkeypatch: pytest.MonkeyPatch, proxy_by_tls: bool
):
    """The registry's certificate is checked inside; a proxy's own is trusted as the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    from webhook.registry import tls  # noqa: PLC0415  # its cache of contexts must not outlive the test

    tls.context.cache_clear()
    outside = server_tls(certificates) if proxy_by_tls else None
    with Registry(tls=server_tls(certificates)) as registry, ForwardProxy({}, tls=outside) as proxy:
        port = registry.address.rpartition(":")[2]
        proxy.names = {f"localhost.example:{port}": registry.address, "other.example:443": registry.address}
        registry.push("team/app", build.multi("linux/amd64"), "1")
        ca = f'ca = "{certificates / "ca.pem"}"\n'
        setting.serve("reg.example", text=f'server = "https://localhost.example:{port}"\n{ca}skip_verify = true\n')
        host = "localhost" if proxy_by_tls else "127.0.0.1"
        images = setting.images(proxies=rules(HTTPS_PROXY=proxy.url(host=host)), addresses=AddressPolicy())
        assert (await images.resolve(TAGGED, ANYBODY)).root.body
        assert [(one.method, one.target) for one in proxy.log] == [("CONNECT", f"localhost.example:{port}")]
        setting.serve("other.example", text=f'server = "https://other.example"\n{ca}')
        setting.clock.now += 10
        assert (await failure(images, "other.example/team/app:1")).code == "tls"
    tls.context.cache_clear()


async def test_the_proxy_is_shown_the_login_of_its_url_and_the_registry_is_not(setting: Setting, registry: Registry):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    setting.serve("reg.example", text=PLAIN_HOST)
    with ForwardProxy(behind(registry), users=("ann:pa:ss@MARKED",)) as proxy:
        proxies = rules(HTTP_PROXY=proxy.url(login="ann:pa%3Ass%40MARKED"))
        assert "MARKED" not in repr(proxies)
        images = setting.images(proxies=proxies)
        assert (await images.resolve(TAGGED, ANYBODY)).root.body
        assert proxy.log[0].login == "ann:pa:ss@MARKED"
        assert "MARKED" not in repr(vars(images)) + repr(images._transports._made)
    assert "proxy-authorization" not in registry.log[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_is_no_refusal_of_the_registry(setting: Setting, registry: Registry, scheme: str):
    setting.serve("reg.example", text=f'server = "{scheme}://reg.internal:5000"\n')
    with ForwardProxy(behind(registry), users=("ann:word",)) as proxy:
        proxies = rules(HTTP_PROXY=proxy.url(), HTTPS_PROXY=proxy.url())
        error = await failure(setting.images(proxies=proxies))
    assert error.code == "unavailable"
    assert "407" in error.detail
    assert registry.log == []


@pytest.mark.parametrize("variables", [{"NO_PROXY": "reg.local"}, {"NO_PROXY": "*"}, {"HTTP_PROXY": ""}])
async def test_what_goes_directly_is_checked_as_ever(setting: Setting, registry: Registry, variables: dict[str, str]):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    with ForwardProxy({}) as proxy:
        proxies = rules(**{"HTTP_PROXY": proxy.url(), **variables})
        # Loopback never goes through a proxy (Go's httpproxy), so what is refused stays refused.
        assert (await failure(setting.images(proxies=proxies, addresses=AddressPolicy()))).code == "blocked-address"
        assert (await setting.images(proxies=proxies).resolve(TAGGED, ANYBODY)).root.body
        assert proxy.log == []


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "0.0.0.0",
        "2852039166",
        "0xa9.254.169.254",
        "localhost.",
        "a.localhost",
        "10.9.9.9",
        "224.0.0.1",
        "127.1",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "api.internal",
    ],
)
async def test_behind_a_proxy_names_and_literal_addresses_are_checked(setting: Setting, host: str):
    """Design, 6: `Behind a proxy the address is the proxy's: then host names and literal addresses are checked`."""
    setting.serve("reg.example", text=f'server = "http://{host}:6443"\n')
    with ForwardProxy({}) as proxy:
        denied = AddressPolicy(denied=(ip_network("10.0.0.0/8"),))
        images = setting.images(
            proxies=rules(HTTP_PROXY=proxy.url()), addresses=denied, reserved=(("api.internal", 6443),)
        )
        error = await failure(images)
        assert error.code == "blocked-address"
        assert proxy.log == []


async def test_allowed_hosts_count_behind_a_proxy(setting: Setting, registry: Registry):
    setting.serve("reg.example", text=PLAIN_HOST)
    registry.faults = [Fault(redirect="http://elsewhere.example/x")]
    with ForwardProxy(behind(registry)) as proxy:
        proxies = rules(HTTP_PROXY=proxy.url())
        images = setting.images(proxies=proxies, allowed_hosts=("reg.example", "reg.internal"))
        assert (await failure(images)).code == "blocked-host"
        assert len(proxy.log) == 1


async def test_a_redirect_behind_a_proxy_leads_to_no_private_address(setting: Setting, registry: Registry):
    """What a proxy leads to counts as public unless its name is a private address."""
    setting.serve("reg.example", text=PLAIN_HOST)
    registry.faults = [Fault(redirect="http://10.1.2.3/x")]
    with ForwardProxy(behind(registry)) as proxy:
        images = setting.images(proxies=rules(HTTP_PROXY=proxy.url(), NO_PROXY="10.1.0.0/16"), addresses=LOOPBACK)
        assert (await failure(images)).code == "blocked-address"
        images = setting.images(proxies=rules(HTTP_PROXY=proxy.url()), addresses=LOOPBACK)
        assert (await failure(images)).code == "blocked-address"


async def test_tokens_are_asked_for_through_the_proxy_too(setting: Setting, registry: Registry):
    registry.auth = Auth(public={"team/app"}, realm="http://reg.internal:5000/token")
    registry.push("team/app", build.multi("linux/amd64"), "1")
    setting.serve("reg.example", text=PLAIN_HOST)
    with ForwardProxy(behind(registry)) as proxy:
        await setting.images(proxies=rules(HTTP_PROXY=proxy.url())).resolve(TAGGED, ANYBODY)
        assert len(proxy.log) == 3


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://proxy.example", "http://"])
async def test_a_proxy_that_cannot_be_used_is_not_gone_around(setting: Setting, registry: Registry, proxy: str):
    setting.serve("reg.example", text=f'server = "http://127.0.0.1.nip.example:{registry.address[-5:]}"\n')
    error = await failure(setting.images(proxies=rules(HTTP_PROXY=proxy)))
    assert error.code == "unavailable"
    assert registry.log == []


async def test_a_proxy_that_is_down(setting: Setting, registry: Registry):
    setting.serve("reg.example", text=PLAIN_HOST)
    error = await failure(setting.images(proxies=rules(HTTP_PROXY="http://127.0.0.1:1")))
    assert error.code == "unavailable"


def test_trust_of_contexts_is_the_systems():
    """A proxy by TLS is checked against the system's roots, nothing else."""
    from webhook.registry.tls import PLAIN, context  # noqa: PLC0415

    assert context(PLAIN).verify_mode == ssl.CERT_REQUIRED
    assert context(PLAIN).check_hostname
