"""Whatever a registry answers and whatever a secret holds: nothing but RegistryError or BadCredentials leaves.

Issue: "no exception leaves the client but RegistryError".
"""

import asyncio
import json
import tempfile
from ipaddress import ip_network
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import images as build
from tests.support.registry import Fault, Registry
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import PullSecret
from webhook.core.reference import Reference
from webhook.ports import Access, Image
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages

# Each example starts a server: a quarter of what the profile has for laws that cost nothing.
QUICK = settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow])
REDIRECTS = [
    *(
        "{url}/v2/team/app/manifests/1",
        "/v2/team/app/manifests/1",
        "",
        "//",
        "http:",
        "http://[",
        "https://127.0.0.1:1/",
    ),
    *(
        "file:///etc/passwd",
        "{url}/\xff",
        "http://user:word@127.0.0.1/",
        "http://169.254.169.254/",
        "?",
        "#",
        "../../..",
    ),
]
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


# Pieces that make answers which come near to what they should be: noise alone is refused at the first look.
word = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=12)
parameter = st.builds(
    "{}{}{}".format,
    st.sampled_from(["realm", "service", "scope", "error", "Realm", "", "realm*"]) | word,
    st.sampled_from(["=", " = ", "==", ""]),
    st.sampled_from(
        [
            '"{url}/token"',
            '"{url}"',
            '"//"',
            '"http://["',
            '"file:///x"',
            '"{url}/token?a=%zz"',
            '"\\"',
            '"',
            "''",
            '"\xff"',
        ]
    )
    | st.builds('"{}"'.format, word),
)
challenges = st.lists(
    st.builds(
        "{} {}".format,
        st.sampled_from(["Bearer", "Basic", "bearer", "Negotiate", ""]) | word,
        st.lists(parameter, max_size=4).map(",".join),
    ),
    max_size=3,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
tokens = st.dictionaries(
    st.sampled_from(["token", "access_token", "refresh_token", "expires_in", "issued_at", "TOKEN"]),
    json_values
    | st.sampled_from(["a", "\ud800", "a\nb", "1999-01-01T00:00:00Z", "9999-12-31T23:59:60Z", 1e300, -1, 0]),
)
toml_values = st.sampled_from(
    ['"{url}"', '"https://["', '""', "1", "true", "[]", '["pull"]', '["resolve", "push"]', '"x"', "[[]]", "nan", "{{}}"]
)
toml_lines = st.builds(
    "{} = {}".format,
    st.sampled_from(
        [
            *("server", "capabilities", "ca", "client", "skip_verify", "override_path", "dial_timeout", "header"),
            *(
                "[host]\nserver",
                '[host."{url}"]\nca',
                '[host."::"]\nclient',
                '[host."{url}".header]\nx-a',
                "[[host]]\na",
            ),
        ]
    ),
    toml_values,
) | st.text(max_size=20)
heads = st.builds(
    Fault,
    method=st.just("HEAD"),
    status=st.sampled_from([None, 100, 200, 204, 301, 307, 401, 403, 404, 405, 429, 500, 503]),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Docker-Content-Digest", "Content-Length", "Location", "WWW-Authenticate", "Retry-After"]),
            line | st.sampled_from(["sha256:" + "0" * 64, "-1", "0", "99999999999", "Wed, 21 Oct 2015 07:28:00 GMT"]),
        ),
        max_size=3,
    ),
    without=st.sampled_from([(), ("Docker-Content-Digest",)]),
    close=st.sampled_from([False, False, True]),
)


async def _outcome(
    options: RegistryOptions, reference: Reference, access: Access
) -> Image | RegistryError | BadCredentials:
    async with RegistryImages(options, Hooks(sleep=_at_once)) as images:
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


@QUICK
@given(challenges, tokens, st.lists(secrets, max_size=1))
def test_any_challenge_and_any_token(some_challenges: list[str], token: dict[str, object], some: list[PullSecret]):
    """The token server answers at every path that a challenge may lead to."""
    with Registry() as registry:
        registry.push("team/app", build.multi("linux/amd64"), "1")
        lines = [("WWW-Authenticate", line.replace("{url}", registry.url)) for line in some_challenges]
        registry.faults = [
            Fault(at="/v2/*", authorized=False, status=401, headers=lines),
            Fault(at="/v2/*", authorized=True),
            Fault(status=200, body=json.dumps(token).encode()),
        ]
        reference = Reference(registry.address, "team/app", "1")
        options = RegistryOptions(addresses=LOOPBACK, request_timeout=1.0)
        outcome = asyncio.run(_outcome(options, reference, Access(secrets=tuple(some))))
        assert isinstance(outcome, Image | RegistryError | BadCredentials)


@QUICK
@given(st.lists(st.sampled_from(REDIRECTS) | line, min_size=1, max_size=4), st.sampled_from([301, 302, 303, 307, 308]))
def test_any_chain_of_redirects(targets: list[str], status: int):
    with Registry() as registry:
        image = registry.push("team/app", build.multi("linux/amd64"), "1")
        locations = [target.replace("{url}", registry.url) for target in targets]
        registry.faults = [Fault(status=status, headers=[("Location", one)], times=1) for one in locations]
        reference = Reference(registry.address, "team/app", "1")
        outcome = asyncio.run(_outcome(RegistryOptions(addresses=LOOPBACK, request_timeout=1.0), reference, Access()))
        assert isinstance(outcome, RegistryError) or outcome.root.digest == image.digest  # type: ignore[union-attr]


@QUICK
@given(heads)
def test_any_answer_to_the_head_of_a_tag_whose_time_is_up(fault: Fault):
    """What a HEAD says is a hint: the image is what it was, or what a GET gives, or an error."""
    with Registry() as registry:
        image = registry.push("team/app", build.multi("linux/amd64"), "1")
        reference = Reference(registry.address, "team/app", "1")
        options = RegistryOptions(addresses=LOOPBACK, request_timeout=1.0, tag_ttl=0.0)

        async def twice() -> Image | RegistryError:
            async with RegistryImages(options, Hooks(sleep=_at_once)) as images:
                await images.resolve(reference, Access())
                registry.faults = [fault]
                try:
                    return await images.resolve(reference, Access())
                except RegistryError as error:
                    return error

        outcome = asyncio.run(twice())
        assert isinstance(outcome, RegistryError) or outcome.root.digest == image.digest


@QUICK
@given(st.lists(toml_lines, max_size=5))
def test_any_hosts_toml(lines: list[str]):
    with Registry() as registry, tempfile.TemporaryDirectory() as folder:
        registry.push("team/app", build.multi("linux/amd64"), "1")
        directory = Path(folder) / "reg.example"
        directory.mkdir()
        text = "\n".join(lines).replace("{url}", registry.url)
        (directory / "hosts.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        everything = AddressPolicy(
            allowed=(ip_network("127.0.0.0/8"),), denied=(ip_network("0.0.0.0/0"), ip_network("::/0"))
        )
        options = RegistryOptions(hosts_dir=Path(folder), addresses=everything, request_timeout=1.0)
        outcome = asyncio.run(_outcome(options, Reference("reg.example", "team/app", "1"), Access()))
        assert isinstance(outcome, Image | RegistryError)


async def _at_once(_: float) -> None:
    """No pause: a test waits for nothing."""
