"""Laws of challenges, realms, keyring and patterns; each test quotes the clause it shows."""

import base64
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from webhook.core.challenge import Challenge, TokenRequest, parse_challenges, token_request
from webhook.core.dockerconfig import Login, read_docker_config, read_users_config
from webhook.core.errors import BadCredentials, MalformedChallenge
from webhook.core.goglob import glob_matches
from webhook.core.keyring import Credential, Keyring, PullSecret
from webhook.core.realm import realm_may_have_credentials

TEXT = st.text(max_size=20)  # without surrogates, as from JSON or a header in UTF-8
ANY_TEXT = st.text(alphabet=st.one_of(st.characters(), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)))
NAMES = st.from_regex(r"[a-z]{1,3}(?:\.[a-z]{1,3}){0,3}", fullmatch=True)
JSON = "kubernetes.io/dockerconfigjson"


def secret(name: str, auths: object) -> PullSecret:
    return PullSecret("team", name, JSON, json.dumps({"auths": auths}).encode())


# Patterns as (Go's pattern, the same as a regular expression).
LITERAL = st.sampled_from("ab-\u00e9]").map(lambda c: (c, re.escape(c)))
ESCAPED = st.sampled_from("ab*?[\\").map(lambda c: (f"\\{c}", re.escape(c)))
CLASS = st.tuples(st.sampled_from(["", "^"]), st.sampled_from(["a", "a-b", "b-c", "\u00e0-\u00ff", "a-ac"])).map(
    lambda pair: (f"[{pair[0]}{pair[1]}]", f"[{pair[0]}{pair[1]}]")
)
PARTS = st.one_of(LITERAL, ESCAPED, CLASS, st.just(("*", "[^/]*")), st.just(("?", "[^/]")))
PATTERNS = st.lists(PARTS, max_size=7).map(lambda parts: tuple(map("".join, zip(*parts, strict=True))) or ("", ""))


@given(PATTERNS, st.text(alphabet="ab-\u00e9]*?[\\/c", max_size=8))
def test_globs_match_as_documented(pattern, name):
    """match.go: "'*' matches any sequence of non-Separator characters"; "requires pattern to match all of name"."""
    go, regex = pattern
    assert glob_matches(go, name) is (re.fullmatch(regex, name, re.DOTALL) is not None)


@given(ANY_TEXT, ANY_TEXT)
def test_any_pattern_has_an_answer(pattern, name):
    """match.go: "The only possible returned error is ErrBadPattern" - and that one is no match here."""
    assert glob_matches(pattern, name) in {True, False}


@given(st.binary(max_size=12).filter(lambda name: b":" not in name), st.binary(max_size=12), st.booleans())
def test_auth_is_read_byte_for_byte(username, password, padded):
    """config.go: "The format of the auth field is base64(<username>:<password>)"; padded or not."""
    auth = base64.b64encode(username + b":" + password).decode()
    given_auth = auth if padded else auth.rstrip("=")
    (credential,) = Keyring.from_secrets([secret("s", {"reg.example": {"auth": given_auth}})]).lookup("reg.example/a")
    assert credential.basic == auth


@given(NAMES, st.lists(st.sampled_from(["", "/a", "/a/b", "/a/bc", "/b"]), unique=True, min_size=1), st.randoms())
def test_more_specific_paths_come_first(host, paths, random):
    """keyring.go: "The index is reverse-sorted so more specific paths are matched first"; not the order of entries."""
    auths = {f"{host}{path}": {"username": path, "password": "p"} for path in paths}
    shuffled = list(auths.items())
    random.shuffle(shuffled)
    found = [
        credential.username
        for credential in Keyring.from_secrets([secret("s", dict(shuffled))]).lookup(f"{host}/a/bcd")
    ]
    assert found == sorted((path for path in paths if "/a/bcd".startswith(path)), reverse=True)


@given(st.binary(max_size=60), ANY_TEXT)
def test_a_secret_is_read_or_refused(data, name):
    """BadCredentials is the only error, whatever the bytes; a keyring answers for any name."""
    try:
        keyring = Keyring.from_secrets([PullSecret("team", "s", JSON, data)])
    except BadCredentials:
        return
    assert all(credential.source == "team/s" for credential in keyring.lookup(name))


@given(
    st.dictionaries(ANY_TEXT, st.fixed_dictionaries({}, optional={"username": TEXT, "auth": TEXT}), max_size=3),
    ANY_TEXT,
)
def test_any_key_is_taken_or_passed_over(auths, name):
    """keyring.go: "Entry %q in dockercfg invalid (%v), ignoring": an odd key is no error."""
    try:
        keyring = Keyring.from_secrets([secret("s", auths)])
    except BadCredentials:
        assert any(login.get("auth") for login in auths.values())
    else:
        keyring.lookup(name)


@given(TEXT, TEXT, TEXT, TEXT, st.binary(min_size=1, max_size=16))
def test_a_cache_key_is_one_credential(user, word, other_user, other_word, salt):
    """Design, section 6: what a credential may see is never shown to another."""
    same = (user, word) == (other_user, other_word)
    assert (Credential(user, word, "a").key(salt) == Credential(other_user, other_word, "b").key(salt)) is same


TOKENS = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)


@given(
    st.dictionaries(TOKENS, st.text(alphabet=st.sampled_from('ab",\\= \t\u00e9'), max_size=8), max_size=4),
    st.booleans(),
)
def test_parameters_come_back(parameters, spaced):
    """RFC 9110 5.6.4: "Recipients that process the value of a quoted-string MUST handle a quoted-pair as if it were
    replaced by the octet following the backslash"; 11.2: parameters are separated by commas with optional space."""
    pairs = [f'{name}="' + re.sub(r'(["\\])', r"\\\1", value) + '"' for name, value in parameters.items()]
    assert parse_challenges(["Bearer " + (" , " if spaced else ",").join(pairs)]) == (Challenge("bearer", parameters),)


@given(st.lists(ANY_TEXT, max_size=3), st.lists(ANY_TEXT, max_size=3))
def test_any_header_is_read(lines, realms):
    """Headers come from anybody: reading them raises nothing, asking for a token MalformedChallenge alone."""
    challenges = [*parse_challenges(lines), *(Challenge("bearer", {"realm": f"https://{realm}"}) for realm in realms)]
    for challenge in challenges:
        try:
            asked = token_request(challenge, "team/app")
        except MalformedChallenge:
            continue
        assert asked.url.isascii()
        assert "repository:team/app:pull" in asked.scopes


@given(TEXT, st.lists(TEXT, max_size=3), st.sampled_from(["", "?", "?a=b", "?service=x&scope=y", "#f"]))
def test_nothing_gets_out_of_its_parameter(service, scopes, tail):
    """A service with & or # in it adds no parameter and cuts none off (fetch.go encodes the query)."""
    url = TokenRequest(f"https://auth.example/t{tail}", service, tuple(scopes)).url
    base, _, query = url.partition("?")
    assert base == "https://auth.example/t"
    assert re.fullmatch(r"(?:[a-z]+=[A-Za-z0-9_.~+%-]*(?:&|\Z))*", query)
    own = {"?a=b": 1, "?service=x&scope=y": 2}.get(tail, 0)
    assert len(query.split("&")) == own + bool(service) + len(scopes) or not query


LABELS = st.sampled_from(["reg", "auth", "example", "corp", "io", "1", "0x1", "a-b"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@given(HOSTS, HOSTS, st.sampled_from(["http", "https"]), st.booleans())
def test_credentials_stay_in_the_family(registry, realm, scheme, plain_http):
    """Issue: "https (http only for a host that is set to plain HTTP)", "only when it belongs to the registry's own
    domain": one host is a tail of the other, label by label, and never a sibling."""
    ours, theirs = registry.split("."), realm.split(".")
    shorter = min(len(ours), len(theirs))
    if realm_may_have_credentials(registry, f"{scheme}://{realm}/t", plain_http=plain_http):
        assert scheme == "https" or plain_http
        assert ours[-shorter:] == theirs[-shorter:]
        assert shorter > 1 or registry == realm
    else:
        assert registry != realm or (scheme == "http" and not plain_http)


@given(ANY_TEXT, ANY_TEXT)
def test_any_realm_has_an_answer(registry, realm):
    """What is odd is refused: no error leaves the rule."""
    assert realm_may_have_credentials(registry, realm) in {True, False}
    assert realm_may_have_credentials("reg.example", f"https://{realm}", allowed=[registry]) in {True, False}


VALUES: st.SearchStrategy[object] = st.one_of(st.none(), TEXT, st.just("dTpw"), st.integers(), st.just([]))
FIELDS = ("auth", "username", "password", "identitytoken", "registrytoken")
LOGINS = st.one_of(
    VALUES, st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, st.one_of(TEXT, st.just("dTpw"), VALUES)))
)


@given(st.dictionaries(NAMES, LOGINS, max_size=4))
def test_an_entry_counts_whatever_stands_beside_it(auths):
    """file.go, LoadFromReader: an error ends the reading of entries, and docker goes on with those that it has; which,
    is chance there. Here it is each that can be read by itself."""
    found, doubts = read_users_config(json.dumps({"auths": auths}).encode(), "f")
    alone: list[Login] = []
    for name, entry in sorted(auths.items()):
        try:
            alone += read_docker_config(json.dumps({"auths": {name: entry}}).encode(), "f").logins
        except BadCredentials:
            assert doubts
    assert found.logins == tuple(alone)
    assert all(line.startswith("f: entry ") for line in doubts)


@given(st.binary(max_size=60))
def test_a_users_configuration_is_read_or_refused(data):
    """BadCredentials is the only error, whatever the bytes; what can be read strictly is read alike."""
    try:
        strict = read_docker_config(data, "f")
    except BadCredentials:
        strict = None
    try:
        found = read_users_config(data, "f")
    except BadCredentials:
        assert strict is None
    else:
        assert strict is None or found == (strict, ())
