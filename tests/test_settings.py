"""Settings: each key by a table, hostile files, the environment, and docs/settings.md (design, section 12)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from webhook.core.errors import MalformedSettings
from webhook.settings import NOT_YET, Settings, load_settings, parse_settings
from webhook.settings_doc import document
from webhook.settings_text import single_values, variable
from webhook.settings_values import quantity, seconds

DOC = Path(__file__).parents[1] / "docs" / "settings.md"

ACTION = (["allow", "warn", "deny"], ["Deny", "off", "", None, True, 1])
TEXTS = ([[], ["a"], ["a*", "b"]], ["a", [""], [1], [None], {"a": "b"}, None])
DURATION_WRONG = ["5", 5, "5 s", "1d", "", None, True, [], "-1s", "nan", "1e3s", "\u0665s"]
CIDRS = (
    [[], ["10.0.0.0/8"], ["::1/128", "127.0.0.1"], ["0.0.0.0/0"]],
    ["10.0.0.0/8", ["10.0.0.1/8"], ["10.0.0.0/33"], ["x"], [""], [1], [167772160], ["fe80::1%eth0/128"]],
)

KEYS: dict[str, tuple[list[Any], list[Any]]] = {
    "mode": (["deny", "warn", "audit", "off"], ["", "on", False, None, 1, ["deny"]]),
    "namespaceLabel": (["any", "stricter", "ignored"], ["all", True, None]),
    **{f"decisions.{key}": ACTION for key in ("mismatch", "partial", "undetermined", "noCandidates", "daemonSetPods")},
    "nodes.declared": ([[], [{"platform": "linux/arm64"}]], [{}, "linux/arm64", ["linux/arm64"], [{}], None]),
    "nodes.declared.platform": (
        ["linux/arm64", "linux/arm/v6", "windows/amd64:10.0.20348"],
        ["linux", "", "linux/arm64:1", None, 1],
    ),
    "nodes.declared.runtime": (["", "containerd://2.1.4", "cri-o://1.33.2"], ["containerd", "://1", "docker://", None]),
    "nodes.declared.labels": ([{}, {"a": "b", "c": ""}], [{"a": 1}, {"a": None}, {"": "a"}, [], None, "a=b"]),
    "nodes.declared.taints": (
        [[], [{"key": "a", "effect": "NoSchedule"}], [{"key": "a", "value": "b", "effect": "NoExecute"}]],
        [[{"key": "a"}], [{"key": "", "effect": "NoSchedule"}], [{"key": "a", "effect": "Never"}], ["a"], None],
    ),
    "nodes.nodePools": ([True, False], ["true", 1, None, []]),
    "nodes.transientTaints": TEXTS,
    "exempt.namespaces": TEXTS,
    "exempt.images": TEXTS,
    "registries.hostsDir": ([None, "/etc/certs.d"], ["", 1, ["/etc"]]),
    "registries.allowedAddresses": CIDRS,
    "registries.deniedAddresses": CIDRS,
    "registries.allowedHosts": TEXTS,
    "registries.realms": (
        [
            [],
            [{"registry": "reg.example", "realm": "https://gitlab.example/jwt/auth"}],
            [{"registry": "reg.example:5000", "realm": "auth.example:5001"}, {"registry": "[::1]:5", "realm": "a"}],
        ],
        [
            [{"registry": "reg.example"}],
            [{"realm": "a"}],
            [{"registry": "https://reg.example", "realm": "a"}],
            [{"registry": "reg.example/team", "realm": "a"}],
            [{"registry": "", "realm": "a"}],
            [{"registry": "a", "realm": "ftp://a"}],
            [{"registry": "a", "realm": "https://user@a/"}],
            [{"registry": "a", "realm": "a/b"}],
            {"reg.example": "a"},
            None,
        ],
    ),
    "registries.credentials": (
        [
            [],
            [
                {"match": "*.reg.example/team", "namespaces": ["*"], "username": "u", "passwordFile": "/f"},
                {"match": "[::1]:5000", "namespaces": ["a", "b-*"], "username": "u", "passwordFile": "/f"},
                {"match": "https://index.docker.io/v1/", "namespaces": ["*"], "username": "u", "passwordFile": "/f"},
                {"dockerConfigFile": "/f", "namespaces": ["*"]},
            ],
        ],
        [
            {},
            None,
            [{}],
            ["/f"],
            [{"dockerConfigFile": "/f"}],
            [{"dockerConfigFile": "/f", "namespaces": []}],
            [{"dockerConfigFile": "/f", "namespaces": "*"}],
            [{"dockerConfigFile": "", "namespaces": ["*"]}],
            [{"dockerConfigFile": "/f", "username": "u", "namespaces": ["*"]}],
            [{"dockerConfigFile": "/f", "password": "p", "namespaces": ["*"]}],
            [{"match": "a", "username": "u", "namespaces": ["*"]}],
            [{"match": "a", "passwordFile": "/f", "namespaces": ["*"]}],
            [{"username": "u", "passwordFile": "/f", "namespaces": ["*"]}],
            [{"match": "a b", "username": "u", "passwordFile": "/f", "namespaces": ["*"]}],
            [{"match": "/team", "username": "u", "passwordFile": "/f", "namespaces": ["*"]}],
            [{"match": "", "username": "u", "passwordFile": "/f", "namespaces": ["*"]}],
        ],
    ),
    "registries.credentialProviders": (
        [None, {"config": "/f", "binDir": "/d", "namespaces": ["*"]}],
        [
            {},
            [],
            "/f",
            {"config": "/f", "binDir": "/d"},
            {"config": "/f", "binDir": "/d", "namespaces": []},
            {"config": "", "binDir": "/d", "namespaces": ["*"]},
            {"config": "/f", "binDir": "/d", "namespaces": ["*"], "env": []},
        ],
    ),
    "registries.requestTimeout": (["1ms", "5s", "1m30s", "5m", "0.5s"], [*DURATION_WRONG, 0, "0s", "5m1s", "1us"]),
    "registries.concurrencyPerHost": ([1, 64, 1024], [0, -1, 1025, "64", 1.5, 64.0, True, None]),
    "cache.maxBytes": (
        ["1Mi", "32Mi", "64Gi", "1.5Gi", "2M", 1 << 20],
        ["1Ki", "65Gi", -1, 0, "32 Mi", "32mi", "1e9", "1.5", "", None, True, 1.5, "9" * 5000],
    ),
    "cache.tagTTL": (["0s", 0, "60s", "24h"], [*DURATION_WRONG, "24h1s"]),
    "cache.negativeTTL": (["0s", 0, "10s", "1h"], [*DURATION_WRONG, "61m"]),
    "cache.staleFor": (["0s", 0, "24h", "720h"], [*DURATION_WRONG, "721h"]),
    "deadlineMargin": (["0s", "1s", "30s"], [*DURATION_WRONG, "31s"]),
    "log.level": (["debug", "info", "warning", "error"], ["INFO", "trace", None, 10]),
    "log.format": (["json", "text"], ["yaml", None]),
    "server.address": (["", "127.0.0.1", "::"], [None, 1, ["::"]]),
    "server.port": ([0, 443, 65535], [-1, 65536, "443", 1.0, True, None]),
    "server.metricsPort": ([0, 8080], [-1, 65536, "x", None]),
    "server.certificateDir": (["/tls"], ["", None, 1]),
    "server.maxBodyBytes": (["1Mi", "16Mi", "128Mi"], ["1Ki", "129Mi", None, "x"]),
    "server.shutdownDelay": (["0s", "10s", "5m"], [*DURATION_WRONG, "301s"]),
}
"""By key: values that are taken, and values that are refused."""

LATER: dict[str, Any] = {
    "binding": "warn",
    "events": False,
    "kinds": [{"group": "argoproj.io", "resource": "rollouts", "podTemplate": ".spec.template"}],
    "registries.shortNames": "docker.io",
}


def tree(key: str, value: object) -> dict[str, Any]:
    """A tree with one key; a key of a declared node stands in the only one."""
    *above, last = key.split(".")
    made: dict[str, Any] = {last: value}
    if above == ["nodes", "declared"]:
        made = {"declared": [{"platform": "linux/amd64", **made}]}
        above = ["nodes"]
    for step in reversed(above):
        made = {step: made}
    return made


def shown(key: str) -> str:
    """A key as an error names it."""
    return key.replace("nodes.declared.", "nodes.declared[0].")


@pytest.mark.parametrize("key", KEYS)
def test_each_key(key: str):
    taken, refused = KEYS[key]
    for value in taken:
        parse_settings(tree(key, value))
    for value in refused:
        with pytest.raises(MalformedSettings) as caught:
            parse_settings(tree(key, value), "file.yaml")
        assert str(caught.value).startswith(f"file.yaml: {shown(key)}"), value
        assert len(caught.value.problem) < 120, "one line, whatever the value"


IN_LISTS = ("registries.realms.", "registries.credentials.", "registries.credentialProviders.")
"""Keys that are shown with the one that they stand in."""


def test_the_table_has_every_key():
    keys = {path for path, _ in keys_of(Settings)}
    keys -= {"nodes.declared.taints.key", "nodes.declared.taints.value", "nodes.declared.taints.effect"}
    keys = {key for key in keys if not key.startswith(IN_LISTS)}
    assert keys == KEYS.keys() | LATER.keys()


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, object]]:
    """Every key of the tree that is no tree itself, with its default; keys of lists without the index."""
    for name, field in model.model_fields.items():
        path = f"{above}.{field.alias or name}".lstrip(".")
        inner = [
            each
            for each in (field.annotation, *get_args(field.annotation))
            if isinstance(each, type) and issubclass(each, BaseModel)
        ]
        if field.annotation not in inner:
            yield path, field.get_default(call_default_factory=True)
        for each in inner:
            yield from keys_of(each, path)


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({"dockerConfigFile": "/f", "username": "u", "namespaces": ["*"]}, "username: does not go with"),
        ({"dockerConfigFile": "/f", "match": "a", "namespaces": ["*"]}, "match: does not go with"),
        ({"match": "a", "username": "u", "namespaces": ["*"]}, "passwordFile: is missing"),
        ({"namespaces": ["*"]}, "match: is missing"),
        ({"dockerConfigFile": "/f"}, "namespaces: is missing"),
        ({"dockerConfigFile": "/f", "namespaces": []}, "namespaces: must not be empty"),
        ({"dockerConfigFile": "/f", "namespaces": ["*"], "password_file": "/f"}, "password_file: unknown key"),
    ],
)
def test_credentials_have_one_of_two_forms(entry: dict[str, Any], path: str):
    good = {"dockerConfigFile": "/f", "namespaces": ["*"]}
    with pytest.raises(MalformedSettings, match=rf"^f: registries\.credentials\[1\]\.{path}"):
        parse_settings({"registries": {"credentials": [good, entry]}}, "f")


def test_the_defaults_are_those_of_the_design():
    settings = parse_settings({})
    assert settings == load_settings(None, {}) == Settings()
    assert settings.mode == "deny"
    assert settings.decisions.model_dump(by_alias=True) == {
        "mismatch": "deny",
        "partial": "warn",
        "undetermined": "warn",
        "noCandidates": "warn",
        "daemonSetPods": "warn",
    }
    assert settings.exempt.namespaces == ("kube-system",)
    assert (settings.registries.request_timeout, settings.registries.concurrency_per_host) == (5.0, 64)
    cache = settings.cache
    assert (cache.max_bytes, cache.tag_ttl, cache.negative_ttl, cache.stale_for) == (32 << 20, 60.0, 10.0, 86400.0)
    assert settings.deadline_margin == 1.0
    assert (settings.log.level, settings.log.format) == ("info", "json")


@pytest.mark.parametrize("key", LATER)
def test_a_key_without_its_feature_is_refused(key: str):
    for value in (LATER[key], None):
        with pytest.raises(MalformedSettings, match=r"^not yet|: not yet") as caught:
            parse_settings(tree(key, value), "file.yaml")
        assert caught.value.path == f"file.yaml: {key}"


def test_what_is_refused_as_not_yet_is_known():
    assert LATER.keys() == NOT_YET


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"mod": "deny"}, "mod"),
        ({"Mode": "deny"}, "Mode"),
        ({"namespace_label": "any"}, "namespace_label"),
        ({"registries": {"requestTimeOut": "5s"}}, "registries.requestTimeOut"),
        ({"registries": {"request_timeout": "5s"}}, "registries.request_timeout"),
        ({"cache": {"tagTtl": "5s"}}, "cache.tagTtl"),
        ({"nodes": {"declared": [{"platform": "linux/amd64", "arch": "x"}]}}, "nodes.declared[0].arch"),
        (
            {
                "nodes": {
                    "declared": [{"platform": "linux/amd64", "taints": [{"key": "a", "effect": "NoSchedule", "x": 1}]}]
                }
            },
            "nodes.declared[0].taints[0].x",
        ),
    ],
)
def test_unknown_keys(wrong: dict[str, Any], path: str):
    with pytest.raises(MalformedSettings) as caught:
        parse_settings(wrong, "file.yaml")
    assert (caught.value.path, caught.value.problem) == (f"file.yaml: {path}", "unknown key")


@pytest.mark.parametrize("key", ["decisions", "nodes", "exempt", "registries", "cache", "log", "server"])
def test_a_tree_must_be_a_tree(key: str):
    wrong: tuple[object, ...] = (None, [], "x", 1, True)
    for value in wrong:
        with pytest.raises(MalformedSettings) as caught:
            parse_settings({key: value}, "file.yaml")
        assert (caught.value.path, caught.value.problem) == (f"file.yaml: {key}", "must be a mapping of keys")


def test_nothing_of_it_can_be_changed():
    settings = parse_settings(tree("nodes.declared.labels", {"a": "b"}))
    with pytest.raises(ValidationError):
        settings.mode = "off"
    with pytest.raises(ValidationError):
        settings.cache.max_bytes = 1
    with pytest.raises(TypeError):
        settings.nodes.declared[0].labels["c"] = "d"  # type: ignore[index]  # what must not work
    assert isinstance(settings.exempt.images, tuple)


FILES = {
    "a list": ("- mode", "must be a mapping of keys"),
    "text": ("mode", "must be a mapping of keys"),
    "a number": ("7", "must be a mapping of keys"),
    "not YAML": ("mode: deny\nlog: [", "not YAML: line 2: "),
    "a tab": ("\tmode: deny", "not YAML: line 1: "),
    "a key twice": ("mode: deny\nlog: {}\nmode: warn", "not YAML: line 3: 'mode' stands twice"),
    "a key twice below": ("log:\n  level: info\n  level: debug", "not YAML: line 3: 'level' stands twice"),
    "a key that is no text": ("1: 2", "not YAML: line 1: a key is not text"),
    "a key that is a list": ("[a]: 2", "not YAML: line 1: a key is not text"),
    "a key that is null": ("~: 2", "not YAML: line 1: a key is not text"),
    "two documents": ("mode: deny\n---\nmode: warn", "not YAML: "),
    "a Python object": ("mode: !!python/object/apply:os.system [ls]", "not YAML: line 1: "),
    "an own tag": ("mode: !off deny", "not YAML: line 1: "),
    "bytes": ("mode: !!binary ZGVueQ==", "mode: must be one of deny, warn, audit, off"),
    "nested deeply": ("mode: " + "[" * 2000, "not YAML: "),
    "a huge number": ("server: {port: " + "9" * 5000 + "}", "not YAML: "),
    "an alias to itself": ("exempt: &a {images: [*a]}", "exempt.images[0]: must be a string"),
    "more than a settings file": ("mode: deny #" + "x" * (1 << 20), "is more than 1 MiB"),
    "a NUL": ("mode: \0", "not YAML: "),
    "a boolean of YAML 1.1": ("events: yes", "events: not yet"),
    "a date": ("mode: 2026-01-01", "mode: must be one of deny, warn, audit, off"),
    "a number of base 60": ("server: {port: 1:30}", "server.port: must be a whole number"),
    "an octal number": ("server: {port: 0700}", "server.port: must be a whole number"),
}


@pytest.mark.parametrize("name", FILES)
def test_hostile_files(tmp_path: Path, name: str):
    text, words = FILES[name]
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(MalformedSettings) as caught:
        load_settings(str(path), {})
    assert str(caught.value).startswith(f"{path}: {words}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_bomb_of_aliases_costs_nothing(tmp_path: Path):
    """Ten levels of nine aliases are 3.5 thousand million values; only those of the first level are looked at."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    path = tmp_path / "settings.yaml"
    for last in ("", "exempt: {images: *a9}"):
        path.write_text("\n".join([*lines, last]))
        with pytest.raises(MalformedSettings):
            load_settings(str(path), {})


def test_bytes_that_are_no_text(tmp_path: Path):
    path = tmp_path / "settings.yaml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(MalformedSettings, match="not YAML"):
        load_settings(str(path), {})


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "null\n", "{}", "\ufeff{}", "mode: deny\r\n"])
def test_a_file_that_says_nothing_means_the_defaults(tmp_path: Path, text: str):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    assert load_settings(str(path), {}) == Settings()


def test_words_that_yaml_11_takes_for_booleans(tmp_path: Path):
    path = tmp_path / "settings.yaml"
    path.write_text("mode: off\n")
    assert load_settings(str(path), {}).mode == "off"


@pytest.mark.parametrize("path", ["", "none.yaml", ".", "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, path: str):
    if path:
        with pytest.raises(MalformedSettings, match="cannot be read"):
            load_settings(str(tmp_path / path), {})
    else:
        assert load_settings(path, {"PODGATE_CONFIG": ""}) == Settings()


def test_where_the_file_comes_from(tmp_path: Path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("mode: warn")
    two.write_text("mode: audit")
    assert load_settings(None, {"PODGATE_CONFIG": str(one)}).mode == "warn"
    assert load_settings(str(two), {"PODGATE_CONFIG": str(one)}).mode == "audit"


ENVIRONMENT = {
    "PODGATE_MODE": "off",
    "PODGATE_NAMESPACE_LABEL": "stricter",
    "PODGATE_DECISIONS_NO_CANDIDATES": "deny",
    "PODGATE_REGISTRIES_HOSTS_DIR": "/hosts",
    "PODGATE_REGISTRIES_REQUEST_TIMEOUT": "250ms",
    "PODGATE_REGISTRIES_CONCURRENCY_PER_HOST": "8",
    "PODGATE_CACHE_MAX_BYTES": "1Gi",
    "PODGATE_CACHE_TAG_TTL": "0",
    "PODGATE_SERVER_PORT": "9443",
    "PODGATE_SERVER_MAX_BODY_BYTES": "2097152",
}


def test_the_environment_wins_over_the_file(tmp_path: Path):
    path = tmp_path / "settings.yaml"
    path.write_text("mode: warn\nserver: {port: 1, metricsPort: 2}\nlog: {level: debug}\n")
    settings = load_settings(str(path), {**ENVIRONMENT, "PODGATE_LOG_LEVEL": ""})
    assert (settings.mode, settings.namespace_label, settings.decisions.no_candidates) == ("off", "stricter", "deny")
    registries = settings.registries
    assert (registries.hosts_dir, registries.request_timeout, registries.concurrency_per_host) == ("/hosts", 0.25, 8)
    assert (settings.cache.max_bytes, settings.cache.tag_ttl) == (1 << 30, 0.0)
    assert (settings.server.port, settings.server.metrics_port, settings.server.max_body_bytes) == (9443, 2, 2 << 20)
    assert settings.log.level == "debug"  # an empty variable sets nothing


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PODGATE_MODE", "Deny", "PODGATE_MODE (mode): must be one of deny, warn, audit, off"),
        ("PODGATE_SERVER_PORT", "tcp://10.0.0.1:443", "PODGATE_SERVER_PORT (server.port): must be a whole number"),
        ("PODGATE_SERVER_PORT", "70000", "PODGATE_SERVER_PORT (server.port): must be from 0 to 65535"),
        ("PODGATE_SERVER_PORT", "9" * 5000, "PODGATE_SERVER_PORT (server.port): must be a whole number"),
        ("PODGATE_CACHE_TAG_TTL", "1d", "PODGATE_CACHE_TAG_TTL (cache.tagTTL): must be a duration"),
        ("PODGATE_EVENTS", "false", "PODGATE_EVENTS (events): not yet"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, words: str):
    with pytest.raises(MalformedSettings) as caught:
        load_settings(None, {name: value})
    assert str(caught.value).startswith(words)


def test_variables_of_kubernetes_are_no_settings():
    """Those that the kubelet makes from a Service named podgate."""
    made = {
        "PODGATE_SERVICE_HOST": "10.0.0.1",
        "PODGATE_SERVICE_PORT": "443",
        "PODGATE_PORT": "tcp://10.0.0.1:443",
        "PODGATE_PORT_443_TCP": "tcp://10.0.0.1:443",
        "PODGATE_PORT_443_TCP_PROTO": "tcp",
    }
    assert load_settings(None, made) == Settings()


def test_no_two_keys_have_one_variable():
    names = [variable(keys) for keys, _ in single_values(Settings)]
    assert len(names) == len(set(names)) > 20
    assert all(re.fullmatch(r"PODGATE_[A-Z_]+", name) for name in names)
    assert "PODGATE_CONFIG" not in names


@examples(max_examples=40)  # each of them goes through every key
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_a_key_is_more_than_refused(value: object):
    """Whatever stands at a key, parse_settings raises nothing but MalformedSettings."""
    for key in KEYS:
        with suppress(MalformedSettings):
            assert isinstance(parse_settings(tree(key, value)), Settings)


@examples(max_examples=20)  # as above
@given(st.dictionaries(st.text(), st.text(), max_size=3), st.text())
def test_no_environment_is_more_than_refused(environment: Mapping[str, str], value: str):
    for keys, _ in single_values(Settings):
        with suppress(MalformedSettings):
            loaded = load_settings(None, {**environment, variable(keys): value, "PODGATE_CONFIG": ""})
            assert isinstance(loaded, Settings)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("5s", 5),
        ("250ms", 0.25),
        ("1m30s", 90),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1us", 1e-6),
        ("+2s", 2),
        (0, 0),
    ],
)
def test_durations_are_those_of_go(text: object, value: float):
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        (7, 7),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Ki", 1536),
        (".5Ki", 512),
        ("2.", 2),
        ("3M", 3000000),
        ("1Ei", 1 << 60),
    ],
)
def test_quantities_are_those_of_kubernetes(text: object, value: int):
    assert quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "K", "1K", "1kb", "1 Ki", "0.5", "1.2345Ki", "1e3", "\u0661", True, 1.0, None, [], "-1"]
)
def test_what_is_no_quantity(text: object):
    with pytest.raises(ValueError, match="must be a quantity of bytes, such as 32Mi"):
        quantity(text)


def test_the_document_describes_every_key():
    text = DOC.read_text()
    for key, _ in keys_of(Settings):
        spelled = key.replace("nodes.declared.", "nodes.declared[].").replace(
            "declared[].taints.", "declared[].taints[]."
        )
        spelled = spelled.replace("registries.realms.", "registries.realms[].")
        spelled = spelled.replace("registries.credentials.", "registries.credentials[].")
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{spelled}` |")]
        assert ("*Not yet.*" in line) == (key in NOT_YET)
        assert len(line.split("|")[4].strip()) > 5, f"{key} is not described"


def test_the_document_is_what_the_settings_say():
    """Made anew by: python -m webhook.settings_doc > docs/settings.md."""
    assert DOC.read_text() == document()
