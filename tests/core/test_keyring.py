"""The kubelet's keyring. Rows named after a case repeat it; golden/keyring has what the kubelet itself answered."""

import base64
import json
import traceback
from typing import Any

import pytest

from webhook.core.errors import BadCredentials, MalformedInput
from webhook.core.keyring import Credential, Keyring, PullSecret

JSON, CFG = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def entry(login: str | dict[str, Any]) -> dict[str, Any]:
    """An entry of a docker configuration: as it stands, or `user:password` in the way `kubectl create secret` does."""
    if isinstance(login, dict):
        return login
    return {"auth": base64.b64encode(login.encode()).decode()}


def pull_secret(name: str, auths: dict[str, Any], **more: Any) -> PullSecret:
    document = {"auths": {key: entry(login) for key, login in auths.items()}, **more}
    return PullSecret("team", name, JSON, json.dumps(document).encode())


def raw(data: str | bytes, kind: str = JSON, name: str = "pull") -> PullSecret:
    return PullSecret("team", name, kind, data if isinstance(data, bytes) else data.encode())


def logins(found: tuple[Credential, ...]) -> list[str]:
    return [f"{credential.username}:{credential.password}" for credential in found]


# (repository name, entries of one secret, what is tried in order)
ONE_SECRET = [
    pytest.param(
        "docker.io/library/nginx",
        {"https://index.docker.io/v1/": "hub:w"},
        ["hub:w"],
        id="ref-hub-spellings/credentials#1",
    ),
    pytest.param(
        "registry-1.docker.io/nginx", {"https://index.docker.io/v1/": "hub:w"}, [], id="ref-hub-spellings/credentials#2"
    ),
    pytest.param(
        "docker.io:443/nginx", {"https://index.docker.io/v1/": "hub:w"}, [], id="ref-hub-spellings/credentials#3"
    ),
    pytest.param(
        "quay.io/foobar/app",
        {"quay.io": "wide:w", "quay.io/foo": "foo:w", "quay.io/foobar": "foobar:w"},
        ["foobar:w", "foo:w", "wide:w"],
        id="auth-path-scoped-keys#1",
    ),
    pytest.param(
        "quay.io/fo/app", {"quay.io": "wide:w", "quay.io/foo": "foo:w"}, ["wide:w"], id="auth-path-scoped-keys#2"
    ),
    pytest.param("reg.example/team/app", {"reg.example/*": "star:w"}, [], id="auth-path-scoped-keys#3"),
    pytest.param(
        "docker.io/library/nginx", {"https://index.docker.io/v1/": "hub:w"}, ["hub:w"], id="auth-key-spellings#1"
    ),
    pytest.param("docker.io/library/nginx", {"https://index.docker.io/v1": "hub:w"}, [], id="auth-key-spellings#2"),
    pytest.param(
        "docker.io/library/nginx", {"https://index.docker.io/v1/access-token": "hub:w"}, [], id="auth-key-spellings#3"
    ),
    pytest.param("docker.io/library/nginx", {"registry-1.docker.io": "hub:w"}, [], id="auth-key-spellings#4"),
    pytest.param(
        "docker.io/library/nginx",
        {"docker.io": "plain:w", "https://index.docker.io/v1/": "hub:w"},
        ["plain:w"],
        id="auth-key-spellings#5",
    ),
    pytest.param("quay.io/team/app", {"https://quay.io/v2/team": "team:w"}, ["team:w"], id="auth-key-spellings#6"),
    pytest.param("gcr.io/p/app", {"https://gcr.io/v1": "gcr:w"}, [], id="auth-key-spellings#7"),
    pytest.param("ghcr.io/a/b", {"docker://ghcr.io": "gh:w"}, [], id="auth-key-spellings#8"),
    pytest.param(
        "123.dkr.ecr.us-east-1.amazonaws.com/a",
        {"*.dkr.ecr.us-east-1.amazonaws.com": "AWS:w"},
        ["AWS:w"],
        id="auth-wildcard-host#1",
    ),
    pytest.param(
        "x.123.dkr.ecr.us-east-1.amazonaws.com/a",
        {"*.dkr.ecr.us-east-1.amazonaws.com": "AWS:w"},
        [],
        id="auth-wildcard-host#2",
    ),
    pytest.param(
        "myreg.azurecr.io/a",
        {"*.azurecr.io": "star:w", "myreg.azurecr.io": "exact:w"},
        ["exact:w", "star:w"],
        id="auth-wildcard-host#3",
    ),
    pytest.param("quay.io/a", {"*.io": "star:w"}, ["star:w"], id="auth-wildcard-host#4"),
    pytest.param("a.b.io/a", {"*.io": "star:w"}, [], id="auth-wildcard-host#5"),
    pytest.param("reg1.local/a", {"reg*.local": "part:w"}, ["part:w"], id="auth-wildcard-host#6"),
    pytest.param(
        "a.example/x",
        {"a.example": {"username": "u", "password": "p:q-with-colon"}},
        ["u:p:q-with-colon"],
        id="auth-entry-forms#1",
    ),
    pytest.param(
        "b.example/x",
        {"b.example": {"auth": "dTpwOnE", "username": "other", "password": "other-word"}},
        ["u:p:q"],
        id="auth-entry-forms#2",
    ),
    pytest.param(
        "c.azurecr.io/x",
        {"c.azurecr.io": {"auth": "MDAwMDA6", "identitytoken": "identity-token-T"}},
        ["00000:"],
        id="auth-entry-forms#3",
    ),
    pytest.param("reg.example:5000/app", {"reg.example": "u:p"}, [], id="a port that the key does not give"),
    pytest.param("reg.example/app", {"reg.example:443": "u:p"}, [], id="a port that the image does not give"),
    pytest.param("reg.example:5000/app", {"*.example:5000": "u:p"}, ["u:p"], id="star and port"),
    pytest.param("reg.example:5000/app", {"reg.example:*": "u:p"}, [], id="no star in a port"),
    pytest.param("[::1]:5000/app", {"[::1]:5000": "u:p"}, ["u:p"], id="IPv6 with a port"),
    pytest.param("[::1]/app", {"[::1]": "u:p"}, [], id="IPv6 without a port is a character class"),
    pytest.param("quay.io/a", {"[pq]uay.io": "u:p"}, [], id="a class is no host of a URL"),
    pytest.param("quay.io/a", {"quay.i?": "u:p"}, [], id="a question mark begins a query"),
    pytest.param("quay.io/a", {"QUAY.io": "u:p"}, [], id="case counts"),
    pytest.param("quay.io/a", {"quay.io": {}}, [":"], id="an empty entry is offered too"),
]


@pytest.mark.parametrize(("repository", "auths", "tried"), ONE_SECRET)
def test_which_entries_are_tried(repository, auths, tried):
    assert logins(Keyring.from_secrets([pull_secret("s", auths)]).lookup(repository)) == tried


def test_helpers_in_a_secret_are_ignored():
    """auth-entry-forms#4."""
    secret = pull_secret(
        "s", {"other.example": "u:w"}, credsStore="no-such-store", credHelpers={"gcr.io": "no-such-helper"}
    )
    assert Keyring.from_secrets([secret]).lookup("gcr.io/p/x") == ()


def test_secrets_keep_their_order_within_a_key():
    """auth-several-secrets-one-registry/order#1."""
    secrets = [pull_secret(name, {"registry.gitlab.com": f"user:{name}"}) for name in ("b", "a")]
    found = Keyring.from_secrets(secrets).lookup("registry.gitlab.com/team/app")
    assert logins(found) == ["user:b", "user:a"]
    assert [credential.source for credential in found] == ["team/b", "team/a"]


def test_keys_go_before_secrets():
    """auth-several-secrets-one-registry/order#2."""
    secrets = [
        pull_secret("a", {"registry.gitlab.com": "one:w"}),
        pull_secret("b", {"registry.gitlab.com/team": "two:w"}),
    ]
    assert logins(Keyring.from_secrets(secrets).lookup("registry.gitlab.com/team/app")) == ["two:w", "one:w"]


def test_spellings_of_one_key_go_by_their_text():
    """The kubelet's order is that of a Go map; ours is always the same."""
    auths = {"https://quay.io/v1/": "c:w", "quay.io": "d:w", "http://quay.io": "b:w"}
    for order in (auths, dict(reversed(auths.items()))):
        assert logins(Keyring.from_secrets([pull_secret("s", order)]).lookup("quay.io/a")) == ["b:w", "c:w", "d:w"]


FORMS = [
    pytest.param('{"auths":{"quay.io":{"auth":"dTpw"}}}', JSON, ["u:p"], id="dockerconfigjson"),
    pytest.param('{"quay.io":{"auth":"dTpw"}}', CFG, ["u:p"], id="dockercfg"),
    pytest.param('{"quay.io":{"auth":"dTpw"}}', JSON, [], id="dockercfg's form under the other type"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTpw"}}}', CFG, [], id="dockerconfigjson's form under the other type"),
    pytest.param("no JSON at all", "Opaque", [], id="another type"),
    pytest.param("", JSON, [], id="empty"),
    pytest.param("null", JSON, [], id="null"),
    pytest.param('{"AUTHS":{"quay.io":{"U\\u017fername":"u","PassWord":"p"}}}', JSON, ["u:p"], id="case of keys"),
    pytest.param('{"auths":{"quay.io":null}}', JSON, [":"], id="a null entry"),
    pytest.param('{"auths":{"a":{}},"auths":{"quay.io":{"auth":"dTpw"}}}', JSON, ["u:p"], id="repeated auths merge"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTpw"},"quay.io":{}}}', JSON, [":"], id="a repeated entry replaces"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTpw"}},"auths":null}', JSON, [], id="null takes all away"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTpw","auth":null}}}', JSON, ["u:p"], id="null leaves a string"),
    pytest.param('{"auths":{"quay.io":{"auth":"","username":"u"}}}', JSON, ["u:"], id="an empty auth does not count"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTo="}}}', JSON, ["u:"], id="padding where it belongs"),
    pytest.param('{"auths":{"quay.io":{"auth":"dTo"}}}', JSON, ["u:"], id="no padding"),
    pytest.param('{"auths":{"quay.io":{"auth":"dT\\no=\\r\\n"}}}', JSON, ["u:"], id="line breaks"),
    pytest.param('{"auths":{"%":{"auth":"dTpw"},"quay.io":{"auth":"dTpw"}}}', JSON, ["u:p"], id="a key that is no URL"),
]


@pytest.mark.parametrize(("data", "kind", "tried"), FORMS)
def test_forms_of_a_secret(data, kind, tried):
    assert logins(Keyring.from_secrets([raw(data, kind)]).lookup("quay.io/a")) == tried


MALFORMED = [
    pytest.param("{'auths':{}}", "it is not JSON", id="quotes"),
    pytest.param('{"auths":{}}x', "it is not JSON", id="more behind it"),
    pytest.param('\ufeff{"auths":{}}', "it is not JSON", id="byte order mark"),
    pytest.param("[]", "a field has a wrong type", id="an array"),
    pytest.param('{"auths":[]}', "a field has a wrong type", id="entries in an array"),
    pytest.param('{"auths":{"other.example":{"auth":5}}}', "a field has a wrong type", id="a number"),
    pytest.param('{"auths":{},"HttpHeaders":{"a":1}}', "a field has a wrong type", id="headers"),
    *(
        pytest.param(
            json.dumps({"auths": {"other.example": {"auth": auth}}}),
            "an auth field is not the base64 of user:password",
            id=repr(auth),
        )
        for auth in ("!!", "====", "dTpw=", "dTo =", " dTo=", "dTpwd", "dTo_", "bm9jb2xvbg==", "dTo=\u00a0")
    ),
]


@pytest.mark.parametrize(("data", "problem"), MALFORMED)
def test_one_bad_entry_stops_the_pull_of_every_image(data, problem):
    with pytest.raises(BadCredentials) as caught:
        Keyring.from_secrets([pull_secret("good", {"quay.io": "u:p"}), raw(data, name="bad")])
    assert str(caught.value) == f"secret team/bad, key .dockerconfigjson: {problem}"
    assert isinstance(caught.value, MalformedInput)


def test_the_key_of_dockercfg_is_named():
    with pytest.raises(BadCredentials, match=r"^secret team/pull, key \.dockercfg: it is not JSON$"):
        Keyring.from_secrets([raw("{", CFG)])


def test_a_docker_configuration_goes_by_the_same_rules():
    text = json.dumps({"auths": {"*.example": entry("u:p")}, "credsStore": "x"}).encode()
    found = Keyring.from_docker_config(text, "config.json").lookup("reg.example/a")
    assert logins(found) == ["u:p"]
    assert found[0].source == "config.json"
    for broken in (b"", b"{"):
        with pytest.raises(BadCredentials, match=r"^config\.json: it is not JSON$"):
            Keyring.from_docker_config(broken, "config.json")


def test_bytes_that_are_not_utf8_are_kept():
    secret = b"\xff\xe4\xb8:\xed\xa0\x80:\xfe"
    auth = base64.b64encode(secret).decode()
    (credential,) = Keyring.from_secrets([raw(json.dumps({"auths": {"quay.io": {"auth": auth}}}))]).lookup("quay.io/a")
    assert base64.b64decode(credential.basic) == secret
    assert credential.username.encode("utf-8", "surrogateescape") == b"\xff\xe4\xb8"
    assert len(credential.key(b"salt")) == 64


def test_json_strings_have_no_such_bytes():
    data = b'{"auths":{"quay.io":{"username":"\xff\\ud800","password":"p"}}}'
    assert logins(Keyring.from_secrets([raw(data)]).lookup("quay.io/a")) == ["\ufffd\ufffd:p"]


@pytest.mark.parametrize(
    ("repository", "default"),
    [
        ("docker.io/library/nginx", True),
        ("index.docker.io/library/nginx", True),
        ("nginx", True),
        ("team/nginx", True),
        ("localhost/nginx", True),
        ("quay.io/nginx", False),
        ("localhost:5000/nginx", False),
        ("", False),
        ("/nginx", False),
    ],
)
def test_who_falls_back_to_the_default_registry(repository, default):
    """keyring.go, isDefaultRegistryMatch: a first part without dot and colon is a user, even localhost."""
    keyring = Keyring.from_secrets([pull_secret("s", {"index.docker.io": "hub:w"})])
    if repository.startswith("index.docker.io/"):
        assert logins(keyring.lookup(repository)) == ["hub:w"]  # by the key itself
    else:
        assert logins(keyring.lookup(repository)) == (["hub:w"] if default else [])


def test_no_secrets_no_credentials():
    assert Keyring.from_secrets([]).lookup("docker.io/library/nginx") == ()
    assert Keyring().lookup("docker.io/library/nginx") == ()


@pytest.mark.parametrize(
    ("username", "password", "anonymous"),
    [("u", "p", False), ("", "", True), ("", "p", True), ("u", "", True)],
)
def test_what_containerd_takes_for_anonymous(username, password, anonymous):
    assert Credential(username, password).anonymous is anonymous


def test_a_cache_knows_a_credential_by_its_content():
    salt = b"0123456789abcdef"
    first = Credential("user", "word", "team/a").key(salt)
    assert Credential("user", "word", "team/b").key(salt) == first
    others = [
        Credential("userw", "ord"),
        Credential("user", "word2"),
        Credential("", "userword"),
        Credential("word", "user"),
    ]
    assert len({first, *(other.key(salt) for other in others)}) == 1 + len(others)
    assert Credential("user", "word").key(b"another salt") != first
    assert "user" not in first
    assert "word" not in first


def test_a_hostile_secret_costs_little():
    """Backtracking over stars, or bits as many as the pattern is long, would not end."""
    label = "a" * 200
    patterns = {f"{'*a' * 60}{number}b.example": "u:p" for number in range(300)}
    patterns |= {
        f"{'*' * 100_000}b.example": "u:p",
        f"{'?' * 500_000}.example": "u:p",
        f"[{'a-b' * 100_000}].example": "u:p",
    }
    keyring = Keyring.from_secrets([pull_secret("s", patterns)])
    assert keyring.lookup(f"{label}.example/app") == ()
    assert keyring.lookup(f"{'a' * 500_000}.example/app") == ()


MARK = "s3cr3t-m4rk"


def _everything_that_prints() -> list[object]:
    """Objects made of a marked secret, and errors about one."""
    marked = [
        pull_secret("a", {f"quay.io/{MARK}": f"{MARK}:{MARK}"}),
        pull_secret("b", {"quay.io": {"username": MARK, "password": MARK, "email": MARK, "identitytoken": MARK}}),
    ]
    keyring = Keyring.from_secrets(marked)
    found: list[object] = [*marked, keyring, *keyring.lookup("quay.io/x"), keyring.lookup(f"quay.io/{MARK}")]
    encoded = base64.b64encode(MARK.encode()).decode()
    broken = [
        f'{{"auths":{{"{MARK}":{{"auth":"{encoded}"}}}}}}',
        f'{{"auths":{{"{MARK}":{{"auth":"{MARK}"}}}}}}',
        f'{{"auths":{{"{MARK}":{{"password":["{MARK}"]}}}}}}',
        f'{{"auths":{{"{MARK}":["{MARK}"]}}}}',
        f'{{"auths":"{MARK}"}}',
        f'{{"HttpHeaders":{{"{MARK}":1}}}}',
        f'{{"{MARK}',
        MARK,
    ]
    for data in broken:
        with pytest.raises(BadCredentials) as caught:
            Keyring.from_secrets([raw(data)])
        found.append(caught.value)
    return found


@pytest.mark.parametrize("printed", _everything_that_prints(), ids=lambda value: type(value).__name__)
def test_no_secret_is_ever_printed(printed):
    texts = [repr(printed), str(printed), f"{printed}"]
    if isinstance(printed, BaseException):
        assert printed.__cause__ is None
        assert printed.__context__ is None  # a logger would print it
        frames = [*traceback.walk_tb(printed.__traceback__)]
        assert frames
        texts += [repr(printed.args), repr(vars(printed))]
    encoded = base64.b64encode(MARK.encode()).decode().rstrip("=")
    for text in texts:
        assert MARK not in text
        assert encoded not in text
