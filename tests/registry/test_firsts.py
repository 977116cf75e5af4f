"""Who asks a host first finds out what it wants to be shown; the others wait for that, but not for long."""

import asyncio

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry

MANY = 20


def pushed(registry: Registry) -> list[str]:
    for number in range(MANY):
        registry.push(f"team/app-{number}", build.multi("linux/amd64"), "1")
    return [f"reg.example/team/app-{number}:1" for number in range(MANY)]


async def test_of_many_at_once_one_is_challenged(setting: Setting, registry: Registry):
    names = pushed(registry)
    registry.auth = Auth(public={f"team/app-{number}" for number in range(MANY)})
    registry.faults = [Fault(delay=0.05)]
    images = setting.images()
    await asyncio.gather(*(images.resolve(reference(name), access()) for name in names))
    refused = [asked for asked in registry.asked("/v2/*") if not asked.authorization]
    assert (len(refused), len(registry.asked("/token")), len(registry.log)) == (1, MANY, 1 + MANY + MANY)


async def test_once_a_host_has_answered_nobody_waits(setting: Setting, registry: Registry):
    names = pushed(registry)
    images = setting.images()
    await images.resolve(reference(names[0]), access())
    registry.faults = [Fault(delay=0.2)]
    await asyncio.gather(*(images.resolve(reference(name), access()) for name in names[1:]))
    assert registry.most_at_once == MANY - 1


async def test_one_that_gets_no_answer_holds_up_nobody_for_long(setting: Setting, registry: Registry):
    names = pushed(registry)
    registry.faults = [Fault(at="/v2/team/app-0/*", delay=3.0)]
    images = setting.images(request_timeout=5.0)
    first = asyncio.create_task(images.resolve(reference(names[0]), access()))
    await asyncio.sleep(0)
    await asyncio.gather(*(images.resolve(reference(name), access()) for name in names[1:]))
    assert not first.done()
    await first


async def test_one_that_fails_lets_the_others_try(setting: Setting, registry: Registry):
    names = pushed(registry)
    registry.faults = [Fault(at="/v2/team/app-0/*", times=1, status=404)]
    images = setting.images()
    found = await asyncio.gather(*(images.resolve(reference(name), access()) for name in names), return_exceptions=True)
    assert [isinstance(each, Exception) for each in found] == [True, *[False] * (MANY - 1)]
