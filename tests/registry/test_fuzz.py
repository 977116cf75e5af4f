"""Whatever a registry answers and whatever a secret holds: nothing but RegistryError or BadCredentials leaves.

Issue: "no exception leaves the client but RegistryError".
"""

import asyncio
from ipaddress import ip_network

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.registry import Fault, Registry
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import PullSecret
from webhook.core.reference import Reference
from webhook.ports import Access, Image
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import RegistryOptions
from webhook.registry.resolver import RegistryImages

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LOOPBACK = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))

line = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Content-Type",
                "Content-Encoding",
                "Content-Length",
                "Location",
                "WWW-Authenticate",
                "Docker-Content-Digest",
                "Retry-After",
                "Transfer-Encoding",
                "Set-Cookie",
                "X-\x80",
                "",
            ]
        ),
        line
        | st.sampled_from(
            [
                "gzip",
                "chunked",
                "0",
                "-1",
                "1e3",
                "99999999999999999999",
                'Bearer realm="http://127.0.0.1:1/t"',
                "Basic",
                "//",
                "http:",
                "/v2/x",
                "http://127.0.0.1:70000/",
                "http://[",
                "application/json; charset=\xff",
            ]
        ),
    ),
    max_size=4,
)
body = st.binary(max_size=80) | st.sampled_from(
    [
        b"",
        b"{}",
        b"null",
        b'{"token":null}',
        b'{"token":"a"}',
        b"[" * 9999,
        b'{"token":"\\ud800"}',
        b'{"expires_in":1e999}',
    ]
)
faults = st.builds(
    Fault,
    at=st.sampled_from(["*", "/token", "/v2/*"]),
    authorized=st.sampled_from([None, True, False]),
    status=st.sampled_from([None, 100, 101, 199, 200, 204, 206, 301, 304, 307, 401, 403, 404, 416, 429, 500, 599, 999]),
    headers=headers,
    body=st.none() | body,
    gzip=st.booleans(),
    chunked=st.booleans(),
    close=st.sampled_from([False, False, False, True]),
    truncate=st.sampled_from([None, None, None, 0, 1]),
    raw=st.sampled_from(
        [None, None, None, b"", b"\0", b"HTTP/1.1 200\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"\r\n" * 99]
    ),
)
secrets = st.builds(
    PullSecret,
    namespace=st.just("default"),
    name=st.just("pull"),
    type=st.sampled_from(["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg", "Opaque"]),
    data=st.binary(max_size=60)
    | st.sampled_from(
        [
            b'{"auths":{"127.0.0.1":{"auth":"\xff"}}}',
            b'{"auths":{"[":{"auth":"YTpi"}}}',
            b'{"auths":null}',
            b"[" * 99999,
            b'{"auths":{"reg.example":{"username":"\\u0000\\n","password":"\xc3\xa9"}}}',
        ]
    ),
)
text = st.text(max_size=30)
references = st.builds(Reference, domain=text, path=text, tag=text, digest=text)


async def _outcome(
    options: RegistryOptions, reference: Reference, access: Access
) -> Image | RegistryError | BadCredentials:
    async with RegistryImages(options) as images:
        try:
            return await images.resolve(reference, access)
        except (RegistryError, BadCredentials) as error:
            return error


@QUICK
@given(st.lists(faults, min_size=1, max_size=3), st.lists(secrets, max_size=2))
def test_any_answer_and_any_secret(some_faults: list[Fault], some_secrets: list[PullSecret]):
    with Registry() as registry:
        registry.faults = some_faults
        reference = Reference(registry.address, "team/app", "1")
        options = RegistryOptions(addresses=LOOPBACK, request_timeout=1.0)
        outcome = asyncio.run(_outcome(options, reference, Access(secrets=tuple(some_secrets))))
        if isinstance(outcome, Image):
            assert outcome.root.digest.startswith("sha256:")


@QUICK
@given(references, st.lists(secrets, max_size=2))
def test_any_reference_even_one_that_no_parser_lets_pass(reference: Reference, some_secrets: list[PullSecret]):
    everything = AddressPolicy(denied=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    options = RegistryOptions(addresses=everything, request_timeout=1.0)
    outcome = asyncio.run(_outcome(options, reference, Access(secrets=tuple(some_secrets))))
    assert isinstance(outcome, RegistryError | BadCredentials)
