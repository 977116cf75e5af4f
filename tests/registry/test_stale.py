"""What is answered while a registry is down: what it said before, to whom it said it."""

import asyncio
from dataclasses import replace

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.resolver import RegistryImages

TAGGED = reference("reg.example/team/app:1")
ANYBODY = access()


async def outdated(images: RegistryImages, registry: Registry, setting: Setting, *users: str) -> str:
    registry.push("team/app", build.multi("linux/amd64"), "1")
    found = await images.resolve(TAGGED, access(*users))
    setting.clock.now += 61
    registry.log.clear()
    return found.root.digest


DOWN = [
    Fault(status=503),
    Fault(close=True),
    Fault(status=429),
    Fault(status=429, headers=[("Retry-After", "37")]),
]


@pytest.mark.parametrize("fault", DOWN)
async def test_while_a_registry_is_down_its_last_answer_counts(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault
):
    digest = await outdated(images, registry, setting)
    registry.faults = [fault]
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale) == (digest, True)
    assert registry.log  # it was asked
    assert ("tags", "stale") in setting.lookups
    registry.faults = []
    setting.clock.now += 61
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale) == (digest, False)


async def test_a_registry_that_is_gone_altogether(setting: Setting):
    with Registry() as registry:
        setting.serve("reg.example", registry)
        images = setting.images()
        digest = await outdated(images, registry, setting)
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale) == (digest, True)


async def test_it_counts_for_so_long(registry: Registry, setting: Setting):
    images = setting.images(stale_for=3600.0)
    await outdated(images, registry, setting)
    registry.faults = [Fault(status=503)]
    setting.clock.now += 3530
    assert (await images.resolve(TAGGED, ANYBODY)).stale
    setting.clock.now += 60
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, ANYBODY)
    assert caught.value.code == "unavailable"


async def test_none_counts_where_settings_say_so(registry: Registry, setting: Setting):
    images = setting.images(stale_for=0.0)
    await outdated(images, registry, setting)
    registry.faults = [Fault(status=503)]
    with pytest.raises(RegistryError):
        await images.resolve(TAGGED, ANYBODY)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=401), "unauthorized"),
        (Fault(status=403), "denied"),
        (Fault(status=404), "not-found"),
        (Fault(method="GET", body=b"x" * 5_000_000), "too-large"),
    ],
)
async def test_an_answer_is_an_answer(
    registry: Registry, images: RegistryImages, setting: Setting, fault: Fault, code: str
):
    await outdated(images, registry, setting)
    registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.faults = [fault]
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, ANYBODY)
    assert caught.value.code == code


@pytest.mark.parametrize("users", [(), ("ann:word",)], ids=["anybody", "ann"])
@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(close=True), Fault(truncate=9), Fault(status=429), Fault(delay=30)],
    ids=["down", "closed", "cut short", "too many requests", "silent"],
)  # fmt: skip
async def test_what_the_registry_says_is_outdated_does_not_come_back(
    registry: Registry, setting: Setting, fault: Fault, users: tuple[str, ...]
):
    """The tag names something else now: that much is known, though not what. Else a pod whose image has been mended
    would be denied by the old one."""
    images = setting.images(request_timeout=0.3)
    registry.auth = Auth(users={"ann": "word"}) if users else None
    await outdated(images, registry, setting, *users)
    moved = registry.push("team/app", build.multi("linux/arm64"), "1")
    registry.faults = [replace(fault, method="GET", at="/v2/*", authorized=bool(users))]
    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            await images.resolve(TAGGED, access(*users))
        assert caught.value.code in ("unavailable", "timeout", "rate-limited")
    assert registry.log[-1].method == "GET"
    registry.faults = []
    setting.clock.now += 61
    found = await images.resolve(TAGGED, access(*users))
    assert (found.root.digest, found.stale) == (moved.digest, False)


async def test_a_head_that_names_no_digest_outdates_nothing(
    registry: Registry, images: RegistryImages, setting: Setting
):
    digest = await outdated(images, registry, setting)
    registry.faults = [Fault(method="HEAD", without=("docker-content-digest",)), Fault(status=503)]
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale) == (digest, True)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_was_refused_is_not_shown_later(
    registry: Registry, images: RegistryImages, setting: Setting, status: int
):
    """A repository that was made private, or a tag that was deleted, does not come back when the registry is down."""
    await outdated(images, registry, setting)
    registry.faults = [Fault(status=status)]
    with pytest.raises(RegistryError):
        await images.resolve(TAGGED, ANYBODY)
    setting.clock.now += 61
    registry.faults = [Fault(close=True)]
    with pytest.raises(RegistryError) as caught:
        await images.resolve(TAGGED, ANYBODY)
    assert caught.value.code == "unavailable"


async def test_it_is_shown_to_nobody_else(registry: Registry, images: RegistryImages, setting: Setting):
    """Design, 6: `What a credential may see is never shown to another`."""
    registry.auth = Auth(users={"ann": "word", "bob": "word"})
    await outdated(images, registry, setting, "ann:word")
    registry.faults = [Fault(status=503)]
    for other in (access("bob:word"), ANYBODY, access("ann:other")):
        with pytest.raises(RegistryError) as caught:
            await images.resolve(TAGGED, other)
        assert caught.value.code == "unavailable"
    assert (await images.resolve(TAGGED, access("ann:word"))).stale


async def test_who_has_it_by_a_second_secret_gets_it(registry: Registry, images: RegistryImages, setting: Setting):
    registry.auth = Auth(users={"ann": "word", "bob": "word"}, may_see={"team/app": ["bob"]})
    registry.push("team/app", build.multi("linux/amd64"), "1")
    both = access("ann:word", "bob:word")
    digest = (await images.resolve(TAGGED, both)).root.digest
    setting.clock.now += 61
    registry.faults = [Fault(status=503)]
    found = await images.resolve(TAGGED, both)
    assert (found.root.digest, found.stale) == (digest, True)


async def test_a_deadline_is_met(registry: Registry, images: RegistryImages, setting: Setting):
    digest = await outdated(images, registry, setting)
    registry.faults = [Fault(delay=30)]
    deadline = asyncio.get_running_loop().time() + 0.6
    found = await images.resolve(TAGGED, access(deadline=deadline))
    assert (found.root.digest, found.stale) == (digest, True)
    assert asyncio.get_running_loop().time() < deadline


async def test_one_requests_time_is_enough(registry: Registry, setting: Setting):
    """Whoever has an old answer does not wait for the retries of a registry that says nothing."""
    images = setting.images(request_timeout=0.3)
    await outdated(images, registry, setting)
    registry.faults = [Fault(delay=30)]
    assert (await images.resolve(TAGGED, ANYBODY)).stale
    assert len(registry.log) == 1


async def test_an_open_circuit_costs_nothing(registry: Registry, images: RegistryImages, setting: Setting):
    digest = await outdated(images, registry, setting)
    registry.faults = [Fault(status=503)]
    for _ in range(3):
        await images.resolve(TAGGED, ANYBODY)
    asked = len(registry.log)
    assert (registry.address, "open") in setting.states
    found = await images.resolve(TAGGED, ANYBODY)
    assert (found.root.digest, found.stale, len(registry.log)) == (digest, True, asked)


async def test_what_has_a_digest_is_never_stale(registry: Registry, images: RegistryImages, setting: Setting):
    digest = await outdated(images, registry, setting)
    registry.faults = [Fault(status=503)]
    found = await images.resolve(reference(f"reg.example/team/app:1@{digest}"), ANYBODY)
    assert not found.stale
    assert registry.log == []
