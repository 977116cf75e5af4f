"""Podgate's own credentials: when they are tried, to whom they are lent, and that others learn nothing by them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.registry.conftest import Setting, access, reference, secret
from tests.registry.test_login import basic
from tests.support import images as build
from tests.support.programs import Script, answering, provider, provider_config, response
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.core.keyring import Credential
from webhook.core.providerconfig import read_provider_config
from webhook.core.reference import Reference
from webhook.ports import Access
from webhook.registry.files import FileCredentials, PasswordFile
from webhook.registry.options import Hooks
from webhook.registry.own import OwnCredentials, is_lent
from webhook.registry.providers import Plugins, PluginSettings
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
INSIDE = Access("inside")
OUTSIDE = Access("outside")


class Counted:
    """A source that counts how often it is looked up."""

    def __init__(self, *found: Credential) -> None:
        self.found = found
        self.times = 0

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        assert reference.domain == "reg.example"
        self.times += 1
        return self.found


@pytest.fixture
def private(registry: Registry) -> Registry:
    registry.push("team/app", build.multi("linux/arm64"), "1")
    users = {"ann": "ann-word", "own": "own-word", "plug": "plug-word", "eve": "eve-word"}
    owners = ["ann", "own", "plug"]
    registry.auth = Auth(users=users, may_see={"team/app": owners})
    return registry


@pytest.fixture(params=["file", "plugin"])
def lent(request, tmp_path: Path) -> tuple[OwnCredentials, ...]:
    """Credentials of podgate's own, lent to one namespace."""
    if request.param == "file":
        path = tmp_path / "word"
        path.write_text("own-word")
        entry = PasswordFile(path, ("inside",), "w", "reg.example", "own")
        return (FileCredentials([entry], lambda: 0.0),)
    Script(tmp_path, "plug", answering(response({"reg.example": "plug:plug-word"}, "Global")))
    found = read_provider_config(provider_config(provider("plug", "reg.example")), "f")
    return (Plugins(PluginSettings(tmp_path, found, ("inside",)), Hooks()),)


async def failure(images: RegistryImages, who: Access, of: Reference = TAGGED) -> str:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(of, who)
    return caught.value.code


# order


async def test_the_order_is_pull_secrets_then_each_source(private: Registry, setting: Setting):
    first, second = Counted(Credential("one", "1"), Credential("two", "2")), Counted(Credential("own", "own-word"))
    images = setting.images(own=(first, second))
    assert (await images.resolve(TAGGED, access("eve:eve-word"))).root.body
    asked = [asked.authorization for asked in private.asked("/token")]
    assert asked == [basic(pair) for pair in ("eve:eve-word", "one:1", "two:2", "own:own-word")]


async def test_a_source_is_looked_up_only_when_it_comes_to_it(private: Registry, setting: Setting):
    first, second = Counted(Credential("own", "own-word")), Counted()
    images = setting.images(own=(first, second))
    await images.resolve(TAGGED, access("ann:ann-word"))
    assert (first.times, second.times) == (0, 0)
    await images.resolve(TAGGED, access("eve:eve-word"))
    assert (first.times, second.times) == (1, 0)


async def test_it_is_anonymous_only_where_no_source_has_any(registry: Registry, setting: Setting):
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.auth = Auth(users={"own": "new-word"}, public={"team/app"})
    assert await failure(setting.images(own=(Counted(), Counted(Credential("own", "stale")))), INSIDE) == "unauthorized"
    assert (await setting.images(own=(Counted(), Counted())).resolve(TAGGED, INSIDE)).root.body


async def test_what_a_source_and_a_secret_have_in_common_is_tried_once(private: Registry, setting: Setting):
    images = setting.images(own=(Counted(Credential("eve", "eve-word"), Credential("own", "own-word")),))
    assert (await images.resolve(TAGGED, access("eve:eve-word"))).root.body
    assert [asked.authorization for asked in private.asked("/token")] == [
        basic("eve:eve-word"),
        basic("own:own-word"),
    ]


async def test_a_source_that_takes_too_long(private: Registry, setting: Setting):
    class Late:
        async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
            raise RegistryError("timeout", "the time of this request is up")

    assert await failure(setting.images(own=(Late(),)), INSIDE) == "timeout"
    assert private.log == []


# lent to some


@pytest.mark.parametrize(
    ("globs", "namespace", "lent"),
    [
        (("*",), "", True),
        (("*",), "team", True),
        (("team",), "team", True),
        (("team",), "Team", False),
        (("team",), "team-a", False),
        (("team-*", "ops"), "ops", True),
        (("team-?",), "team-a", True),
        (("*",), "-", True),
        ((), "team", False),
        (("team",), "", False),
    ],
)
def test_to_whom_globs_lend(globs: tuple[str, ...], namespace: str, lent: bool):
    assert is_lent(globs, namespace) == lent


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("warm", [False, True])
async def test_a_tenant_outside_learns_nothing(private: Registry, setting: Setting, lent: Any, scheme: str, warm: bool):
    """By tag, by digest, the config, known lists, with a token in hand or not: whatever is known already."""
    assert private.auth is not None
    private.auth.scheme = scheme
    images = setting.images(own=lent)
    root = private.names["team/app", "manifests", "1"].digest
    child = build.multi("linux/arm64")
    config = next(name for (_, what, name) in private.names if what == "blobs")
    if warm:
        assert (await images.resolve(TAGGED, INSIDE)).root.digest == root
        await images.fetch(TAGGED, config, "config", INSIDE)
    tokens = len(private.asked("/token"))
    nobody = "unauthorized" if scheme == "basic" else "denied"  # what this registry says to the anonymous
    for pinned in (TAGGED, reference(f"reg.example/team/app@{root}"), reference(f"reg.example/team/app:1@{root}")):
        assert await failure(images, OUTSIDE, pinned) == nobody
        assert await failure(images, Access("outside", access("eve:eve-word").secrets), pinned) == "denied"
        stranger = Access("outside", (secret({"quay.io": "x:y"}),))
        assert await failure(images, stranger, pinned) == nobody
    with pytest.raises(RegistryError):
        await images.fetch(TAGGED, config, "config", OUTSIDE)
    assert await images.known_lists(TAGGED, child.root.digest, OUTSIDE) == ()
    shown = {asked.authorization for asked in private.asked("/token")[tokens:]}
    shown |= {asked.authorization for asked in private.log if asked.path != "/token" and not warm}
    assert not shown & {basic("own:own-word"), basic("plug:plug-word")}
    assert (await images.resolve(TAGGED, INSIDE)).root.digest == root  # and what he was refused hides nothing


async def test_a_tenant_outside_does_not_share_a_request(private: Registry, setting: Setting, lent: Any):
    images = setting.images(own=lent)
    asking = [images.resolve(TAGGED, who) for who in (INSIDE, OUTSIDE, INSIDE, OUTSIDE)]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(each, RegistryError) for each in found] == [False, True, False, True]


async def test_nobody_outside_can_tell_whether_an_image_exists(private: Registry, setting: Setting, lent: Any):
    """What the registry says to the anonymous is all that he is told, before and after."""
    images = setting.images(own=lent)
    missing = reference("reg.example/team/app:missing")
    cold = [await failure(images, OUTSIDE, TAGGED), await failure(images, OUTSIDE, missing)]
    setting.clock.now += 3600
    await images.resolve(TAGGED, INSIDE)
    assert await failure(images, INSIDE, missing) == "not-found"
    warm = [await failure(images, OUTSIDE, TAGGED), await failure(images, OUTSIDE, missing)]
    assert cold == warm == ["denied", "denied"]


async def test_an_old_answer_is_not_lent_either(private: Registry, setting: Setting, lent: Any):
    """A registry that is down cannot refuse: only who saw it before sees it again."""
    images = setting.images(own=lent)
    assert (await images.resolve(TAGGED, INSIDE)).root.body
    setting.serve("reg.example", text='server = "http://127.0.0.1:1"\n')
    setting.clock.now += 120
    assert (await images.resolve(TAGGED, INSIDE)).stale
    assert await failure(images, OUTSIDE) == "unavailable"


async def test_what_was_lent_is_not_lent_any_more(private: Registry, setting: Setting, tmp_path: Path):
    """A password that is changed: the old one's cache entries are no longer reached."""
    path = tmp_path / "word"
    path.write_text("own-word")
    entry = PasswordFile(path, ("inside",), "w", "reg.example", "own")
    images = setting.images(own=(FileCredentials([entry], setting.clock),))
    assert (await images.resolve(TAGGED, INSIDE)).root.body
    path.write_text("wrong-word")
    setting.clock.now += 1
    assert await failure(images, INSIDE) == "unauthorized"


Asks = list[tuple[str, str, str]]


def of_nobody(registry: Registry, since: int) -> Asks:
    """What was asked without a credential of podgate's own, in order."""
    own = {basic("own:own-word"), basic("plug:plug-word")}
    tokens = {text for text, (user, _) in registry.tokens.items() if user in ("own", "plug")}
    asked = [one for one in registry.log[since:] if one.authorization not in own | {f"Bearer {t}" for t in tokens}]
    return [(one.method, one.path, one.authorization.partition(" ")[0]) for one in asked]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_an_outsider_is_answered_as_if_there_were_no_such_image(
    private: Registry, setting: Setting, lent: Any, scheme: str
):
    """The same words after the same requests, whether an insider has seen the image or has been told that there is
    none: neither caches of documents, tags, configs, failures and tokens nor old answers tell them apart."""
    assert private.auth is not None
    private.auth.scheme = scheme
    private.auth.may_see = {name: ["own", "plug"] for name in ("team/app", "team/none")}
    root = private.names["team/app", "manifests", "1"].digest
    config = next(name for (_, what, name) in private.names if what == "blobs")
    told: dict[str, list[tuple[list[object], Asks]]] = {}
    for repository in ("team/app", "team/none"):
        images = setting.images(own=lent)
        tagged, pinned = (reference(f"reg.example/{repository}{suffix}") for suffix in (":1", f"@{root}"))
        for _ in range(2):  # the second time after tagTTL, negativeTTL and the tokens are over
            for name in (tagged, pinned):
                found = await asyncio.gather(images.resolve(name, INSIDE), return_exceptions=True)
                assert isinstance(found[0], RegistryError) is (repository == "team/none")
            since = len(private.log)
            heard: list[object] = [await failure(images, OUTSIDE, name) for name in (tagged, pinned, tagged)]
            with pytest.raises(RegistryError) as caught:
                await images.fetch(tagged, config, "config", OUTSIDE)
            heard += [caught.value.code, await images.known_lists(tagged, root, OUTSIDE)]
            asked = [(method, path.replace(repository, "R"), how) for method, path, how in of_nobody(private, since)]
            told.setdefault(repository, []).append((heard, asked))
            setting.clock.now += 400
    assert told["team/app"] == told["team/none"]
    assert all(asked for _, asked in told["team/app"])


async def test_an_outsider_neither_waits_for_an_insiders_request_nor_is_waited_for(
    private: Registry, setting: Setting, lent: Any
):
    """Each asks for himself, however close together they ask: what one asks for is not under way for the other."""
    alone = setting.images(own=lent)
    await failure(alone, OUTSIDE)
    expected = of_nobody(private, 0)
    since = len(private.log)
    images = setting.images(own=lent)
    private.faults = [Fault(at="/v2/*", delay=0.05)]
    askers = (OUTSIDE, INSIDE, OUTSIDE, INSIDE, OUTSIDE)
    found = await asyncio.gather(*(images.resolve(TAGGED, who) for who in askers), return_exceptions=True)
    assert [isinstance(one, RegistryError) for one in found] == [who is OUTSIDE for who in askers]
    # Outsiders share theirs among themselves. An insider begins in the clear too, unless his plugin took so long that
    # the challenge was known by then.
    asked = of_nobody(private, since)
    begun = ("GET", "/v2/team/app/manifests/1", "")
    assert sorted(asked) in (sorted(expected), sorted([*expected, begun]))


async def test_an_outsider_gives_up_nothing_for_an_insider(private: Registry, setting: Setting, lent: Any):
    """What an outsider was refused is remembered for him alone; and what he was told is not told by an insider's
    refusal."""
    images = setting.images(own=lent)
    assert await failure(images, OUTSIDE) == "denied"
    since = len(private.log)
    assert (await images.resolve(TAGGED, INSIDE)).root.body
    assert len(private.log) > since
    since = len(private.log)
    assert await failure(images, OUTSIDE) == "denied"
    assert private.log[since:] == []  # his own refusal, within negativeTTL


async def test_no_plugin_is_run_for_an_outsider(private: Registry, setting: Setting, tmp_path: Path):
    """He cannot make it busy, either: two run at a time, and five seconds are a long time."""
    script = Script(tmp_path, "plug", answering(response({"reg.example": "plug:plug-word"}, "Image")))
    found = read_provider_config(provider_config(provider("plug", "reg.example", defaultCacheDuration="0s")), "f")
    images = setting.images(own=(Plugins(PluginSettings(tmp_path, found, ("inside",)), Hooks()),))
    for number in range(3):
        await failure(images, OUTSIDE, reference(f"reg.example/team/app{number}:1"))
    assert script.runs == []
    assert (await images.resolve(TAGGED, INSIDE)).root.body
    assert len(script.runs) == 1
