"""Settings from hostile files and from the environment."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from webhook.core.errors import MalformedSettings
from webhook.settings import Settings, load_settings
from webhook.settings_text import single_values, variable

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
    "a tag on nothing": ("deadlineMargin: !!float", "not YAML: line 1: is tagged float, and is none"),
    "a tag on what is none": ("events: !!bool maybe", "not YAML: line 1: is tagged bool, and is none"),
    "a tag on another form": ("server: {port: !!int {=: x}}", "not YAML: line 1: is tagged int, and is none"),
    "a text for a mapping": ("server: !!map ab", "not YAML: line 1: is tagged map, and is none"),
    "a time": ("mode: !!timestamp x", "not YAML: line 1: the tag 'tag:yaml.org,2002:timestamp' is not known"),
    "nested deeply": ("mode: " + "[" * 2000, "not YAML: "),
    "a huge number": ("server: {port: " + "9" * 5000 + "}", "not YAML: "),
    "an alias to itself": ("exempt: &a {images: [*a]}", "exempt.images[0]: must be a string"),
    "more than a settings file": ("mode: deny #" + "x" * (1 << 20), "is more than 1 MiB"),
    "a NUL": ("mode: \0", "not YAML: "),
    "a boolean of YAML 1.1": ("events: yes", "events: must be true or false"),
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
        ("PODGATE_EVENTS", "off", "PODGATE_EVENTS (events): must be true or false"),
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


@examples(max_examples=20)  # as above
@given(st.dictionaries(st.text(), st.text(), max_size=3), st.text())
def test_no_environment_is_more_than_refused(environment: Mapping[str, str], value: str):
    for keys, _ in single_values(Settings):
        with suppress(MalformedSettings):
            loaded = load_settings(None, {**environment, variable(keys): value, "PODGATE_CONFIG": ""})
            assert isinstance(loaded, Settings)
