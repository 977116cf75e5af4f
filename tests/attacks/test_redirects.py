"""Answers that send podgate on to where it should not go: redirects, token realms, what they lead to in turn.

The registry is public.example, over TLS at an address of the Internet: nothing else is ever connected to.
"""

import pytest

from tests.attacks.conftest import API_SERVER, PRIVATE, PUBLIC, Gate, verdict
from tests.support.internet import Internet
from tests.support.registry import Auth, Fault, Registry

IMAGE = "public.example/team/app:1"
MANIFEST = "/v2/team/app/manifests/1"

PLACES = {
    "loopback": "https://127.0.0.1/x",
    "loopback-http": "http://127.0.0.1:8080/x",
    "localhost": "https://localhost/x",
    "loopback-ipv6": "https://[::1]/x",
    "loopback-mapped": "https://[::ffff:127.0.0.1]/x",
    "loopback-as-one-number": "https://2130706433/x",
    "loopback-hexadecimal": "https://0x7f.1/x",
    "loopback-octal": "https://0177.1/x",
    "loopback-translated": "https://[::ffff:0:7f00:1]/x",
    "loopback-enclosed-digits": "https://①②⑦.⓪.⓪.①/x",
    "loopback-soft-hyphen": "https://127.0.0.1\u00ad/x",
    "loopback-fullwidth": "https://１２７.0.0.1/x",  # noqa: RUF001 -- that is the attack
    "loopback-ideographic-dots": "https://127。0。0。1/x",
    "loopback-percent-encoded": "https://%31%32%37.0.0.1/x",
    "loopback-trailing-dot": "https://localhost./x",
    "this-network": "https://0.0.0.0/x",
    "unspecified-ipv6": "https://[::]/x",
    "metadata": "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "metadata-http": "http://169.254.169.254/latest/api/token",
    "metadata-by-name": "https://metadata.google.internal/computeMetadata/v1/",
    "metadata-ipv6": "https://[fd00:ec2::254]/latest/",
    "metadata-behind-a-user": "https://public.example@169.254.169.254/latest/",
    "metadata-behind-an-escaped-slash": "https://public.example%2f@169.254.169.254/latest/",
    "metadata-before-a-fragment": "https://169.254.169.254#@public.example/",
    "metadata-before-a-query": "https://169.254.169.254?@public.example/",
    "zone": "https://[fe80::1%25lo]/x",
    "private-address": f"https://{PRIVATE}{MANIFEST}",
    "private-name": f"https://reg.example{MANIFEST}",
    "private-nat64": f"https://[64:ff9b::a01:203]{MANIFEST}",
    "private-shared": f"https://100.64.0.1{MANIFEST}",
    "api-server": f"https://{API_SERVER}/api/v1/secrets",
    "api-server-by-name": "https://kubernetes.default.svc/api/v1/secrets",
    "without-tls": f"http://public.example{MANIFEST}",
    "without-tls-on-the-port": f"http://public.example:443{MANIFEST}",
    "without-scheme": "//127.0.0.1/x",
    "without-scheme-three-slashes": "///127.0.0.1/x",
    "without-scheme-backslashes": "\\\\127.0.0.1\\x",
    "scheme-in-capitals": "HTTPS://127.0.0.1/x",
    "scheme-with-a-tab": "ht\ttps://127.0.0.1/x",
    "scheme-twice": "https:https://127.0.0.1/x",
    "without-scheme-private": f"//{PRIVATE}{MANIFEST}",
    "file": "file:///etc/passwd",
    "unix-socket": "unix:///run/containerd/containerd.sock",
    "unix-socket-over-http": "http+unix://%2Frun%2Fcontainerd%2Fcontainerd.sock/x",
    "websocket": "wss://127.0.0.1/x",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp": "ftp://127.0.0.1/x",
    "data": "data:application/json,{}",
    "user-information": "https://public.example@127.0.0.1/x",
    "user-and-password": f"https://ann:word@public.example{MANIFEST}",
    "backslash": "https://127.0.0.1\\@public.example/x",
    "port-nought": f"https://public.example:0{MANIFEST}",
    "no-such-port": f"https://public.example:65536{MANIFEST}",
    "no-host": "https:///x",
    "line-break": "https://public.example/x\r\nX-More: https://127.0.0.1/",
    "nul": "https://127.0.0.1\0.public.example/x",
}


@pytest.fixture
def names(internet: Internet, public: Registry, private: Registry) -> None:
    """Names whose addresses are no registries', beside those of the registries."""
    internet.names["metadata.google.internal"] = [["169.254.169.254"]]
    internet.names["kubernetes.default.svc"] = [[API_SERVER]]


def as_bytes(text: str) -> str:
    """A header as the test's registry takes it: a character for each byte, here those of UTF-8."""
    return text.encode().decode("latin-1")


def only_the_registry(internet: Internet) -> bool:
    """Whether nothing else was connected to, and that at all."""
    return set(internet.connected) == {(PUBLIC, 443)}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_redirect_of_a_manifest(gate: Gate, internet: Internet, public: Registry, names: None, place: str):
    public.faults = [Fault("*/manifests/*", redirect=as_bytes(place))]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_redirect_of_a_config(gate: Gate, internet: Internet, public: Registry, names: None, place: str):
    """Blobs are what registries redirect, to stores of theirs."""
    public.faults = [Fault("*/blobs/*", redirect=as_bytes(place))]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


@pytest.mark.parametrize("place", ["loopback", "metadata", "private-name", "api-server", "without-tls", "file"])
async def test_a_redirect_of_the_look_whether_a_tag_moved(
    gate: Gate, internet: Internet, public: Registry, names: None, place: str
):
    """A HEAD, after which the GET goes its own way."""
    gate.settings = {"cache": {"tagTTL": "0s"}}
    public.faults = [Fault("*/manifests/*", method="HEAD", redirect=PLACES[place])]
    for _ in range(2):
        assert verdict(await gate.review(IMAGE)) == "deny mismatch"
    assert {asked.method for asked in public.log} == {"GET", "HEAD"}
    assert only_the_registry(internet)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_by_any_status(gate: Gate, internet: Internet, public: Registry, names: None, status: int):
    public.faults = [Fault("*/manifests/*", redirect="https://127.0.0.1/x", status=status)]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 401, 404])
async def test_a_location_that_is_no_redirect(
    gate: Gate, internet: Internet, public: Registry, names: None, status: int
):
    """305 once meant a proxy to be used."""
    public.faults = [Fault("*/manifests/*", redirect="https://127.0.0.1/x", status=status, body=b"{}")]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


async def test_a_redirect_of_the_second_hop(gate: Gate, internet: Internet, public: Registry, names: None):
    internet.names["store.public.example"] = [[PUBLIC]]
    hops = {MANIFEST: "https://store.public.example/one", "/one": "/two", "/two": f"https://reg.example{MANIFEST}"}
    public.faults = [Fault(path, redirect=target) for path, target in hops.items()]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)
    assert [asked.path for asked in public.log] == [*hops]


async def test_redirects_without_end(gate: Gate, internet: Internet, public: Registry, names: None):
    public.faults = [Fault("*", redirect="/round/and/round")]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)
    assert len(public.log) == 6


async def test_a_redirect_to_a_name_that_turns_inward(gate: Gate, internet: Internet, public: Registry, names: None):
    internet.names["store.public.example"] = [[PUBLIC], [PRIVATE]]
    public.faults = [
        Fault(MANIFEST, redirect="https://store.public.example/one"),
        Fault("/one", redirect="https://store.public.example:8443/two"),
    ]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


async def test_a_private_registry_redirects_within_its_network(
    gate: Gate, internet: Internet, private: Registry, public: Registry
):
    """By design, and that these tests would see a redirect that is followed."""
    private.faults = [Fault("*/blobs/*", redirect="https://10.9.9.9/x")]
    await gate.review("reg.example/team/app:1")
    assert internet.reached("10.9.9.9")


# Token realms.


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_token_realm(gate: Gate, internet: Internet, public: Registry, names: None, place: str):
    public.auth = Auth(challenge=[as_bytes(f'Bearer realm="{place}",service="x"')])
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


async def test_a_token_realm_that_redirects(gate: Gate, internet: Internet, public: Registry, names: None):
    public.auth = Auth(users={"ann": "word"})
    public.faults = [Fault("/token", redirect=f"https://reg.example{MANIFEST}")]
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)


async def test_a_second_challenge_with_another_realm(gate: Gate, internet: Internet, public: Registry, names: None):
    realms = ("https://public.example/token", "https://127.0.0.1/token", f"https://{PRIVATE}/token")
    public.auth = Auth(challenge=[f'Bearer realm="{realm}",service="x"' for realm in realms])
    assert verdict(await gate.review(IMAGE)) == "warn undetermined"
    assert only_the_registry(internet)
