"""Self-managed certificates where something is wrong: Secret, rights, answers, clocks, podgate itself."""

import asyncio
import logging
import time as clock

import pytest
from aiohttp import web

from tests.support.apiserver import Fault, api_server
from tests.support.resources import CONFIGURATIONS
from tests.support.selfmanaged import (
    BRISK,
    DAY,
    LIVES,
    PLACES,
    SECRET,
    Replica,
    Time,
    World,
    authorities,
    bundles,
    data,
    fill,
    install,
    replica,
    trust,
    verifies,
)
from webhook.cluster.authority import AUTHORITY_KEYS, BUNDLE, CHAIN, PRIVATE, bundle_text, read_material
from webhook.cluster.certificates import Rhythm, SelfManaged
from webhook.core.errors import CannotServe


async def spoil(world: World, how: str) -> None:
    """Make the Secret something else."""
    held = data(world.server)
    match how:
        case "empty":
            fill(world.server, {})
        case "nonsense":
            fill(world.server, dict.fromkeys(held, b"nonsense"))
        case "half":
            fill(world.server, {key: value[: len(value) // 2] for key, value in held.items()})
        case "not text":
            secret = world.server.get("secrets", SECRET)
            world.server.put("secrets", {**secret, "data": dict.fromkeys(held, "!")})
        case "no data":
            world.server.put("secrets", {**world.server.get("secrets", SECRET), "data": ["odd"]})
        case "another's":
            async with api_server() as other:
                install(other)
                one = await replica(other, world.time)
                await one.settle()
                await one.connection.close()
                there = data(other)
            fill(world.server, {key: there[key] for key in (BUNDLE, CHAIN, PRIVATE)})
        case "mixed":
            await spoil(world, "another's")
            fill(world.server, {**data(world.server), BUNDLE: held[BUNDLE], AUTHORITY_KEYS: held[AUTHORITY_KEYS]})
        case _:
            fill(world.server, {key: value for key, value in held.items() if key != how})


@pytest.mark.parametrize(
    "how",
    ["empty", "nonsense", "half", "not text", "no data", "another's", "mixed", BUNDLE, AUTHORITY_KEYS, CHAIN, PRIVATE],
)
async def test_a_secret_that_is_spoiled_is_made_anew_while_serving_goes_on(
    world: World, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await world.add(), await world.add()
    await world.settle()
    await world.settle()
    first = one.served[-1]
    await spoil(world, how)
    await world.pass_by(3)
    fresh = await world.add()  # one that has nothing in memory
    while not fresh.served:
        world.time.now += 3
        await fresh.settle()
        await two.settle()
        for each in (one, two):
            assert verifies(each.served[-1][0], bundles(world.server)[0], world.time.now)
    await world.pass_by(60)
    assert first not in (one.served[-1], fresh.served[-1])
    assert one.served[-1] == two.served[-1] == fresh.served[-1]
    held = read_material(data(world.server), PLACES.names)
    assert held.problems == ()
    assert held.held.leaf is not None
    assert "PRIVATE" not in caplog.text


async def test_what_is_not_podgates_in_the_secret_stays(world: World) -> None:
    secret = world.server.get("secrets", SECRET)
    secret["metadata"]["labels"] = {"app": "podgate"}
    world.server.put("secrets", {**secret, "data": {"note": "aGVsbG8="}})
    one = await world.add()
    await one.settle()
    stored = world.server.get("secrets", SECRET)
    assert data(world.server)["note"] == b"hello"
    assert stored["metadata"]["labels"] == {"app": "podgate"}
    assert (stored["kind"], stored["type"]) == ("Secret", "Opaque")


async def test_a_secret_that_is_gone_is_told_of_and_serving_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    one = await world.add()
    await one.settle()
    world.server.delete("secrets", SECRET)
    trust(world.server, b"")
    for _ in range(5):
        world.time.now += 5
        await one.settle()
    world.check()  # even the bundle is put right, from memory
    assert caplog.text.count("podgate/podgate-tls-self is not there") == 1
    assert world.server.count("create") == 0
    install(world.server)
    trust(world.server, in_memory(one)[BUNDLE])
    await world.pass_by(60)
    assert len(one.served) == 2


def in_memory(one: Replica) -> dict[str, bytes]:
    """The Secret's data as a replica has it in memory, without the authority's key."""
    assert one.keeper._last is not None
    chain, key = one.served[-1]
    return {BUNDLE: bundle_text(list(one.keeper._last.certificates.values())), CHAIN: chain, PRIVATE: key}


async def test_without_a_configuration_there_is_a_certificate_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.server.delete(CONFIGURATIONS, "podgate")
    one = await world.add()
    await one.settle()
    assert len(one.served) == 1
    assert caplog.text.count("ValidatingWebhookConfiguration podgate is not there") == 1
    held = data(world.server)
    install(world.server)
    fill(world.server, held)
    await one.settle()
    world.check()


RIGHTS = (
    "get secrets",
    "update secrets",
    f"get {CONFIGURATIONS}",
    f"patch {CONFIGURATIONS}",
    "get leases",
    "update leases",
)


@pytest.mark.parametrize("right", RIGHTS)
async def test_each_right_that_is_missing(world: World, right: str, caplog: pytest.LogCaptureFixture) -> None:
    one = await world.add()
    world.server.forbidden.add(right)
    for _ in range(5):
        await one.settle()
        world.time.now += 5
    needed = not right.endswith("leases")
    assert caplog.text.count("forbidden") == (1 if needed else 0)
    if needed:
        verb, resource = right.split()
        assert f'cannot {verb} resource "{resource}"' in caplog.text
    # Only the bundle is not needed to have a certificate; but nothing is served that somebody might not trust.
    assert bool(one.served) == (right.endswith("leases") or right.startswith("patch"))
    world.server.forbidden.clear()
    await world.pass_by(40)
    world.check()


@pytest.mark.parametrize("status", [500, 503, 429, 409, 422, 0])
@pytest.mark.parametrize("right", RIGHTS)
async def test_faults_of_every_request_in_turn(world: World, right: str, status: int) -> None:
    one = await world.add()
    world.server.fail(right, *[Fault(status)] * 4)
    for _ in range(20):
        await one.settle()
        world.time.now += 5
    world.check()
    assert world.server.faults[right] == [] or right.endswith("leases")


@pytest.mark.parametrize("right", ["update secrets", f"patch {CONFIGURATIONS}"])
async def test_an_answer_that_is_lost_after_the_deed(world: World, right: str) -> None:
    one = await world.add()
    world.server.fail(right, *[Fault(0, done=True)] * 2)
    for _ in range(10):
        await one.settle()
        world.time.now += 5
    world.check()
    assert authorities(world) == 1


async def test_lost_races_in_a_row_are_no_news_for_a_while(world: World, caplog: pytest.LogCaptureFixture) -> None:
    one = await world.add()
    running = asyncio.create_task(one.keeper.run())
    world.server.fail("update secrets", *[Fault(409)] * 8)
    async with asyncio.timeout(20):
        while not one.served:  # noqa: ASYNC110 - it happens behind a socket
            await asyncio.sleep(0.01)
    running.cancel()
    assert caplog.text == ""


async def test_it_goes_on_after_an_api_server_that_was_away_for_long(world: World) -> None:
    one = await world.add()
    running = asyncio.create_task(one.keeper.run())
    async with asyncio.timeout(20):
        while not one.served:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        world.server.fail("get secrets", *[Fault(0)] * 10)
        world.time.now += 61 * DAY
        while len(one.served) == 1:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    running.cancel()
    world.check()
    await one.connection.close()


async def test_a_fight_over_the_bundle_is_fought_at_podgates_pace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the bundle away as soon as it is there: a tool that applies what it has, say."""
    one = await world.add()
    pauses = 0

    def pause() -> float:
        nonlocal pauses
        pauses += 1
        return 0.0

    async def take_away(request: web.Request) -> None:
        if request.method == "GET" and CONFIGURATIONS in request.path:
            trust(world.server, b"")

    monkeypatch.setattr(one.keeper, "_pause", pause)
    world.server.turns = take_away
    running = asyncio.create_task(one.keeper.run())
    async with asyncio.timeout(20):
        while world.server.count("patch") < 50:  # noqa: ASYNC110 - it happens behind a socket
            await asyncio.sleep(0.01)
    running.cancel()
    assert pauses >= 9


async def test_that_a_certificate_waits_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one = await world.add()
    await one.settle()
    fill(world.server, {})
    await one.settle()
    await world.pass_by(60)
    assert caplog.text.count("has been in the caBundle for 30 s") == 1


async def test_a_bug_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = await world.add()
    step, calls = one.keeper.step, 0

    async def broken() -> bool:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise LookupError("a bug")
        return await step()

    monkeypatch.setattr(one.keeper, "step", broken)
    running = asyncio.create_task(one.keeper.run())
    async with asyncio.timeout(20):
        while not one.served:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    running.cancel()
    assert caplog.text.count("could not be looked at") == 3
    await one.connection.close()


async def test_the_pauses_between_looks() -> None:
    async with api_server() as server:
        one = await replica(server, Time())
        keeper: SelfManaged = one.keeper
        object.__setattr__(keeper._how, "rhythm", Rhythm())
        pauses = []
        for failures in (0, 1, 2, 5, 10, 10_000):
            keeper._failures = failures
            pauses.append([keeper._pause() for _ in range(200)])
        longest = [3.0, 0.5, 1.0, 8.0, 30.0, 30.0]
        for some, most in zip(pauses, longest, strict=True):
            assert most / 2 <= min(some) < max(some) <= most
        await one.connection.close()


async def test_a_pair_that_the_server_refuses_is_told_of_once_and_the_old_one_stays(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await world.add()

    def refuse(chain: bytes, key: bytes) -> None:
        raise CannotServe("not one that OpenSSL takes")

    taken = one.keeper._hand_over
    monkeypatch.setattr(one.keeper, "_hand_over", refuse)
    for _ in range(3):
        await one.settle()
    assert caplog.text.count("stays as it was: not one that OpenSSL takes") == 1
    monkeypatch.setattr(one.keeper, "_hand_over", taken)
    await one.settle()
    world.check()


async def put_back(world: World) -> tuple[bytes, bytes]:
    """One replica's Secret from before its authority's end in the bundle: the chain of then, and the one of now."""
    one = await world.add()
    await one.settle()
    old, (old_bundle,) = data(world.server), bundles(world.server)
    fill(world.server, {})
    await one.settle()
    await world.pass_by(60)
    assert authorities(world) == 2
    (both,) = bundles(world.server)
    trust(world.server, both.replace(old_bundle, b""))
    fill(world.server, old)
    return old[CHAIN], one.served[-1][0]


async def test_an_old_secret_that_is_put_back_is_served_once_every_api_server_trusts_it(world: World) -> None:
    old, new = await put_back(world)
    (one,) = world.replicas
    await one.settle()  # which puts its authority into the bundle again
    assert (authorities(world), one.served[-1][0]) == (2, new)
    await world.pass_by(LIVES.seen - 1)
    assert one.served[-1][0] == new
    await world.pass_by(2)
    assert one.served[-1][0] == old


async def test_a_replica_that_starts_serves_no_secret_that_was_put_back_before_it_is_trusted(world: World) -> None:
    old, _ = await put_back(world)
    late = await world.add()
    await late.keeper.step()
    assert late.served == []
    await late.settle()
    assert late.served[-1][0] == old
    world.check()


async def test_no_key_is_in_a_log_or_a_repr(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = await world.add()
    world.server.fail("update secrets", Fault(422, "the body is bad"))
    for _ in range(3):
        await one.settle()
    material = read_material(data(world.server), PLACES.names)
    secret = material.key.splitlines()[1].decode()
    for text in (caplog.text, repr(material), str(material), repr(one.keeper)):
        assert "PRIVATE" not in text
        assert secret not in text


async def test_real_clocks_and_pauses_end_with_a_certificate(world: World) -> None:
    world.time.now = clock.time()
    one = await world.add()
    running = asyncio.create_task(one.keeper.run())
    async with asyncio.timeout(20):
        while not one.served:  # noqa: ASYNC110 - it happens behind a socket
            await asyncio.sleep(0.01)
    running.cancel()
    world.check()
    assert one.keeper._how.rhythm == BRISK
    assert one.keeper._how.lives == LIVES
    await one.connection.close()
