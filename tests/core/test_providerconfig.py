"""Configurations of credential provider plugins, and their answers: what the kubelet takes, and what it refuses."""

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.programs import API, provider, provider_config, response
from webhook.core.errors import BadCredentials, MalformedSettings
from webhook.core.provideranswer import ProviderAnswer, cache_keys, read_provider_answer
from webhook.core.providerconfig import Provider, read_provider_config

ECR = "*.dkr.ecr.*.amazonaws.com"


def one(**more: Any) -> Provider:
    (found,) = read_provider_config(provider_config(provider("ecr", ECR) | more), "f.yaml")
    return found


def test_a_provider_as_it_is_written():
    found = one(args=["get-credentials", "-v"], env=[{"name": "A", "value": "1"}, {"name": "B", "value": ""}])
    assert found == Provider(
        name="ecr",
        match_images=(ECR,),
        default_cache_duration=600.0,
        api_version=API,
        args=("get-credentials", "-v"),
        environment={"A": "1", "B": ""},
    )
    assert json.loads(found.request("reg.example/team/app")) == {
        "apiVersion": API,
        "kind": "CredentialProviderRequest",
        "image": "reg.example/team/app",
    }


@pytest.mark.parametrize(
    ("pattern", "image", "fits"),
    [
        (ECR, "123456789.dkr.ecr.us-east-1.amazonaws.com/team/app", True),
        (ECR, "dkr.ecr.us-east-1.amazonaws.com/team/app", False),
        (ECR, "a.b.dkr.ecr.us-east-1.amazonaws.com/team/app", False),
        ("*.azurecr.io", "team.azurecr.io/app", True),
        ("*.io", "team.azurecr.io/app", False),
        ("*.*.registry.io", "a.b.registry.io/app", True),
        ("app*.k8s.io", "app-1.k8s.io/x", True),
        ("gcr.io", "gcr.io/p/app", True),
        ("gcr.io/p", "gcr.io/project/app", True),  # a path is a plain prefix
        ("gcr.io/p/", "gcr.io/project/app", False),
        ("gcr.io/*", "gcr.io/p/app", False),  # no globs in paths
        ("reg.example", "reg.example:5000/app", False),
        ("reg.example:5000", "reg.example:5000/app", True),
        ("reg.example:*", "reg.example:5000/app", False),
        ("docker.io", "docker.io/library/nginx", True),
        ("index.docker.io", "docker.io/library/nginx", False),  # unlike a keyring's key
        ("https://gcr.io", "gcr.io/p/app", False),  # and a scheme is none that is cut off
    ],
)
def test_which_images_a_provider_is_asked_for(pattern: str, image: str, fits: bool):
    """credentialprovider.URLsMatchStr, as isImageAllowed asks it."""
    try:
        found = one(matchImages=["other.example", pattern])
    except MalformedSettings:
        assert not fits
    else:
        assert found.provides_for(image) == fits


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "a/b"}, "name"),
    ({"name": "a b"}, "name"),
    ({"name": "."}, "name"),
    ({"name": ".."}, "name"),
    ({"name": 1}, "name"),
    ({"apiVersion": ""}, "apiVersion"),
    ({"apiVersion": "credentialprovider.kubelet.k8s.io/v2"}, "apiVersion"),
    ({"matchImages": []}, "matchImages"),
    ({"matchImages": None}, "matchImages"),
    ({"matchImages": "gcr.io"}, "matchImages"),
    ({"matchImages": ["gcr.io", 1]}, "matchImages[1]"),
    ({"matchImages": ["a b"]}, "matchImages[0]"),
    ({"matchImages": ["gcr.io", "%zz"]}, "matchImages[1]"),
    ({"defaultCacheDuration": None}, "defaultCacheDuration"),
    ({"defaultCacheDuration": "-1s"}, "defaultCacheDuration"),
    ({"defaultCacheDuration": "1 day"}, "defaultCacheDuration"),
    ({"defaultCacheDuration": 60}, "defaultCacheDuration"),
    ({"args": "x"}, "args"),
    ({"args": [1]}, "args[0]"),
    ({"env": {"A": "1"}}, "env"),
    ({"env": ["A=1"]}, "env[0]"),
    ({"env": [{"name": "A", "value": 1}]}, "env[0].value"),
    ({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}, "env[0].valueFrom"),
    ({"env": [{"name": "A=B", "value": "1"}]}, "env[0].name"),
    ({"tokenAttributes": {"serviceAccountTokenAudience": "a"}}, "tokenAttributes"),
    ({"matchimages": ["gcr.io"]}, "matchimages"),
]


@pytest.mark.parametrize(("wrong", "path"), REFUSED)
def test_what_a_provider_must_not_be(wrong: dict[str, Any], path: str):
    tree = provider_config(provider("first", "gcr.io"), provider("ecr", ECR) | wrong)
    with pytest.raises(MalformedSettings) as caught:
        read_provider_config(tree, "f.yaml")
    assert caught.value.path == f"f.yaml: providers[1].{path}"


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({}, "apiVersion"),
        (provider_config() | {"apiVersion": "v1"}, "apiVersion"),
        (provider_config() | {"kind": "KubeletConfiguration"}, "kind"),
        (provider_config(), "providers"),
        (provider_config() | {"providers": None}, "providers"),
        (provider_config() | {"providers": ["a"]}, "providers[0]"),
        (provider_config(provider("a", "gcr.io")) | {"provider": []}, "provider"),
        (provider_config(provider("a", "gcr.io"), provider("a", "ghcr.io")), "providers[1].name"),
    ],
)
def test_what_a_configuration_must_not_be(tree: dict[str, Any], path: str):
    with pytest.raises(MalformedSettings) as caught:
        read_provider_config(tree, "f.yaml")
    assert caught.value.path == f"f.yaml: {path}"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_older_versions_have_the_same_fields(version: str):
    tree = provider_config(provider("a", "gcr.io", apiVersion=f"credentialprovider.kubelet.k8s.io/{version}"))
    (found,) = read_provider_config(tree | {"apiVersion": f"kubelet.config.k8s.io/{version}"}, "f")
    assert json.loads(found.request("gcr.io/a"))["apiVersion"].endswith(version)


# answers


def answer(text: str) -> ProviderAnswer:
    return read_provider_answer(text.encode(), API)


def test_an_answer_as_it_is_written():
    found = answer(response({"gcr.io": "u:p", "a.example": ":"}, "Registry", cacheDuration="1h30m"))
    assert found.cache_duration == 5400.0
    assert found.cache_key("gcr.io/p/app") == "gcr.io"
    assert [(each.registry, each.username, each.password) for each in found.logins] == [
        ("a.example", "", ""),
        ("gcr.io", "u", "p"),
    ]


@pytest.mark.parametrize(("kind", "key"), [("Image", "gcr.io/p/app"), ("Registry", "gcr.io"), ("Global", "<global>")])
def test_what_an_answer_is_kept_under(kind: str, key: str):
    assert answer(response({}, kind)).cache_key("gcr.io/p/app") == key
    assert key in cache_keys("gcr.io/p/app")


@pytest.mark.parametrize("auth", [None, {}])
def test_an_answer_without_credentials(auth: dict[str, str] | None):
    found = answer(response(auth))
    assert found.logins == ()
    assert found.cache_duration is None


UNREADABLE = [
    "",
    "MARKED",
    "[]",
    "null",
    response({"gcr.io": "u:MARKED"}, "registry"),
    response({"gcr.io": "u:MARKED"}, ""),
    response({"gcr.io": "u:MARKED"}, apiVersion="credentialprovider.kubelet.k8s.io/v1beta1"),
    response({"gcr.io": "u:MARKED"}, apiVersion=""),
    response({"gcr.io": "u:MARKED"}, kind="CredentialProviderRequest"),
    response({"gcr.io": "u:MARKED"}, cacheDuration="MARKED"),
    response({"gcr.io": "u:MARKED"}, cacheDuration=60),
    response({"gcr.io": "u:MARKED"}, MARKED=1),
    response({"gcr.io": "u:MARKED"}, Auth=None),  # the kubelet minds the case of keys
    response(None, auth=["MARKED"]),
    response(None, auth={"gcr.io": "MARKED"}),
    response(None, auth={"gcr.io": {"username": "u", "password": 1}}),
    response(None, auth={"gcr.io": {"username": "u", "password": "p", "MARKED": "x"}}),
    response({"gcr.io": "u:MARKED"})[:-1] + ', "kind": "CredentialProviderResponse"}',
    response({"gcr.io": "u:MARKED"}) + response({}),
    response({"gcr.io": "u:MARKED"})[:-1],
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_not_quoted(text: str):
    with pytest.raises(BadCredentials) as caught:
        answer(text)
    assert "MARKED" not in repr(caught.value) + "".join(traceback.format_exception(caught.value))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_a_plugin_writes_only_one_thing_is_raised(text: bytes):
    with pytest.raises(BadCredentials):
        read_provider_answer(text, API)
