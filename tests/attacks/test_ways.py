"""The ways that an operator has opened, a proxy and mirrors, lead nowhere else either."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.conftest import API_SERVER, PRIVATE, PUBLIC, Gate, verdict, willing
from tests.support.internet import Internet
from tests.support.proxy import ForwardProxy
from tests.support.registry import Fault, Registry

PROXY = "10.9.9.9"
IMAGE = "public.example/team/app:1"

PROXIED = {
    "localhost": "localhost",
    "below-localhost": "reg.localhost",
    "loopback": "127.0.0.1",
    "loopback-in-two-parts": "127.1",
    "loopback-as-one-number": "2130706433:443",
    "loopback-octal": "0177.0.0.1",
    "loopback-ipv6": "[::1]",
    "loopback-mapped": "[::ffff:7f00:1]",
    "loopback-nat64": "[64:ff9b::7f00:1]",
    "this-network": "0.0.0.0",
    "metadata": "169.254.169.254",
    "metadata-by-name": "metadata.google.internal",
    "metadata-by-a-short-name": "metadata:80",
    "metadata-by-amazons-short-name": "instance-data:80",
    "metadata-tencent-by-name": "metadata.tencentyun.com",
    "metadata-aws-ipv6": "[fd00:ec2::254]",
    "metadata-akamai-ipv6": "[fd00:a9fe:a9fe::1]",
    "metadata-alibaba": "100.100.100.200",
    "link-local": "[fe80::1]",
    "multicast": "224.0.0.1",
    "api-server": f"{API_SERVER}:443",
    "api-server-by-name": "kubernetes.default.svc",
    "api-server-in-full": "kubernetes.default.svc.cluster.local",
}


@pytest.fixture
def proxy(gate: Gate, internet: Internet, public: Registry) -> Iterator[ForwardProxy]:
    """A proxy of the company's, which leads wherever it is asked to."""
    internet.own.add(public.port)
    with ForwardProxy({"public.example:443": f"127.0.0.1:{public.port}"}) as served:
        internet.places[PROXY] = served
        gate.environment |= {"HTTPS_PROXY": f"http://{PROXY}:3128", "HTTP_PROXY": f"http://{PROXY}:3128"}
        yield served


@pytest.mark.parametrize("host", PROXIED.values(), ids=PROXIED)
async def test_a_proxy_is_not_asked_for_it(gate: Gate, internet: Internet, proxy: ForwardProxy, host: str):
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert (proxy.log, internet.connected) == ([], [])


@pytest.mark.parametrize("host", PROXIED.values(), ids=PROXIED)
async def test_a_redirect_does_not_have_a_proxy_asked_for_it(
    gate: Gate, internet: Internet, proxy: ForwardProxy, public: Registry, host: str
):
    public.faults = [Fault("*/manifests/*", redirect=f"https://{host}/x")]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert {through.target for through in proxy.log} == {"public.example:443"}
    assert set(internet.connected) == {(PROXY, 3128)}


async def test_a_redirect_from_public_to_private_by_a_proxy(
    gate: Gate, internet: Internet, proxy: ForwardProxy, public: Registry
):
    public.faults = [Fault("*/manifests/*", redirect=f"https://{PRIVATE}/x")]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert {through.target for through in proxy.log} == {"public.example:443"}


async def test_what_goes_by_the_proxy_is_seen(gate: Gate, internet: Internet, proxy: ForwardProxy):
    """By design: what the proxy makes of a name is the proxy's matter; and that these tests would see it."""
    assert verdict(await gate.review(IMAGE)) == "deny mismatch"
    assert set(internet.connected) == {(PROXY, 3128)}


@pytest.mark.parametrize("host", ["127.0.0.1", "inward.example", "metadata.google.internal"])
async def test_past_the_proxy_the_address_counts(gate: Gate, internet: Internet, proxy: ForwardProxy, host: str):
    gate.environment["NO_PROXY"] = "127.0.0.0/8,.example,metadata.google.internal"
    internet.names |= {"inward.example": [["127.0.0.1"]], "metadata.google.internal": [["169.254.169.254"]]}
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert (proxy.log, internet.connected) == ([], [])


@pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "GOPROXY", "FTP_PROXY", "SSLKEYLOGFILE"])
async def test_variables_that_are_nobodys(
    gate: Gate, internet: Internet, public: Registry, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Neither httpx nor requests' habits count: the environment says what Go's programs take from it."""
    value = str(tmp_path / "keys") if variable == "SSLKEYLOGFILE" else "http://127.0.0.1:3128"
    gate.environment[variable] = value
    if variable != "SSLKEYLOGFILE":
        monkeypatch.setenv(variable, value)
    assert verdict(await gate.review(IMAGE)) == "deny mismatch"
    assert set(internet.connected) == {(PUBLIC, 443)}


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:5000", "https://169.254.169.254", f"https://{API_SERVER}"])
async def test_a_mirror_has_no_more_rights(
    gate: Gate, internet: Internet, public: Registry, tmp_path: Path, mirror: str
):
    """The hosts directory is the operator's; what its mirrors may be at, settings say all the same."""
    hosts(gate, tmp_path, f'[host."{mirror}"]\n')
    assert verdict(await gate.review(IMAGE)) == "deny mismatch"
    assert set(internet.connected) == {(PUBLIC, 443)}


@pytest.mark.parametrize("place", ["https://127.0.0.1/x", "https://169.254.169.254/x", f"https://{API_SERVER}/x"])
async def test_what_a_mirror_leads_to(gate: Gate, internet: Internet, public: Registry, tmp_path: Path, place: str):
    with willing() as mirror:
        mirror.faults = [Fault("*", redirect=place)]
        internet.places["10.7.7.7"] = mirror
        hosts(gate, tmp_path, '[host."http://10.7.7.7:5000"]\n')
        assert verdict(await gate.review(IMAGE)) == "deny mismatch"
    assert set(internet.connected) == {("10.7.7.7", 5000), (PUBLIC, 443)}


@pytest.mark.parametrize("host", ["reg.example", "store.public.example", PRIVATE])
async def test_only_hosts_that_settings_name(
    gate: Gate, internet: Internet, public: Registry, private: Registry, host: str
):
    """With allowedHosts nothing else is asked, be it by name or by redirect."""
    internet.names["store.public.example"] = [[PUBLIC]]
    gate.settings = {"registries": {"allowedHosts": ["public.example"]}}
    public.faults = [Fault("*/blobs/*", redirect=f"https://{host}/x")]
    assert verdict(await gate.review(f"{host}/team/app:1")) == "warn undetermined"
    assert internet.connected == []
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert set(internet.connected) == {(PUBLIC, 443)}


async def test_a_registry_that_loses_its_tls(gate: Gate, internet: Internet):
    """Whoever answers without TLS in its place is not believed."""
    internet.names["public.example"] = [[PUBLIC]]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert set(internet.connected) == {(PUBLIC, 443)}


async def test_a_certificate_of_another_name(gate: Gate, internet: Internet, public: Registry):
    internet.names["other.example"] = [[PUBLIC]]
    assert verdict(await gate.review("other.example/team/app:1")) == "warn undetermined"
    assert public.log == []


def hosts(gate: Gate, folder: Path, text: str) -> None:
    """A hosts directory with one registry in it."""
    (folder / "hosts" / "public.example").mkdir(parents=True)
    (folder / "hosts" / "public.example" / "hosts.toml").write_text(text)
    gate.settings = {"registries": {"hostsDir": str(folder / "hosts")}}
