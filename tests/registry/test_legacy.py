"""A client under new options that takes over what one under old options has seen."""

import asyncio

import pytest

from tests.registry.conftest import LOOPBACK, Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.ports import Access
from webhook.registry.addresses import AddressPolicy
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


async def code(images: RegistryImages, who: Access = ANYBODY) -> str:
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, who)
    return caught.value.code


@pytest.fixture
def pushed(registry: Registry) -> Registry:
    registry.push("team/app", build.single("linux/arm64"), "1")
    return registry


@pytest.mark.parametrize(
    "options",
    [
        {"request_timeout": 3.0},
        {"concurrency_per_host": 2},
        {"cache_bytes": 8 << 20},
        {"negative_ttl": 1.0},
        {"stale_for": 60.0},
        {"realms": (("reg.example", "tokens.example"),)},
    ],
)
async def test_what_is_remembered_is_not_asked_for_again(
    pushed: Registry, setting: Setting, options: dict[str, object]
):
    old = setting.images()
    seen = await old.resolve(TAGGED, ANYBODY)
    config = seen.root.manifest.config.digest
    await old.fetch(TAGGED, config, "config", ANYBODY)
    pushed.log.clear()
    new = setting.images(legacy=old.legacy, **options)
    assert (await new.resolve(TAGGED, ANYBODY)).root == seen.root
    await new.fetch(TAGGED, config, "config", ANYBODY)
    assert pushed.log == []
    assert new.cached_bytes == old.cached_bytes > 0


@pytest.mark.parametrize(
    "options",
    [
        {"allowed_hosts": ("*",)},
        {"addresses": AddressPolicy((*LOOPBACK.allowed, *LOOPBACK.allowed))},
        {"reserved": (("api.example", 443),)},
    ],
)
async def test_where_registries_may_look_different_all_is_asked_for_anew(
    pushed: Registry, setting: Setting, options: dict[str, object]
):
    old = setting.images()
    await old.resolve(TAGGED, ANYBODY)
    pushed.log.clear()
    new = setting.images(legacy=old.legacy, **options)
    assert new.cached_bytes == 0
    await new.resolve(TAGGED, ANYBODY)
    assert len(pushed.log) == 1


async def test_what_may_not_be_asked_any_more_is_not_shown_either(pushed: Registry, setting: Setting):
    old = setting.images()
    await old.resolve(TAGGED, ANYBODY)
    assert await code(setting.images(legacy=old.legacy, addresses=AddressPolicy())) == "blocked-address"
    assert await code(setting.images(legacy=old.legacy, allowed_hosts=("other.example",))) == "blocked-host"


async def test_other_mirrors_are_asked(pushed: Registry, setting: Setting):
    old = setting.images()
    await old.resolve(TAGGED, ANYBODY)
    elsewhere = Setting(setting.folder / "elsewhere")
    elsewhere.folder.mkdir()
    with Registry() as other:
        elsewhere.serve("reg.example", other)
        new = setting.images(legacy=old.legacy, hosts_dir=elsewhere.folder)
        assert await code(new) == "not-found"
        assert other.log


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_nobody_is_shown_what_another_has_seen(pushed: Registry, setting: Setting, scheme: str):
    users = {"ann": "ann-word", "eve": "eve-word"}
    pushed.auth = Auth(scheme, users, may_see={"team/app": ["ann"]})
    ann, eve = access("ann:ann-word"), access("eve:eve-word")
    old = setting.images()
    seen = await old.resolve(TAGGED, ann)
    new = setting.images(legacy=old.legacy, request_timeout=3.0)
    assert await code(new, eve) in ("denied", "unauthorized", "not-found")
    assert await code(new) in ("denied", "unauthorized", "not-found")
    pushed.log.clear()
    assert (await new.resolve(TAGGED, ann)).root == seen.root
    assert pushed.log == []


async def test_a_failure_may_have_been_mended(registry: Registry, setting: Setting):
    old = setting.images()
    assert await code(old) == "not-found"
    registry.push("team/app", build.single("linux/arm64"), "1")
    assert await code(old) == "not-found"
    await setting.images(legacy=old.legacy, request_timeout=3.0).resolve(TAGGED, ANYBODY)


@pytest.mark.parametrize(("ttl", "asked"), [(10.0, 1), (60.0, 0), (600.0, 0)])
async def test_a_shorter_time_counts_for_what_is_remembered_as_well(
    pushed: Registry, setting: Setting, ttl: float, asked: int
):
    old = setting.images()
    await old.resolve(TAGGED, ANYBODY)
    setting.clock.now += 30
    pushed.log.clear()
    await setting.images(legacy=old.legacy, tag_ttl=ttl).resolve(TAGGED, ANYBODY)
    assert len(pushed.log) == asked


async def test_a_longer_time_makes_nothing_younger(pushed: Registry, setting: Setting):
    old = setting.images()
    await old.resolve(TAGGED, ANYBODY)
    new = setting.images(legacy=old.legacy, tag_ttl=3600.0)
    setting.clock.now += 61
    pushed.log.clear()
    await new.resolve(TAGGED, ANYBODY)
    assert len(pushed.log) == 1


async def test_a_smaller_cache_keeps_what_was_used_last(registry: Registry, setting: Setting):
    old = setting.images()
    tags = [f"{number}" for number in range(40)]
    for tag in tags:
        registry.push("team/app", build.multi("linux/amd64", text=tag * 2000), tag)
        await old.resolve(reference(f"reg.example/team/app:{tag}"), ANYBODY)
    await old.resolve(reference("reg.example/team/app:0"), ANYBODY)
    room = old.cached_bytes // 2
    new = setting.images(legacy=old.legacy, cache_bytes=room)
    assert 0 < new.cached_bytes <= room
    registry.log.clear()
    await new.resolve(reference("reg.example/team/app:0"), ANYBODY)
    assert registry.log == []
    await new.resolve(reference("reg.example/team/app:1"), ANYBODY)
    assert registry.log


async def test_hosts_that_do_not_answer_are_left_alone_further_on(registry: Registry, setting: Setting):
    old = setting.images()
    registry.faults = [Fault(status=503)]
    for number in range(5):
        with pytest.raises(RegistryError):
            await old.resolve(reference(f"reg.example/team/app:{number}"), ANYBODY)
    registry.log.clear()
    new = setting.images(legacy=old.legacy, addresses=AddressPolicy((*LOOPBACK.allowed, *LOOPBACK.allowed)))
    assert await code(new) == "unavailable"
    assert registry.log == []
    registry.faults = []
    setting.clock.now += 600
    assert await code(new) == "not-found"
    assert setting.states[-1][1] == "closed"


async def test_lists_of_a_repository_are_known_further_on(registry: Registry, setting: Setting):
    made = registry.push("team/app", build.multi("linux/amd64", "linux/arm64"), "1")
    old = setting.images()
    listed = (await old.resolve(TAGGED, ANYBODY)).root
    child = listed.index.entries[0].digest
    new = setting.images(legacy=old.legacy, request_timeout=3.0)
    assert [each.digest for each in await new.known_lists(TAGGED, child, ANYBODY)] == [listed.digest] == [made.digest]


async def test_the_old_one_goes_on_until_it_is_closed(pushed: Registry, setting: Setting):
    old = setting.images()
    pushed.faults = [Fault(delay=0.3, times=1)]
    waiting = asyncio.create_task(old.resolve(TAGGED, ANYBODY))
    while not pushed.log:  # noqa: ASYNC110 - the registry is a thread of its own
        await asyncio.sleep(0.01)
    new = setting.images(legacy=old.legacy, request_timeout=3.0)
    found = await new.resolve(TAGGED, ANYBODY)
    assert (await waiting).root == found.root
    await old.aclose()
    pushed.log.clear()
    assert (await new.resolve(TAGGED, ANYBODY)).root == found.root
    assert pushed.log == []
