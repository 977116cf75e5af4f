"""Whose turn it is, by host and in all."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.registry.conftest import Setting, access, reference
from tests.support import images as build
from tests.support.registry import Auth, Fault, Registry
from webhook.core.errors import RegistryError
from webhook.registry.turns import Turns


def soon() -> float:
    return asyncio.get_running_loop().time() + 10


async def hold(turns: Turns, host: str, order: list[str], release: asyncio.Event) -> None:
    async with turns.of(host, soon()):
        order.append(host)
        await release.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_host_has_so_many_and_all_have_so_many():
    turns, release = Turns(2, most=3), asyncio.Event()
    order: list[str] = []
    tasks = [asyncio.create_task(hold(turns, host, order, release)) for host in "aaabbb"]
    await settle()
    assert order == ["a", "a", "b"]
    release.set()
    await asyncio.gather(*tasks)
    assert sorted(order) == list("aaabbb")


async def test_hosts_take_turns_so_that_a_long_queue_holds_up_only_its_own():
    turns = Turns(1, most=1)
    order: list[str] = []
    release = asyncio.Event()
    release.set()
    async with turns.of("x", soon()):
        tasks = [asyncio.create_task(hold(turns, host, order, release)) for host in "aaaaabc"]
        await settle()
    await asyncio.gather(*tasks)
    assert order[:3] == ["a", "b", "c"]


async def test_a_turn_that_does_not_come_in_time_is_given_up():
    turns = Turns(1)
    async with turns.of("a", soon()):
        with pytest.raises(TimeoutError):
            async with turns.of("a", asyncio.get_running_loop().time() + 0.01):
                raise AssertionError("it was not its turn")
    async with turns.of("a", soon()):
        pass


async def test_who_is_cancelled_gives_his_turn_to_the_next():
    turns = Turns(1)
    order: list[str] = []
    release = asyncio.Event()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.of("a", soon()))
        first = asyncio.create_task(hold(turns, "a", order, release))
        second = asyncio.create_task(hold(turns, "a", order, release))
        await settle()
        await stack.aclose()  # the turn is the first's now, who is cancelled at the same moment
        first.cancel()
        await settle()
        assert order == ["a"]
        release.set()
        await second
    assert first.cancelled()
    assert (turns._taken, turns._waiting) == ({}, {})


async def test_a_slow_host_does_not_hold_up_another(setting: Setting, registry: Registry):
    with Registry() as slow:
        slow.faults = [Fault(delay=30)]
        setting.serve("slow.example", slow)
        registry.push("team/app", build.multi("linux/amd64"), "1")
        images = setting.images(concurrency_per_host=4)
        waiting = [
            asyncio.create_task(images.resolve(reference(f"slow.example/team/app:{n}"), access())) for n in range(40)
        ]
        while len(slow.log) < 4:  # noqa: ASYNC110 -- the log fills in another thread
            await asyncio.sleep(0.005)
        assert (await images.resolve(reference("reg.example/team/app:1"), access())).root.body
        assert slow.most_at_once == 4
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_wait_for_a_turn_is_not_taken_from_the_request(setting: Setting, registry: Registry):
    """Else the queue of a slow host ends in time-outs of all that have just begun, and these open its circuit."""
    registry.push("team/app", build.multi("linux/amd64"), *map(str, range(10)))
    registry.faults = [Fault(delay=1.2)]
    images = setting.images(concurrency_per_host=5, request_timeout=2.0)
    await asyncio.gather(*(images.resolve(reference(f"reg.example/team/app:{n}"), access()) for n in range(10)))
    assert setting.states == []
    assert (registry.most_at_once, len(registry.log)) == (5, 10)


async def test_many_hosts_leave_little_behind(setting: Setting, monkeypatch: pytest.MonkeyPatch):
    """Anybody can name hosts in a pod: what is remembered of them is bounded, and few sockets stay open. Half of them
    refuse connections, the others speak no TLS and have nothing."""
    monkeypatch.setattr("webhook.registry.breaker._MOST_HOSTS", 20)
    monkeypatch.setattr("webhook.registry.client._MOST_CHALLENGES", 20)
    monkeypatch.setattr("webhook.registry.transport._IDLE_CONNECTIONS", 10)
    with Registry(host="0.0.0.0") as registry:
        port = registry.address.rpartition(":")[2]
        registry.auth = Auth(realm=f"http://127.0.0.1:{port}/token")
        images = setting.images(hosts_dir=None, negative_ttl=0.0)
        names = [f"127.1.{number}.1:{1 if number % 2 else port}" for number in range(100)]
        asking = (images.resolve(reference(f"{name}/team/app:1"), access()) for name in names)
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert [result.code for result in results if isinstance(result, RegistryError)] == [
            "denied",
            "unavailable",
        ] * 50
        assert len({asked.headers["host"] for asked in registry.asked("/v2/*")}) == 50
    client = images._client
    assert (client._wire._turns._taken, client._wire._turns._waiting) == ({}, {})
    assert [len(client._wire._breakers._circuits), len(client._plain), len(client._challenges)] == [20, 20, 20]
    for transport in images._transports._made.values():
        assert len(transport._pool.connections) <= 10
