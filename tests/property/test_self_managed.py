"""Replicas in any order, crashes at any request, clocks that differ: what is served is trusted at all times.

The real code of several replicas runs against an API server on loopback that lets one request through at a time, in
the order that hypothesis chooses. A replica may crash before a request is done, or after it, unanswered. Each API
server may be up to half a minute behind with what it knows of the configuration.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.apiserver import ApiServer, api_server
from tests.support.selfmanaged import DAY, LIVES, Replica, Time, bundles, fill, install, replica, trust, verifies

LAG = 29.0
"""How far behind an API server may be, in seconds: less than what podgate waits for."""

SKEWS = (0.0, -600.0, 600.0)

Act = tuple[Literal["go", "look", "crash", "crash after", "wait", "days", "empty", "lose"], int]

acts: st.SearchStrategy[Act] = st.one_of(
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.sampled_from(("crash", "crash after")), st.integers(0, 2)),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 14)),
    st.tuples(st.just("days"), st.integers(1, 20)),
    st.tuples(st.sampled_from(("empty", "lose")), st.just(0)),
)


@dataclass
class Running:
    """A replica that looks, again and again, and the request at which it waits for its turn. `idle` counts the looks at
    which there was nothing to do."""

    replica: Replica
    task: asyncio.Task[None] | None = None
    idle: int = 0
    waiting: asyncio.Future[bool] | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class World:
    """The cluster, its replicas by number, and the bundles that the API servers may know of."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.time = Time()
        self.running: list[Running] = []
        self.known: list[tuple[float, bytes]] = []
        """What was put into the bundle, and when. It counts from the first on that is not empty."""
        self.lost = False
        server.turns = self._turn

    async def start(self) -> None:
        for number in range(len(SKEWS)):
            self.running.append(await self._started(number))

    async def _started(self, number: int) -> Running:
        made = await replica(self.server, self.time, SKEWS[number], identity=f"replica-{number}")
        made.connection._client.user_agent = str(number)
        one = Running(made)
        one.task = asyncio.create_task(self._look(one))
        return one

    async def _look(self, one: Running) -> None:
        while True:
            one.idle += not await one.replica.keeper.step()

    async def _turn(self, request: web.Request) -> None:
        """Holds a request back until its turn has come; or cuts it off."""
        one = self.running[int(request.headers["User-Agent"])]
        one.waiting = asyncio.get_running_loop().create_future()
        one.arrived.set()
        if not await one.waiting:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError

    async def go(self, number: int) -> None:
        """One request of a replica, from its turn until its next one waits."""
        one = self.running[number]
        await asyncio.wait_for(one.arrived.wait(), 20)
        assert one.waiting is not None
        one.arrived.clear()
        one.waiting.set_result(True)
        await asyncio.wait_for(one.arrived.wait(), 20)
        self.check()

    async def crash(self, number: int, *, after: bool) -> None:
        """A replica ends at its request, which is done all the same or is not, and another takes its place."""
        one = self.running[number]
        await asyncio.wait_for(one.arrived.wait(), 20)
        assert one.waiting is not None
        one.waiting.set_result(after)
        await _ended(one)
        for _ in range(50):  # what is left to be done of a request waits for nothing
            await asyncio.sleep(0)
        self.running[number] = await self._started(number)
        self.check()

    async def settle(self, seconds: float = 60.0) -> None:
        """Time goes by, and every replica looks every few seconds until there is nothing to do."""
        end = self.time.now + seconds
        while self.time.now < end:
            self.time.now += 10.0
            for number, one in enumerate(self.running):
                looks = one.idle
                while one.idle == looks:
                    await self.go(number)

    def check(self) -> None:
        """Whatever is served verifies against every bundle that some API server may have by now."""
        (now,) = bundles(self.server)
        if (self.known or now) and (not self.known or self.known[-1][1] != now):
            self.known.append((self.time.now, now))
        if self.lost:
            return
        for one in self.running:
            for chain, _ in one.replica.served[-1:]:
                for bundle in self._may_have():
                    assert verifies(chain, bundle, self.time.now)

    def _may_have(self) -> Sequence[bytes]:
        ends = [at for at, _ in self.known[1:]] + [float("inf")]
        return [bundle for (_, bundle), end in zip(self.known, ends, strict=True) if end >= self.time.now - LAG]

    async def end(self) -> None:
        for one in self.running:
            await _ended(one)


async def _ended(one: Running) -> None:
    assert one.task is not None
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)
    await one.replica.connection.close()
    if one.waiting is not None and not one.waiting.done():
        one.waiting.set_result(False)


async def play(script: Sequence[Act]) -> None:
    async with api_server() as server:
        install(server)
        world = World(server)
        await world.start()
        try:
            for what, number in script:
                await act(world, what, number)
            await world.settle(90.0)
            world.lost = False
            world.known = world.known[-1:]
            world.check()
            served = {one.replica.served[-1][0] for one in world.running}
            assert len(served) == 1
        finally:
            await world.end()


async def act(world: World, what: str, number: int) -> None:
    match what:
        case "go":
            await world.go(number)
        case "crash" | "crash after":
            await world.crash(number, after=what == "crash after")
        case "look":
            await world.settle(10.0)
        case "wait":
            world.time.now += number
        case "days":
            # Replicas look every few seconds: nobody holds a request for days.
            await world.settle(10.0)
            world.time.now += number * DAY
            await world.settle(50.0)
        case "empty":
            fill(world.server, {})
        case "lose":
            # From then on nothing can hold until the bundle is back, and every replica serves what it holds.
            world.lost = True
            trust(world.server, b"")
            await world.settle(60.0)
            world.known = world.known[-1:]
            world.lost = False


RENEWAL: Sequence[Act] = [("days", 28)] * 18
"""Over the renewal of the authority."""


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(acts, max_size=60))
@example(RENEWAL)
@example([("look", 0), ("empty", 0), ("look", 0), ("crash", 0), ("look", 0)])
@example([("go", 0)] * 7 + [("crash after", 0), ("crash", 1), ("empty", 0), *[("go", 1)] * 20, ("crash after", 1)])
def test_what_is_served_is_trusted_at_all_times(script: Sequence[Act]) -> None:
    assert LIVES.seen > LAG
    asyncio.run(play(script))
