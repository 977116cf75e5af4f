"""Credentials: which are tried, in what order, where they go, and who sees what they found."""

import asyncio
import base64
from pathlib import Path

import pytest

from tests.registry.conftest import Setting, access, reference, secret, server_tls
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import BadCredentials, RegistryError
from webhook.core.keyring import Keyring, PullSecret
from webhook.ports import Access
from webhook.registry.own import Lent
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
OTHER = reference("reg.example/team/other:1")
ANYBODY = access()
SCHEMES = pytest.mark.parametrize("scheme", ["basic", "bearer"])


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


async def failure(images: RegistryImages, who: Access, of: str = "reg.example/team/app:1") -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(reference(of), who)
    return caught.value


@pytest.fixture
def private(registry: Registry) -> Registry:
    """team/app and team/other are ann's and bob's; eve has a password, and nothing to see."""
    registry.push("team/app", build.single("linux/arm64"), "1")
    registry.push("team/other", build.single("linux/amd64"), "1")
    users = {"ann": "ann-word", "bob": "bob-word", "eve": "eve-word"}
    owners = ["ann", "bob"]
    registry.auth = Auth(users=users, may_see={"team/app": owners, "team/other": owners})
    return registry


async def test_a_token_is_asked_for_once_and_used_for_all(private: Registry, images: RegistryImages):
    ann = access("ann:ann-word")
    root = (await images.resolve(TAGGED, ann)).root
    await images.fetch(TAGGED, root.manifest.config.digest, "config", ann)
    paths = [asked.path for asked in private.log]
    assert paths == [
        "/v2/team/app/manifests/1",
        "/token",
        "/v2/team/app/manifests/1",
        f"/v2/team/app/blobs/{root.manifest.config.digest}",
    ]
    (token,) = private.asked("/token")
    assert token.authorization == basic("ann:ann-word")
    assert token.query == {"service": ["registry"], "scope": ["repository:team/app:pull"]}
    assert all(asked.authorization.startswith("Bearer ") for asked in private.log[2:])


async def test_a_known_challenge_is_answered_beforehand(private: Registry, images: RegistryImages):
    ann = access("ann:ann-word")
    await images.resolve(TAGGED, ann)
    before = len(private.log)
    await images.resolve(OTHER, ann)
    assert [asked.path for asked in private.log[before:]] == ["/token", "/v2/team/other/manifests/1"]


@pytest.mark.parametrize(
    ("fields", "good_for"),
    [
        ({}, 300),
        ({"expires_in": None}, 60),
        ({"expires_in": 0}, 60),
        ({"expires_in": 120}, 120),
        ({"expires_in": 120, "issued_at": "1970-01-01T00:15:40Z"}, 60),  # 60 s before the test's clock
        ({"expires_in": 120, "issued_at": "1970-01-01T00:15:40.123456789+00:00"}, 60),
        ({"expires_in": 120, "issued_at": "2070-01-01T00:00:00Z"}, 120),  # a clock that is ahead makes nothing longer
        ({"token": None, "access_token": "another"}, 300),
    ],
)
async def test_a_token_lasts_as_long_as_it_says(
    private, images, setting: Setting, fields: dict[str, object], good_for: int
):
    assert private.auth is not None
    private.auth.token = fields
    if "access_token" in fields:
        private.tokens["another"] = ("ann", {"repository:team/app:pull"})
    ann = access("ann:ann-word")
    root = (await images.resolve(TAGGED, ann)).root
    setting.clock.now += good_for - 10
    await images.fetch(TAGGED, root.manifest.config.digest, "config", ann)
    assert len(private.asked("/token")) == 1
    setting.clock.now += 10
    private.push("team/app", build.single("linux/s390x"), "2")
    await images.resolve(reference("reg.example/team/app:2"), ann)
    assert len(private.asked("/token")) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"token": ""}, "malformed"),
        ({"token": None}, "malformed"),
        ({"token": 7}, "malformed"),
        ({"token": "a\r\nHost: elsewhere"}, "malformed"),
        ({"token": "ü"}, "malformed"),
        ({"expires_in": "300"}, "malformed"),
        ({"expires_in": 1.5}, "malformed"),
        ({"issued_at": "yesterday"}, "malformed"),
        ({"issued_at": "9999-99-99T00:00:00Z"}, "malformed"),
    ],
)
async def test_a_token_without_its_form(
    private: Registry, images: RegistryImages, fields: dict[str, object], code: str
):
    assert private.auth is not None
    private.auth.token = fields
    assert (await failure(images, access("ann:ann-word"))).code == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "unauthorized"),
        (401, "unauthorized"),
        (403, "denied"),
        (404, "unauthorized"),
        (429, "rate-limited"),
        (500, "unavailable"),
    ],
)
async def test_each_refusal_of_a_token_has_its_code(private: Registry, images: RegistryImages, status: int, code: str):
    private.faults = [Fault(at="/token", status=status)]
    assert (await failure(images, access("ann:ann-word"))).code == code


async def test_a_token_answer_that_is_no_json(private: Registry, images: RegistryImages):
    private.faults = [Fault(at="/token", body=b"[" * 100_000)]
    assert (await failure(images, access("ann:ann-word"))).code == "malformed"


async def test_a_revoked_token_is_replaced(private: Registry, images: RegistryImages):
    ann = access("ann:ann-word")
    root = (await images.resolve(TAGGED, ann)).root
    private.tokens.clear()
    assert (await images.fetch(TAGGED, root.manifest.config.digest, "config", ann)).body
    assert len(private.asked("/token")) == 2


async def test_many_askers_share_one_token(private: Registry, images: RegistryImages):
    ann = access("ann:ann-word")
    for number in range(10):
        private.push("team/app", build.single("linux/amd64", text=str(number)), f"t{number}")
    private.faults = [Fault(at="/token", delay=0.2)]
    names = [reference(f"reg.example/team/app:t{number}") for number in range(10)]
    await asyncio.gather(*(images.resolve(name, ann) for name in names))
    assert len(private.asked("/token")) == 1


@SCHEMES
async def test_each_credential_is_tried_in_turn(private: Registry, images: RegistryImages, scheme: str):
    assert private.auth is not None
    private.auth.scheme = scheme
    found = await images.resolve(TAGGED, access("ann:wrong", "eve:eve-word", "bob:bob-word", "ann:ann-word"))
    assert found.root.body
    pairs = list(dict.fromkeys(a.authorization for a in private.log if a.authorization.startswith("Basic")))
    assert pairs == [basic("ann:wrong"), basic("eve:eve-word"), basic("bob:bob-word")]


@SCHEMES
@pytest.mark.parametrize("refusal", [401, 403, 404])
async def test_a_good_credential_that_may_not_see_it_is_passed_over(private, images, scheme: str, refusal: int):
    private.auth.scheme = scheme
    private.auth.refusal = refusal
    assert (await images.resolve(TAGGED, access("eve:eve-word", "bob:bob-word"))).root.body


@pytest.mark.parametrize(("refusal", "code"), [(401, "unauthorized"), (403, "denied"), (404, "not-found")])
async def test_the_last_refusal_is_reported(private, images, refusal: int, code: str):
    private.auth.refusal = refusal
    assert (await failure(images, access("eve:eve-word"))).code == code


@SCHEMES
async def test_there_is_no_anonymous_retry(registry: Registry, images: RegistryImages, scheme: str):
    """kuberuntime_image.go, PullImage: with matching credentials the kubelet tries those only."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(scheme, {"ann": "new-word"}, public={"team/app"}, open=False)
    assert (await failure(images, access("ann:old-word"))).code == "unauthorized"


async def test_without_a_matching_credential_the_pull_is_anonymous(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(users={"ann": "new-word"}, public={"team/app"})
    who = Access(secrets=(secret({"quay.io": "ann:new-word"}),))
    assert (await images.resolve(TAGGED, who)).root.body
    assert not registry.asked("/token")[0].authorization


async def test_a_credential_without_a_password_is_anonymous_to_token_servers(registry: Registry, setting: Setting):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(users={"ann": "new-word"}, public={"team/app"})
    assert (await setting.images().resolve(TAGGED, access("ann:"))).root.body
    assert not registry.asked("/token")[0].authorization
    registry.auth = Auth("basic", {"ann": "new-word"})
    assert (await failure(setting.images(), access("ann:", ":word"), "reg.example/team/other:1")).code == "unauthorized"
    assert [asked.authorization for asked in registry.asked("/v2/team/other/*")] == ["", basic("ann:"), ""]


async def test_a_rate_limit_ends_the_round_of_credentials(private: Registry, images: RegistryImages):
    private.auth = Auth("basic", {"ann": "ann-word", "bob": "bob-word"})
    private.faults = [Fault(authorized=True, status=429, headers=[("Retry-After", "37")])]
    assert (await failure(images, access("ann:ann-word", "bob:bob-word"))).code == "rate-limited"
    assert len([asked for asked in private.log if asked.authorization]) == 1


async def test_the_processes_own_credentials_come_last(private: Registry, setting: Setting):
    config = secret({"reg.example": "bob:bob-word"}).data
    images = setting.images(own=(Lent(Keyring.from_docker_config(config, "config.json")),))
    assert (await images.resolve(TAGGED, ANYBODY)).root.body
    assert (await images.resolve(OTHER, access("eve:eve-word"))).root.body
    assert [asked.authorization for asked in private.asked("/token")] == [
        basic("bob:bob-word"),
        basic("eve:eve-word"),
        basic("bob:bob-word"),
    ]


async def test_a_malformed_secret_stops_the_pull(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    broken = PullSecret("default", "broken", "kubernetes.io/dockerconfigjson", b'{"auths": MARKED')
    with pytest.raises(BadCredentials, match="default/broken") as caught:
        await images.resolve(TAGGED, Access(secrets=(broken,)))
    assert "MARKED" not in str(caught.value)
    assert registry.log == []


# what one credential saw is not shown to another


@SCHEMES
async def test_a_tenant_without_the_secret_sees_nothing(private: Registry, images: RegistryImages, scheme: str):
    assert private.auth is not None
    private.auth.scheme = scheme
    root = (await images.resolve(TAGGED, access("ann:ann-word"))).root
    pinned = f"reg.example/team/app@{root.digest}"
    for who in (ANYBODY, access("eve:eve-word"), access("ann:guess")):
        assert (await failure(images, who)).code in {"unauthorized", "denied"}
        assert (await failure(images, who, pinned)).code in {"unauthorized", "denied"}
        with pytest.raises(RegistryError):
            await images.fetch(TAGGED, root.manifest.config.digest, "config", who)
    assert (await images.resolve(TAGGED, access("bob:bob-word"))).root.digest == root.digest


async def test_askers_with_different_credentials_do_not_share_a_request(private: Registry, images: RegistryImages):
    private.faults = [Fault(at="/v2/*", delay=0.05)]
    asking = (images.resolve(TAGGED, who) for who in (access("ann:ann-word"), access("eve:eve-word"), ANYBODY))
    ann, eve, nobody = await asyncio.gather(*asking, return_exceptions=True)
    assert not isinstance(ann, BaseException)
    assert isinstance(eve, RegistryError)
    assert isinstance(nobody, RegistryError)


async def test_the_failure_of_one_is_not_the_failure_of_another(private: Registry, images: RegistryImages):
    assert (await failure(images, access("eve:eve-word"))).code == "denied"
    assert (await images.resolve(TAGGED, access("ann:ann-word"))).root.body


async def test_the_same_credential_in_another_secret_is_the_same(private: Registry, images: RegistryImages):
    await images.resolve(TAGGED, access("ann:ann-word"))
    before = len(private.log)
    there = Access("elsewhere", (secret({"https://reg.example/v2/": "ann:ann-word"}, "another"),))
    await images.resolve(TAGGED, there)
    assert len(private.log) == before


@SCHEMES
async def test_a_credential_that_is_there_twice_is_tried_once(private: Registry, images: RegistryImages, scheme: str):
    assert private.auth is not None
    private.auth.scheme = scheme
    await failure(images, access("ann:wrong", "ann:wrong"))
    assert len([asked for asked in private.log if asked.authorization == basic("ann:wrong")]) == 1


async def test_what_everybody_is_shown_is_shared(registry: Registry, images: RegistryImages):
    """Seen without any Authorization: a node with credentials would have got it the same way."""
    registry.push("team/app", build.multi("linux/amd64"), "1")
    await images.resolve(TAGGED, access("ann:ann-word"))
    await images.resolve(TAGGED, ANYBODY)
    await images.resolve(TAGGED, access("bob:bob-word"))
    assert len(registry.log) == 1


async def test_what_an_anonymous_token_showed_is_not_shared_with_a_stale_credential(registry, images):
    registry.push("team/app", build.multi("linux/amd64"), "1")
    registry.auth = Auth(users={"ann": "new-word"}, public={"team/app"})
    await images.resolve(TAGGED, ANYBODY)
    assert (await failure(images, access("ann:old-word"))).code == "unauthorized"


async def test_a_challenge_elsewhere_does_not_shut_an_open_repository(registry: Registry, images: RegistryImages):
    """containerd asks without credentials first: what is known of the registry must not change the result."""
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.push("team/other", build.single("linux/amd64"), "1")
    registry.auth = Auth("basic", {"ann": "new-word"}, public={"team/other"}, open=True)
    assert (await failure(images, access("ann:old-word"))).code == "unauthorized"
    assert (await images.resolve(OTHER, access("ann:old-word"))).root.body
    assert [asked.authorization for asked in registry.asked("/v2/team/other/*")] == [basic("ann:old-word"), ""]


async def test_a_repository_that_challenged_is_not_asked_in_the_clear_again(private, images):
    private.auth.scheme = "basic"
    await failure(images, access("ann:wrong"))
    before = len(private.log)
    await failure(images, access("ann:wrong-too"))
    assert [asked.authorization for asked in private.log[before:]] == [basic("ann:wrong-too")]


async def test_a_token_server_that_has_moved_is_found_again(private: Registry, images: RegistryImages):
    """What is known of a challenge must not outlive it."""
    ann = access("ann:ann-word")
    await images.resolve(TAGGED, ann)
    with Registry() as elsewhere:
        elsewhere.auth, elsewhere.tokens = private.auth, private.tokens
        assert private.auth is not None
        private.auth.realm = f"{elsewhere.url}/token"
        private.tokens.clear()
        private.faults = [Fault(at="/token", status=404)]
        private.push("team/app", build.multi("linux/arm64"), "2")
        assert (await images.resolve(reference("reg.example/team/app:2"), ann)).root.body


async def test_a_registry_that_wants_no_login_any_more(private: Registry, images: RegistryImages, setting: Setting):
    """Its token server is gone, and after the first time nobody is asked in vain."""
    ann = access("ann:ann-word")
    await images.resolve(TAGGED, ann)
    private.auth = None
    for tag in ("2", "3"):
        setting.clock.now += 301
        private.push("team/app", build.multi("linux/arm64", text=tag), tag)
        private.log.clear()
        assert (await images.resolve(reference(f"reg.example/team/app:{tag}"), ann)).root.body
    assert [asked.path for asked in private.log] == ["/v2/team/app/manifests/3"]


# challenges and realms


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Negotiate"],
        ['Digest realm="r", nonce="n"'],
        ["Bearer"],
        ['Bearer realm=""'],
        ['Bearer realm="file:///etc/passwd"'],
        ['Bearer realm="http://"'],
        ["Basic" + "," * 10_000],
    ],
)
async def test_a_challenge_that_leads_nowhere(private: Registry, images: RegistryImages, lines: list[str]):
    assert private.auth is not None
    private.auth.challenge = lines
    assert (await failure(images, access("ann:ann-word"))).code in {"unauthorized", "malformed"}


async def test_the_repositorys_own_scope_is_asked_for_too(registry: Registry, images: RegistryImages):
    registry.push("team/app", build.single("linux/amd64"), "1")
    registry.auth = Auth(public={"team/app"})
    registry.auth.challenge = [f'Bearer realm="{registry.url}/token",scope="repository:team/base:pull"']
    assert (await images.resolve(TAGGED, ANYBODY)).root.body
    (token,) = registry.asked("/token")
    assert token.query == {"scope": ["repository:team/app:pull", "repository:team/base:pull"]}


async def test_a_realm_of_another_domain_gets_no_credentials(setting: Setting, private: Registry):
    """Unless settings allow it. 0x7f.1 is this machine too, and no name that could be the registry's own domain."""
    assert private.auth is not None
    with Registry() as foreign:
        foreign.auth = Auth(users={"ann": "ann-word"})
        private.auth.realm = f"http://0x7f.1:{foreign.address.rpartition(':')[2]}/token"
        assert (await failure(setting.images(), access("ann:ann-word"))).code in {"unauthorized", "denied"}
        await failure(setting.images(realms=(("elsewhere.example", private.auth.realm),)), access("ann:ann-word"))
        await failure(setting.images(realms=(("reg.example", private.auth.realm),)), access("ann:ann-word"))
        assert [asked.authorization for asked in foreign.asked("/token")] == ["", "", basic("ann:ann-word")]


async def test_a_realm_in_the_clear_is_not_asked_for_a_host_with_tls(setting: Setting, certificates: Path):
    with Registry(tls=server_tls(certificates)) as served, Registry() as plain:
        setting.serve("reg.example", text=f'server = "{served.url}"\nskip_verify = true\n')
        served.auth = Auth(realm=f"{plain.url}/token")
        assert (await failure(setting.images(), ANYBODY)).code == "tls"
        assert plain.log == []
