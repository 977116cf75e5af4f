"""Challenges that would have a password, or a token, sent elsewhere, or asked for with another's words.

The registry is public.example, and ann may read it. thief.example is somebody else's, at an address of the Internet
too, with a certificate that the system trusts: whatever is sent there is lost.
"""

import base64
import json
import ssl
from collections.abc import Iterator

import pytest

from tests.attacks.conftest import PUBLIC, THIEF, Gate, verdict, willing
from tests.registry.test_secrecy import marked
from tests.service.conftest import Object, pod
from tests.support.internet import Internet
from tests.support.registry import Asked, Auth, Fault, Registry

IMAGE = "public.example/team/app:1"
WORD = "ann-word-MARKED"

REALMS = {
    "another-host": "https://thief.example/token",
    "name-that-ends-alike": "https://thief-public.example/token",
    "name-that-begins-alike": "https://public.example.thief.example/token",
    "name-above-both": "https://example/token",
    "user-information": "https://public.example@thief.example/token",
    "user-and-password": "https://public.example:443@thief.example/token",
    "backslash": "https://thief.example\\@public.example/token",
    "fragment": "https://thief.example#@public.example/token",
    "query": "https://thief.example?@public.example/token",
    "other-alphabet": "https://publi\u0441.example/token",
    "escaped-dot": "https://public%2eexample.thief.example/token",
    "escaped-slash": "https://thief.example%2f.public.example/token",
    "without-scheme": "//thief.example/token",
    "without-tls": "http://public.example/token",
    "address": f"https://{THIEF}/token",
}
ASKED_FOR_A_TOKEN = {"another-host", "name-that-begins-alike", "query"}
"""Realms that are another host's by any reading: that one is asked, as by nobody."""


@pytest.fixture
def thief(internet: Internet, certified: ssl.SSLContext) -> Iterator[Registry]:
    """Gives a token to everybody, and asks for a password first."""
    with willing(certified) as registry:
        internet.places[THIEF] = registry
        for name in ("thief.example", "thief-public.example", "public.example.thief.example", "example"):
            internet.names[name] = [[THIEF]]
        for name in ("xn--publi-8uf.example", "public%2eexample.thief.example", "thief.example%2f.public.example"):
            internet.names[name] = [[THIEF]]
        registry.auth = Auth(users={"ann": WORD})
        yield registry


def ann(gate: Gate, **more: str) -> Object:
    """A pod with ann's pull secret."""
    entry = {"auth": base64.b64encode(f"ann:{WORD}".encode()).decode(), **more}
    data = {".dockerconfigjson": json.dumps({"auths": {"public.example": entry}})}
    metadata = {"name": "pull", "namespace": "team"}
    kinds = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    gate.objects.append({**kinds, "metadata": metadata, "stringData": data})
    return pod(IMAGE, imagePullSecrets=[{"name": "pull"}])


def carried(requests: list[Asked]) -> list[str]:
    """All that some requests were sent along with."""
    return [repr((asked.path, asked.query, asked.headers, asked.form)) for asked in requests]


@pytest.mark.parametrize("refresh", [False, True], ids=["password", "identity-token"])
@pytest.mark.parametrize("realm", REALMS)
async def test_a_token_realm_of_somebody_else(
    gate: Gate, internet: Internet, public: Registry, thief: Registry, realm: str, refresh: bool
):
    """Nor is a password sent by POST where a GET is refused."""
    text = REALMS[realm].encode().decode("latin-1")
    public.auth = Auth(users={"ann": WORD}, challenge=[f'Bearer realm="{text}",service="x"'])
    thief.faults = [Fault("/token", method="GET", status=404)]
    obj = ann(gate, identitytoken=f"{WORD}-refresh") if refresh else ann(gate)
    for _ in range(2):
        assert verdict(await gate.review(obj)) == "warn undetermined"
    assert marked(carried(thief.log)) == []
    assert not any("authorization" in asked.headers or asked.method == "POST" for asked in thief.log)
    assert bool(thief.log) or realm not in ASKED_FOR_A_TOKEN
    assert set(internet.connected) <= {(PUBLIC, 443), (THIEF, 443)}


async def test_a_token_realm_of_ones_own(gate: Gate, internet: Internet, public: Registry, thief: Registry):
    """That these tests would see a password, and where one belongs."""
    public.auth = Auth(users={"ann": WORD}, realm="https://public.example/token")
    assert verdict(await gate.review(ann(gate))) == "deny mismatch"
    assert marked(carried(public.log)) != []
    assert thief.log == []


@pytest.mark.parametrize("authorized", [True, False], ids=["after-a-login", "before-any"])
@pytest.mark.parametrize("asks", ["Basic", "Bearer"])
async def test_a_host_that_was_led_to_asks_for_a_login(
    gate: Gate, internet: Internet, public: Registry, thief: Registry, asks: str, authorized: bool
):
    """It gets none, nor is its word taken for the registry's."""
    thief.auth = Auth(scheme=asks.lower(), users={"ann": WORD}, realm="https://public.example/token")
    public.auth = Auth(users={"ann": WORD}, realm="https://public.example/token")
    public.faults = [Fault("/v2/*", authorized=authorized, redirect="https://thief.example/v2/team/app/manifests/1")]
    assert verdict(await gate.review(ann(gate))) == "warn undetermined"
    assert len(thief.log) == 1
    assert marked(carried(thief.log)) == []


PARAMETERS = {
    "another-scope": 'service="x&scope=repository:other/secret:pull"',
    "fragment": 'service="x#&service=y"',
    "escaped-line-break": 'service="x%0d%0aX-More: y"',
    "line-break": 'service="x\r\nX-More: y"',
    "bare-line-feed": 'service="x\nX-More: y"',
    "control-characters": 'service="x\x0b\x00\x7fy"',
    "another-alphabet": 'service="\u00fc\u20ac"',
    "way-up": 'service="../../v2/other",scope="../../../v2/other"',
    "address": 'service="https://127.0.0.1/",scope="https://127.0.0.1/"',
    "many-scopes": f'service="x",scope="{" ".join(f"repository:r{number}:push" for number in range(2000))}"',
    "long": f'service="{"x" * 50_000}"',
    "twice": 'service="x",service="y",realm="https://127.0.0.1/token"',
}


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
async def test_words_of_a_challenge(gate: Gate, internet: Internet, public: Registry, parameters: str):
    """They are words of one query, at the realm's own path, and make no header."""
    text = f'Bearer realm="https://public.example/token",{parameters}'.encode().decode("latin-1")
    public.auth = Auth(users={"ann": WORD}, challenge=[text])
    assert verdict(await gate.review(ann(gate))).startswith(("warn ", "deny mismatch"))
    assert set(internet.connected) == {(PUBLIC, 443)}
    assert all(asked.path == "/token" or asked.path.startswith("/v2/team/app/") for asked in public.log)
    for asked in public.log:
        assert "x-more" not in asked.headers
        assert set(asked.query) <= {"service", "scope", "account", "client_id", "offline_token"}
        assert all(len(values) == 1 for name, values in asked.query.items() if name == "service")
