"""What changes while reviews come in: each in a task of its own, at a pace of its own."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any, Final

from tests.faults.hosts import WELL as NOTHING
from tests.faults.samples import IMAGES
from tests.soak.cluster import BASE_NODES, LongLived, gpu_node, namespace, plain_node, pull_secret, rare_node
from tests.soak.registries import ILL, PRIVATE, TAGS, Registries
from tests.soak.webhook import REST_SIZE, SIZES, Webhook
from tests.soak.world import MOVING_TAGS, TENANTS, World
from tests.support.apiserver import Fault

ILL_SECONDS: Final = 5.0
WELL_SECONDS: Final = 5.0
"""A registry is ill for so long, longer than two requests take to be given up, and then well for so long."""
_JOINERS: Final = 20
"""Nodes that come and go."""


@dataclass
class Changes:
    """Runs from `start` to `stop`. `counts`: how often what has changed. `met`: faults that podgate has met, which is
    that a registry was asked or connected to while it had it."""

    world: World
    api: LongLived
    registries: Registries
    webhook: Webhook
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _passwords: "count[int]" = field(default_factory=lambda: count(1))
    _next_fault: int = 0
    _size: int = 0

    def furnish(self) -> None:
        """The pull secrets, as they are at first."""
        for tenant in TENANTS:
            pull_secret(self.api, tenant, PRIVATE, tenant, f"{tenant}-0")

    def start(self) -> None:
        """Begins, or goes on."""
        self._settle_settings()
        endless: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (
            self._nodes, self._rare, self._gpu, self._modes, self._tags, self._logins, self._settings,
            self._certificates, self._watches, self._housekeeping,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(one()) for one in endless]
        self._tasks += [asyncio.create_task(self._illnesses(number)) for number in range(ILL)]

    async def stop(self) -> None:
        """Leaves all as it is, and the registries well. Raises what has ended a task before its time."""
        ended = [task for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for registry in self.registries.ill:
            registry.make(NOTHING)
        self._settle_settings()
        for task in ended:
            task.result()

    def rest(self) -> None:
        """Settings by which a new client of the registries takes over, and the one before is closed with all its
        connections."""
        self.webhook.show_settings(self.webhook.settings(exempt=self.world.exempt.now, size=REST_SIZE))

    def _settle_settings(self) -> None:
        self.webhook.show_settings(self._settings_now())

    def _settings_now(self) -> dict[str, Any]:
        return self.webhook.settings(exempt=self.world.exempt.now, size=SIZES[self._size % len(SIZES)])

    async def _nodes(self) -> None:
        """Two changes a second: nodes join, leave, and get other labels, none of which a pod's constraints name."""
        there: list[str] = []
        for number in count():
            await asyncio.sleep(0.5)
            if number % 2 and there and (len(there) >= _JOINERS or self.chance.random() < 0.5):
                self.api.delete("nodes", there.pop(self.chance.randrange(len(there))))
                self.counts["nodes that left"] += 1
            elif number % 2:
                there.append(f"joiner-{number}")
                self.api.put("nodes", plain_node(there[-1], self.chance.choice(("amd64", "arm64"))))
                self.counts["nodes that joined"] += 1
            else:
                base = self.chance.randrange(BASE_NODES)
                zone = f"z{self.chance.randrange(3)}"
                self.api.put("nodes", plain_node(f"base-{base}", ("amd64", "arm64")[base % 2], zone=zone))
                self.counts["nodes with other labels"] += 1

    async def _rare(self) -> None:
        """A node of another architecture, for a while."""
        while True:
            await asyncio.sleep(20)
            self.world.rare.set(True)
            self.api.put("nodes", rare_node())
            self.counts["nodes that joined"] += 1
            await asyncio.sleep(20)
            self.world.rare.set(False)
            self.api.delete("nodes", "rare")
            self.counts["nodes that left"] += 1

    async def _gpu(self) -> None:
        """A label moves from one node to another, and for a moment both have it."""
        for gaining, losing in cycle((("arm64", "amd64"), ("amd64", "arm64"))):
            await asyncio.sleep(25)
            self.world.labelled.set(("amd64", "arm64"))
            self.api.put("nodes", gpu_node(gaining, labelled=True))
            await asyncio.sleep(1)
            self.world.labelled.set((gaining,))
            self.api.put("nodes", gpu_node(losing, labelled=False))
            self.counts["nodes with other labels"] += 2

    async def _modes(self) -> None:
        """A namespace's label."""
        while True:
            await asyncio.sleep(30)
            self.world.lenient.set(not self.world.lenient.now)
            namespace(self.api, "moody", "warn" if self.world.lenient.now else None)
            self.counts["modes of a namespace"] += 1

    async def _tags(self) -> None:
        """Each tag that moves does so every 30 seconds; registries that fall ill get a new image every second."""
        for number in count():
            await asyncio.sleep(30 / MOVING_TAGS)
            tag = number % MOVING_TAGS
            moved = self.world.moved[tag]
            moved.set(not moved.now)
            self.registries.move(tag, runs=moved.now)
            ill = (number % ILL, self.chance.choice(tuple(IMAGES)), self.chance.randrange(TAGS))
            self.registries.move_ill(*ill, TAGS + number)
            self.counts["tags that moved"] += 2

    async def _logins(self) -> None:
        """Each tenant's password is changed once a minute, and the one before is good no more."""
        for tenant in cycle(TENANTS):
            await asyncio.sleep(60 / len(TENANTS))
            number = next(self._passwords)
            self.world.logins[tenant].set(number)
            self.registries.change_password(tenant, f"{tenant}-{number}")
            pull_secret(self.api, tenant, PRIVATE, tenant, f"{tenant}-{number}")
            self.counts["passwords"] += 1

    async def _settings(self) -> None:
        """Every 15 seconds. Every third file is no good; every fifth one has another size of the cache."""
        for number in count(1):
            await asyncio.sleep(15)
            if number % 3 == 0:
                self.webhook.show_settings({**self._settings_now(), "mode": f"none-{number}"})
                self.counts["settings that are no good"] += 1
                continue
            self._size += number % 5 == 0
            self.world.exempt.set(not self.world.exempt.now)
            self._settle_settings()
            self.counts["settings"] += 1

    async def _certificates(self) -> None:
        """Every 12 seconds; every third time the key is another's."""
        for number in count(1):
            await asyncio.sleep(12)
            if number % 3 == 0:
                self.webhook.show_no_pair()
                self.counts["certificates that are no good"] += 1
            else:
                self.webhook.show_certificate()
                self.counts["certificates"] += 1

    async def _watches(self) -> None:
        """Every 10 seconds something happens to the watches: they are cut, or end as at their time, or what was missed
        is too old, or the lists that follow fail."""
        for what in cycle(("cut", "ended", "too old", "too old, and lists fail")):
            await asyncio.sleep(10)
            if what == "ended":
                self.api.end_watches()
            else:
                if what != "cut":
                    # Nobody hears of these before the connections are gone: there is no await in between.
                    self.api.bookmark("nodes")
                    self.api.put("nodes", plain_node("base-0", "amd64"))
                    self.api.compact()
                if what.endswith("fail"):
                    for plural in ("nodes", "namespaces"):
                        self.api.fail(f"list {plural}", Fault(503), Fault(0))
                self.api.cut_watches()
            self.counts["watches that broke off"] += 1

    async def _illnesses(self, number: int) -> None:
        """One registry's: the faults of the catalogue in turn, so that all registries together have each."""
        registry = self.registries.ill[number]
        await asyncio.sleep(number * (ILL_SECONDS + WELL_SECONDS) / ILL)
        while True:
            illness = self.registries.faults[self._next_fault % len(self.registries.faults)]
            self._next_fault += 1
            registry.make(illness.sick)
            ends = asyncio.get_running_loop().time() + ILL_SECONDS
            while asyncio.get_running_loop().time() < ends:
                await asyncio.sleep(0.1)
                if registry.open:
                    self.met.add(illness.name)
            self.counts["faults of registries"] += 1
            registry.make(NOTHING)
            await asyncio.sleep(WELL_SECONDS)

    async def _housekeeping(self) -> None:
        """What the servers of the run would otherwise remember of it."""
        while True:
            await asyncio.sleep(1)
            self.api.forget_old()
            self.counts["requests to registries"] += self.registries.forget_log()


def round_seconds(faults: int) -> float:
    """How long it takes until each fault was there once."""
    return faults / ILL * (ILL_SECONDS + WELL_SECONDS)
