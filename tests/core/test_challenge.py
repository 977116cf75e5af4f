"""Challenges and token requests. Rows named after a case repeat it; tests/golden/challenge has containerd's answers."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from webhook.core.challenge import (
    Challenge,
    TokenRequest,
    asked_token,
    login_challenge,
    parse_challenges,
    token_request,
)
from webhook.core.errors import MalformedChallenge, MalformedInput

PULL = "repository:team/app:pull"
FULL = f'Bearer realm="https://auth.example/token",service="reg",scope="{PULL}"'

# (header lines, the query of the token request; "basic"; None: nothing that can be answered)
CASES = [
    pytest.param(
        ["Negotiate", 'Basic realm="r"', FULL], [("scope", PULL), ("service", "reg")], id="auth-several-challenges#1"
    ),
    pytest.param(["Negotiate", 'Basic realm="r"'], "basic", id="auth-several-challenges#2"),
    pytest.param(["NTLM", 'Digest realm="r", nonce="n", qop="auth"'], None, id="auth-several-challenges#3"),
    pytest.param([f'Basic realm="r", {FULL}'], "basic", id="auth-several-challenges/folded#1"),
    pytest.param([f'Negotiate, {FULL}, Basic realm="r"'], None, id="auth-several-challenges/folded#2"),
    pytest.param(['Bearer realm="https://auth.example/token"'], [("scope", PULL)], id="auth-challenge-without-scope#1"),
    pytest.param(
        ['Bearer realm="https://auth.example/token",service="reg.example"'],
        [("scope", PULL), ("service", "reg.example")],
        id="auth-challenge-without-scope#2",
    ),
    pytest.param(
        [f'Bearer service="reg.example",scope="{PULL}"'], MalformedChallenge, id="auth-challenge-without-scope#3"
    ),
    pytest.param(
        ['Bearer realm="https://auth.example/token",service="reg",scope="repository:team/base:pull"'],
        [("scope", PULL), ("scope", "repository:team/base:pull"), ("service", "reg")],
        id="auth-challenge-without-scope/of-another-repository",
    ),
    pytest.param([], None, id="no header"),
    pytest.param(
        ['Digest realm="r"', 'Basic realm="r"'], "basic", id="digest is preferred to basic, but nobody answers it"
    ),
    pytest.param(
        ['Bearer realm="https://auth.example/token",scope="a  b"'],
        [("scope", ""), ("scope", "a"), ("scope", "b"), ("scope", PULL)],
        id="an empty scope is one",
    ),
    pytest.param(
        ['Bearer realm="https://auth.example/token?service=x&b=%20;&a=1+2&&%zz=1#f",service="y"'],
        [("a", "1 2"), ("scope", PULL), ("service", "x"), ("service", "y")],
        id="the realm's own query stays, what is malformed in it goes",
    ),
]


@pytest.mark.parametrize(("lines", "then"), CASES)
def test_what_a_registry_is_answered(lines, then):
    challenge = login_challenge(parse_challenges(lines))
    if then is None:
        assert challenge is None
    elif then == "basic":
        assert challenge is not None
        assert challenge.scheme == "basic"
    elif then is MalformedChallenge:
        assert challenge is not None
        with pytest.raises(MalformedChallenge, match="realm"):
            token_request(challenge, "team/app")
    else:
        assert challenge is not None
        assert challenge.scheme == "bearer"
        url = urlsplit(token_request(challenge, "team/app").url)
        assert (url.scheme, url.netloc, url.path, url.fragment) == ("https", "auth.example", "/token", "")
        assert parse_qsl(url.query, keep_blank_values=True) == then


LINES = [
    ('bEARER REALM="https://a.example/t"', "bearer", {"realm": "https://a.example/t"}),
    ('Bearer realm="a",Realm="b"', "bearer", {"realm": "b"}),
    ('Bearer realm="a\\"\\\\b"', "bearer", {"realm": 'a"\\b'}),
    ('Bearer realm="a\\\u00e9,b"', "bearer", {"realm": "a\u00e9,b"}),
    ('Bearer realm="never ends,service=x', "bearer", {"realm": ""}),
    ('Bearer realm="never ends\\"', "bearer", {"realm": ""}),
    ("Bearer realm=token/rest,service=x", "bearer", {"realm": "token"}),
    ("Bearer realm = x", "bearer", {}),
    ("Bearer realm= x,service=y", "bearer", {"realm": ""}),
    ("Bearer\trealm=x ,\r\n service=y", "bearer", {"realm": "x", "service": "y"}),
    ("Bearer, realm=x", "bearer", {}),
    ("Basic", "basic", {}),
    ("Basic dXNlcjpw", "basic", {}),
]


@pytest.mark.parametrize(("line", "scheme", "parameters"), LINES)
def test_one_line(line, scheme, parameters):
    assert parse_challenges([line]) == (Challenge(scheme, parameters),)


@pytest.mark.parametrize(
    "line", ["", " Bearer realm=x", "Bearer: realm=x", ",Bearer realm=x", "realm=x", "B\u00e9arer"]
)
def test_lines_without_a_known_scheme_are_dropped(line):
    dropped = parse_challenges([line])
    assert [challenge.scheme for challenge in dropped] == (["bearer"] if line.startswith("Bearer:") else [])


def test_bearer_comes_before_digest_and_basic_and_the_rest_keeps_its_order():
    found = parse_challenges(["Basic a=1", "Digest a=2", "Bearer a=3", "Basic a=4", "Bearer a=5"])
    assert [(challenge.scheme, challenge.parameters["a"]) for challenge in found] == [
        ("bearer", "3"),
        ("bearer", "5"),
        ("digest", "2"),
        ("basic", "1"),
        ("basic", "4"),
    ]


@pytest.mark.parametrize(
    ("realm", "printed"),
    [
        ("HTTPS://AUTH.example/t", "https://AUTH.example/t"),
        ("https://a.example/a b", "https://a.example/a%20b"),
        ("https://a.example/\u00e9", "https://a.example/%C3%A9"),
        ("https://a.example/\udce9", "https://a.example/%E9"),
        ("/token", "/token"),
        ("", ""),
    ],
)
def test_the_realm_is_printed_as_go_does(realm, printed):
    assert asked_token(Challenge("bearer", {"realm": realm})).realm == printed


@pytest.mark.parametrize("realm", ["://bad", "https://[::1", "https://a.example/%zz", "https://a.example:x/", "a\x00b"])
def test_a_realm_that_is_no_url(realm):
    with pytest.raises(MalformedChallenge, match=r"^realm: not a URL"):
        asked_token(Challenge("bearer", {"realm": realm}))


@pytest.mark.parametrize(
    "realm",
    [
        "",
        "/token",
        "auth.example",
        "//auth.example/t",
        "file:///etc/passwd",
        "https:",
        "https:t",
        "https:///t",
        "https://?x",
    ],
)
def test_a_realm_that_cannot_be_asked(realm):
    with pytest.raises(MalformedInput, match=r"^realm: not an http or https URL with a host$"):
        token_request(Challenge("bearer", {"realm": realm}), "team/app")


def test_scopes_are_sorted_and_once_each():
    asked = Challenge("bearer", {"realm": "https://a.example/t", "scope": f"repository:z:pull {PULL} {PULL} a"})
    assert token_request(asked, "team/app").scopes == ("a", PULL, "repository:z:pull")
    assert asked_token(asked).scopes == ("repository:z:pull", PULL, PULL, "a")


def test_a_service_that_is_not_given_is_left_out():
    assert TokenRequest("https://a.example/t").url == "https://a.example/t"
    assert TokenRequest("https://a.example:/t:/x").url == "https://a.example/t:/x"
    assert TokenRequest("https://a.example/https://b:/").url == "https://a.example/https://b:/"
    assert TokenRequest("https://a.example/t?", "a b&c", ("\u00e9",)).url == (
        "https://a.example/t?scope=%C3%A9&service=a+b%26c"
    )
