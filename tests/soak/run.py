"""One run, from the start of podgate to its end: warm-up, a rest, the load that counts, a rest."""

import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from tests.faults.samples import IMAGES
from tests.soak.changes import Changes, round_seconds
from tests.soak.cluster import LongLived, furnish
from tests.soak.figures import RATE, Ending
from tests.soak.judge import TIMEOUT, Judge
from tests.soak.measures import Sample, sampled
from tests.soak.questions import MATCH, MISMATCH, Question, Questions, always, review
from tests.soak.registries import ILL, TAGS, Registries, ill_name, registries
from tests.soak.sender import send
from tests.soak.webhook import Metrics, Webhook, value
from tests.soak.world import World
from tests.support.apiserver import api_server

WARM_SHARE: Final = 0.2
"""Of a run, what is warm-up; and not less than it takes for each fault to be there once, as far as half of the run
lasts for that."""
_SAMPLES: Final = 600
"""Looks at the process in a run, at most; and one in two seconds at most."""
_REST_SECONDS: Final = 20.0
"""For settings to be taken over, the client before to be closed, and connections that are kept for a while to end."""
_LONGEST_REST: Final = 120.0
"""For what is still under way after that: Events are written 50 a second."""
_REST_STEP: Final = 5.0
_RECOVERY_SECONDS: Final = 90.0
"""A circuit stays open for a minute at most (registry/breaker.py)."""
_SEED: Final = 8


@dataclass
class Outcome:
    """What a run gave. `samples`: all of them, those of the warm-up too. `errors`: lines that podgate has logged."""

    ending: Ending
    samples: list[Sample]
    changes: Counter[str]
    warm_seconds: float
    errors: list[str] = field(default_factory=list)


async def run(folder: Path, minutes: float) -> Outcome:
    """So many minutes of load; the rests come on top."""
    chance = random.Random(_SEED)
    world = World()
    with registries(folder) as there:
        async with api_server(server=LongLived()) as api:
            assert isinstance(api, LongLived)
            furnish(api)
            webhook = Webhook(folder, api)
            changes = Changes(world, api, there, webhook, chance)
            changes.furnish()
            api.compact()
            await webhook.start()
            try:
                return await _Run(world, changes, webhook, there, minutes * 60).whole()
            finally:
                await webhook.stop()


class _Run:
    """`seconds`: of load."""

    def __init__(self, world: World, changes: Changes, webhook: Webhook, there: Registries, seconds: float) -> None:
        self._changes, self._webhook, self._registries = changes, webhook, there
        self._seconds = seconds
        self._warm = max(WARM_SHARE * seconds, min(round_seconds(len(there.faults)), seconds / 2))
        self._chance = changes.chance
        self._questions = Questions(world, self._chance)
        self._judge = Judge(self._questions.draw, self._questions.kinds, self._chance)
        self._samples: list[Sample] = []
        self._began = time.monotonic()
        self._lag = 0.0
        self._refused = 0

    async def whole(self) -> Outcome:
        """All of it."""
        say(f"warm-up of {self._warm:.0f} s")
        self._questions.filling = True
        sent = await self._load(self._warm)
        self._questions.filling = False
        await self._recover()
        warm = await self._rest()
        since = len(self._samples)
        say(f"{self._seconds - self._warm:.0f} s of load")
        sent += await self._load(self._seconds - self._warm)
        recovered, asked, recovery = await self._recover()
        final = await self._rest()
        ending = await self._ending(since, (warm, final), sent, (recovered, asked, recovery))
        return Outcome(ending, self._samples, self._changes.counts, self._warm, self._unexpected())

    async def _load(self, seconds: float) -> float:
        """Reviews, while all changes; the seconds that it took to send them."""
        self._changes.start()
        watching = asyncio.create_task(self._watch())
        began = time.monotonic()
        try:
            await send(self._webhook.target, RATE, seconds, self._judge.next_review, self._judge.take)
        finally:
            taken = time.monotonic() - began
            if not watching.done():
                watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._changes.stop()
        if not watching.cancelled():
            watching.result()  # what has ended it
        # Only a generator that lags behind takes longer to send; the last answers take their time, which is another.
        return max(seconds, taken - TIMEOUT)

    async def _watch(self) -> None:
        """Looks at the process from time to time, and each second has a new connection made, as API servers do."""
        every = max(2.0, self._seconds / _SAMPLES)
        due = 0.0
        while True:
            slept = time.monotonic()
            await asyncio.sleep(1)
            self._lag = max(self._lag, time.monotonic() - slept - 1)
            self._webhook.check()
            try:
                await self._webhook.shown_serial()
            except (OSError, TimeoutError) as error:
                self._refused += 1
                self._judge.problems.append(f"a new connection failed: {error!r}")
            if time.monotonic() >= due:
                due = time.monotonic() + every
                self._samples.append(await self._sample())
                await asyncio.to_thread(self._webhook.read_log)

    async def _sample(self) -> Sample:
        at = time.monotonic() - self._began
        return await sampled(at, self._webhook)

    async def _recover(self) -> tuple[int, int, float]:
        """Asks for all images of all registries that were ill until each has the right answer: how many have, of how
        many, after how long."""
        began = time.monotonic()
        left = [
            Question(name, f"{ill_name(number)}/{name}:{tag}", always(MATCH if name.endswith("fits") else MISMATCH),
                     spec={"nodeSelector": {"kubernetes.io/arch": "arm64"}})
            for number, name, tag in product(range(ILL), IMAGES, range(TAGS))
        ]  # fmt: skip
        asked = len(left)
        while True:
            left = [question for question in left if not await self._is_right(question)]
            taken = time.monotonic() - began
            if not left or taken > _RECOVERY_SECONDS:
                return asked - len(left), asked, taken
            await asyncio.sleep(1)

    async def _is_right(self, question: Question) -> bool:
        _, body = review(question, self._chance.getrandbits(60), self._chance)
        return self._judge.is_right(question, await self._webhook.ask(body))

    async def _rest(self) -> Sample:
        """The process when nothing is asked of it, and its connections to registries have been closed."""
        self._changes.rest()
        began, sample = time.monotonic(), await self._sample()
        while True:
            await asyncio.sleep(_REST_STEP)
            self._webhook.check()
            before, sample = sample, await self._sample()
            still = (sample.descriptors, sample.tasks, sample.events) == (before.descriptors, before.tasks, 0)
            taken = time.monotonic() - began
            if (still and taken >= _REST_SECONDS) or taken >= _LONGEST_REST:
                break
        await asyncio.to_thread(self._webhook.read_log)
        say(f"at rest: {sample.rss:.1f} MiB, {sample.descriptors} descriptors, {sample.tasks} tasks")
        return sample

    async def _ending(
        self, since: int, rests: tuple[Sample, Sample], sent: float, recovery: tuple[int, int, float]
    ) -> Ending:
        metrics, changes = await self._webhook.metrics(), self._changes
        judge, samples = self._judge, self._samples[since:]
        serial = await self._webhook.shown_serial()
        return Ending(
            judge=judge,
            samples=samples,
            rests=rests,
            sent_seconds=sent,
            recovered=recovery[0],
            asked_again=recovery[1],
            recovery_seconds=recovery[2],
            internal_errors=int(value(metrics, "podgate_internal_errors_total")),
            unreadable=int(value(metrics, "podgate_unreadable_reviews_total")),
            logged=len(self._unexpected()),
            trespassers=sum(registry.trespassers for registry in self._registries.ill),
            faults=len(self._registries.faults),
            met=len(changes.met),
            reloads=(_reloads(metrics, "applied"), changes.counts["settings"]),
            refusals=(_reloads(metrics, "refused"), changes.counts["settings that are no good"]),
            refused_connections=self._refused,
            lag=self._lag,
            wrong_certificates=int(serial != self._webhook.serial),
            exit_code=await self._webhook.stop(),
        )

    def _unexpected(self) -> list[str]:
        return [line for line in self._webhook.errors if '"the settings stay as they were: ' not in line]


def _reloads(metrics: Metrics, result: str) -> int:
    return int(value(metrics, "podgate_settings_reloads_total", result=result))


def say(text: str) -> None:
    """How far it is."""
    print(f"soak: {text}", file=sys.stderr, flush=True)
