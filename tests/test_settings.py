"""Settings: each key by a table, and docs/settings.md (design, section 12)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from webhook.core.errors import MalformedSettings
from webhook.settings import Settings, load_settings, parse_settings
from webhook.settings_doc import document

DOC = Path(__file__).parents[1] / "docs" / "settings.md"
ACTION = (["allow", "warn", "deny"], ["Deny", "off", "", None, True, 1])
TEXTS = ([[], ["a"], ["a*", "b"]], ["a", [""], [1], [None], {"a": "b"}, None])
DURATION_WRONG = ["5", 5, "5 s", "1d", "", None, True, [], "-1s", "nan", "1e3s", "\u0665s"]


CIDRS = (
    [[], ["10.0.0.0/8"], ["::1/128", "127.0.0.1"], ["0.0.0.0/0"]],
    ["10.0.0.0/8", ["10.0.0.1/8"], ["10.0.0.0/33"], ["x"], [""], [1], [167772160], ["fe80::1%eth0/128"]],
)


NO_WAYS: list[Any] = [
    "",
    ".",
    "spec.template",
    ".spec..template",
    ".spec.template.",
    ".spec.tasks[*].template",
    ".spec['a']",
]
NO_WAYS += [".a" * 17, '.spec."a"', "$.spec", ".spec.*", ".1", ".spec.t\u00e9mplate", ".spec\n", None, 1, [".spec"]]
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
    "registries.shortNames": (
        [None, "docker.io", "quay.io", "localhost", "reg.example:5000", "[fd00::1]:5000"],
        ["", "myreg", "quay.io/team", "https://quay.io", "quay.io:x", "quay.io ", 1, ["docker.io"]],
    ),
    "registries.shortNameAliases": (
        [{}, {"fedora": "registry.fedoraproject.org/fedora", "ubi9/ubi": "docker.io/ubi9"}],
        [
            *(None, [], "a", {"": "quay.io/a"}, {"a": ""}, {"a": None}, {"a": "b"}, {"a": "quay.io/a:1"}),
            *({"a:1": "quay.io/a"}, {"quay.io/a": "quay.io/a"}, {"a": "https://quay.io/a"}, {"A b": "quay.io/a"}),
        ],
    ),
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
    "traces.endpoint": (
        [None, "http://collector:4318/v1/traces", "https://[::1]:4318", "https://otlp.example/a/b"],
        [
            "",
            "collector:4318",
            "ftp://collector",
            "http://u:p@collector/",
            "http://collector/?key=1",
            1,
            "http://",
            "http://a b/",
        ],
    ),
    "traces.ratio": ([0, 0.25, 1, 1.0, "0.5"], [-0.1, 1.1, 2, None, True, "", "all", "1e-3", float("nan"), [0.5]]),
    "server.address": (["", "127.0.0.1", "::"], [None, 1, ["::"]]),
    "kinds": (
        [[], [{"group": "argoproj.io", "resource": "rollouts"}]],
        [
            {},
            [{}],
            [{"group": "argoproj.io"}],
            [{"resource": "rollouts"}],
            ["rollouts"],
            None,
            [{"group": "apps", "resource": "deployments"}],
            [{"group": "batch", "resource": "cronjobs"}],
            [{"group": "a.io", "resource": "bs"}, {"group": "a.io", "resource": "bs", "podTemplate": ".spec.other"}],
        ],
    ),
    "kinds.group": (["argoproj.io", "apps", "apps.kruise.io"], ["", "argoproj.io/v1alpha1", "Argo.io", ".io", None, 1]),
    "kinds.resource": (["rollouts", "x"], ["", "Rollout", "rollouts/scale", "roll outs", "*", None, 1]),
    "kinds.podTemplate": ([".spec.template", ".template", ".spec.job_Target-Ref.template", ".a" * 16], NO_WAYS),
    "kinds.kind": (["", "Rollout", "PyTorchJob"], ["argoproj.io/Rollout", "a b", "1", None, True]),
    "kinds.daemonSet": ([True, False], ["true", 1, None]),
    "binding": (["off", "warn", "deny"], ["audit", "", None, True]),
    "events": ([True, False], ["true", 1, None]),
    "server.port": ([0, 443, 65535], [-1, 65536, "443", 1.0, True, None]),
    "server.metricsPort": ([0, 8080], [-1, 65536, "x", None]),
    "server.certificateDir": (["/tls"], ["", None, 1]),
    "server.maxBodyBytes": (["1Mi", "16Mi", "128Mi"], ["1Ki", "129Mi", None, "x"]),
    "server.shutdownDelay": (["0s", "10s", "5m"], [*DURATION_WRONG, "301s"]),
    "certificate.mode": (["files", "selfManaged"], ["certManager", "", None, True]),
    "certificate.secret": (["podgate", "a.b-c"], ["", "Podgate", "a/b", "../x", "a" * 254, None, 1]),
    "certificate.lease": (["podgate", None], ["", "Podgate", "a/b", 1]),
    "certificate.webhookConfiguration": (["podgate"], ["", "a/b", "a?b", None]),
    "certificate.service": (["podgate"], ["", "a_b", None]),
    "certificate.lifetime": (["10s", "24h", "5840h"], [*DURATION_WRONG, "9s", "9601h"]),
    "certificate.caLifetime": (["6480h", "17520h", "96000h"], [*DURATION_WRONG, "29s", "96001h"]),
    "certificate.seenFor": (["0s", "30s", "10m"], [*DURATION_WRONG, "601s"]),
}
"""By key: values that are taken, and values that are refused."""


def tree(key: str, value: object) -> dict[str, Any]:
    """A tree with one key; a key of a declared node, or of a kind, stands in the only one."""
    *above, last = key.split(".")
    made: dict[str, Any] = {last: value}
    if above == ["nodes", "declared"]:
        made = {"declared": [{"platform": "linux/amd64", **made}]}
        above = ["nodes"]
    if above == ["kinds"]:
        made = {"kinds": [{"group": "example.io", "resource": "things", **made}]}
        above = []
    for step in reversed(above):
        made = {step: made}
    return made


def shown(key: str) -> str:
    """A key as an error names it."""
    return key.replace("nodes.declared.", "nodes.declared[0].").replace("kinds.", "kinds[0].")


@pytest.mark.parametrize(
    "certificate", [{"lifetime": "5841h"}, {"caLifetime": "6479h"}, {"lifetime": "10m", "caLifetime": "29m59s"}]
)
def test_an_authority_that_would_not_outlast_what_it_signs(certificate: dict[str, str]):
    with pytest.raises(MalformedSettings, match=r"f\.yaml: certificate: caLifetime must be at least three times"):
        parse_settings({"certificate": certificate}, "f.yaml")
    assert parse_settings({"certificate": {"lifetime": "10m", "caLifetime": "30m"}}).certificate.lifetime == 600


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
    assert keys == KEYS.keys()


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


@examples(max_examples=40)  # each of them goes through every key
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_a_key_is_more_than_refused(value: object):
    """Whatever stands at a key, parse_settings raises nothing but MalformedSettings."""
    for key in KEYS:
        with suppress(MalformedSettings):
            assert isinstance(parse_settings(tree(key, value)), Settings)


def test_the_document_describes_every_key():
    text = DOC.read_text()
    for key, _ in keys_of(Settings):
        spelled = key.replace("nodes.declared.", "nodes.declared[].").replace(
            "declared[].taints.", "declared[].taints[]."
        )
        spelled = spelled.replace("registries.realms.", "registries.realms[].")
        spelled = spelled.replace("registries.credentials.", "registries.credentials[].").replace("kinds.", "kinds[].")
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{spelled}` |")]
        assert len(line.split("|")[4].strip()) > 5, f"{key} is not described"


def test_the_document_is_what_the_settings_say():
    """Made anew by: python -m webhook.settings_doc > docs/settings.md."""
    assert DOC.read_text() == document()


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (
            {"platform": "linux/arm46"},
            "no platform is known that is arm46; did you mean arm64? If it is a new one, add",
        ),
        (
            {"platform": "linux/arm64", "labels": {"kubernetes.io/arch": "amd64"}},
            "is arm64, and by its label kubernetes.io/arch it is amd64",
        ),
        ({"platform": "linux/new", "labels": {"kubernetes.io/arch": "new"}}, ""),
    ],
)
def test_a_declared_node_is_one(shape: dict[str, Any], problem: str):
    """A slip would deny what runs, or let it wait for nodes that never come."""
    tree = {"nodes": {"declared": [shape]}}
    if not problem:
        assert parse_settings(tree).nodes.declared[0].platform == shape["platform"]
        return
    with pytest.raises(MalformedSettings) as caught:
        parse_settings(tree, "file.yaml")
    assert caught.value.path == "file.yaml: nodes.declared[0]"
    assert caught.value.problem.startswith(problem)
