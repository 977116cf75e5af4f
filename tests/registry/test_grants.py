"""How tokens are asked for: passwords by GET, by POST where that is all there is; identity tokens; registry tokens."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.app.parts import registry_options
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import Keyring
from webhook.ports import Access
from webhook.registry.own import Lent, OwnCredentials
from webhook.registry.resolver import RegistryImages
from webhook.settings import parse_settings

TAGGED = reference("reg.example/team/app:1")
SCOPE = "repository:team/app:pull"


def own(**entry: str) -> tuple[OwnCredentials, ...]:
    text = json.dumps({"auths": {"reg.example": entry}}).encode()
    return (Lent(Keyring.from_docker_config(text, "config.json")),)


@pytest.fixture
def private(registry: Registry) -> Registry:
    registry.push("team/app", build.single("linux/arm64"), "1")
    registry.auth = Auth(users={"ann": "ann&word=1"}, refresh={"identity+token/=": "ann"})
    return registry


async def code(images: RegistryImages, who: Access | None = None) -> str:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, who or Access())
    return caught.value.code


def methods(registry: Registry) -> list[str]:
    return [asked.method for asked in registry.asked("/token")]


async def test_a_password_goes_by_get(private: Registry, images: RegistryImages):
    assert (await images.resolve(TAGGED, access("ann:ann&word=1"))).root.body
    assert methods(private) == ["GET"]


@pytest.mark.parametrize("status", [404, 405])
async def test_a_password_goes_by_post_where_get_is_not_spoken(private: Registry, images, status: int):
    """authorizer.go, doBearerAuth: containerd would have begun with it."""
    private.faults = [Fault(at="/token", method="GET", status=status)]
    assert (await images.resolve(TAGGED, access("ann:ann&word=1"))).root.body
    assert methods(private) == ["GET", "POST"]
    posted = private.asked("/token")[1]
    assert posted.form == {
        "scope": [SCOPE],
        "service": ["registry"],
        "client_id": ["podgate"],
        "grant_type": ["password"],
        "username": ["ann"],
        "password": ["ann&word=1"],
    }
    assert posted.headers["content-type"] == "application/x-www-form-urlencoded"
    assert not posted.query
    assert not posted.authorization


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_a_password_that_is_refused_is_not_sent_again(private: Registry, images, status: int):
    private.faults = [Fault(at="/token", method="GET", status=status)]
    await code(images, access("ann:ann&word=1"))
    assert "POST" not in methods(private)


async def test_without_credentials_there_is_nothing_to_post(private: Registry, images: RegistryImages):
    private.faults = [Fault(at="/token", status=405)]
    assert await code(images) == "unauthorized"
    assert methods(private) == ["GET"]


@pytest.mark.parametrize("more", [{}, {"auth": base64.b64encode(b"00000000:").decode()}])
async def test_an_identity_token_goes_by_post(private: Registry, setting: Setting, more: dict[str, str]):
    images = setting.images(own=own(identitytoken="identity+token/=", **more))
    assert (await images.resolve(TAGGED, Access())).root.body
    (posted,) = private.asked("/token")
    assert posted.method == "POST"
    assert posted.form == {
        "scope": [SCOPE],
        "service": ["registry"],
        "client_id": ["podgate"],
        "grant_type": ["refresh_token"],
        "refresh_token": ["identity+token/="],
    }
    assert not posted.authorization


async def test_an_identity_token_that_is_refused(private: Registry, setting: Setting):
    assert await code(setting.images(own=own(identitytoken="another"))) == "unauthorized"
    assert methods(private) == ["POST"]


async def test_an_identity_token_is_no_answer_to_basic(private: Registry, setting: Setting):
    assert private.auth is not None
    private.auth.scheme = "basic"
    assert await code(setting.images(own=own(identitytoken="identity+token/="))) == "unauthorized"
    assert [asked.authorization for asked in private.log] == [""]
    both = own(identitytoken="x", username="ann", password="ann&word=1")
    assert (await setting.images(own=both).resolve(TAGGED, Access())).root.body


async def test_a_registry_token_is_shown_as_it_is(private: Registry, setting: Setting):
    private.tokens["given"] = ("ann", {SCOPE})
    assert (await setting.images(own=own(registrytoken="given")).resolve(TAGGED, Access())).root.body
    assert private.asked("/token") == []
    assert [asked.authorization for asked in private.log] == ["", "Bearer given"]


async def test_a_registry_token_that_is_refused(private: Registry, setting: Setting):
    assert await code(setting.images(own=own(registrytoken="stale"))) == "unauthorized"
    assert private.asked("/token") == []


def test_a_registry_token_that_no_header_can_carry():
    with pytest.raises(BadCredentials, match="no header can carry"):
        own(registrytoken="a\r\nHost: elsewhere")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_form_follows_no_redirect(private: Registry, setting: Setting, status: int):
    with Registry() as other:
        other.auth = private.auth
        private.faults = [Fault(at="/token", status=status, redirect=f"{other.url}/token")]
        await code(setting.images(own=own(identitytoken="identity+token/=")))
        assert other.log == []


async def test_credentials_of_the_same_user_are_told_apart_by_their_tokens(private: Registry, setting: Setting):
    """Or the cache would show one what another has seen."""
    keyrings: Sequence[dict[str, Any]] = (
        {"username": "ann", "password": "p"},
        {"username": "ann", "password": "p", "identitytoken": "i"},
        {"username": "ann", "password": "p", "registrytoken": "i"},
        {"username": "ann", "password": "", "identitytoken": "pi"},
    )
    texts = [json.dumps({"auths": {"reg.example": entry}}).encode() for entry in keyrings]
    found = [Keyring.from_docker_config(text, "f").lookup("reg.example/a")[0] for text in texts]
    assert len({credential.key(b"salt") for credential in found}) == 4


# realms, as settings have them


async def test_a_realm_of_another_domain_that_settings_allow(setting: Setting, private: Registry):
    assert private.auth is not None
    with Registry() as foreign:
        foreign.auth = Auth(users={"ann": "ann&word=1"}, refresh={"identity+token/=": "ann"})
        private.auth.realm = f"http://0x7f.1:{foreign.address.rpartition(':')[2]}/token"
        registries = {"hostsDir": str(setting.folder), "allowedAddresses": ["127.0.0.0/8"]}
        realms = {"realms": [{"registry": "reg.example", "realm": private.auth.realm}]}
        for settings in (registries, registries | realms):
            for lent in (own(username="ann", password="ann&word=1"), own(identitytoken="identity+token/=")):
                async with RegistryImages(registry_options(parse_settings({"registries": settings}), lent)) as images:
                    await code(images)  # the registry knows none of the other's tokens
        asked = foreign.asked("/token")
        assert [(one.method, bool(one.authorization or one.form)) for one in asked] == [
            ("GET", False),
            ("GET", False),
            ("GET", True),
            ("POST", True),
        ]
