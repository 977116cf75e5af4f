"""Every fault with every kind of image, unseen and known: what podgate answers, and what must not be.

Many faults are run side by side, in one podgate: it is asked while all is well, then the known tags' time passes, all
registries fall ill at once, and are asked; at last they are well again, and everything must be as if nothing had been.
"""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import product
from pathlib import Path

import httpcore

from tests.faults.catalogue import BY_TIME, Illness
from tests.faults.cells import Cell, Found, broken, broken_when_well, miscounted
from tests.faults.certificates import Certificates
from tests.faults.hosts import WELL, SickRegistry
from tests.faults.names import Names, known_here
from tests.faults.samples import FITS, IMAGES, KINDS, STATES
from tests.faults.webhook import Pace, Podgate, Told

_AT_A_TIME = 10  # faults; each is asked about by eight pods
_AT_ONCE = 6  # reviews, beside those that only wait: what is slow is to be the registry, not this machine
_TAG_TIME = 61.0  # cache.tagTTL is 60 s
_LONG = 3600.0  # longer than any circuit, pause or refusal is remembered, and shorter than staleFor
_SETTLED = 15.0  # seconds for what is under way to end


async def run(illnesses: Sequence[Illness], certificates: Certificates, folder: Path, pace: Pace) -> Found:
    """All of them, some at a time."""
    found = Found()
    for begin in range(0, len(illnesses), _AT_A_TIME):
        place = folder / f"from-{begin}"
        place.mkdir()
        await _Wave(illnesses[begin : begin + _AT_A_TIME], certificates, found).run(place, pace)
    return found


class _Wave:
    """Some faults side by side."""

    def __init__(self, illnesses: Sequence[Illness], certificates: Certificates, found: Found) -> None:
        self._found = found
        self._names = Names()
        self._authority = str(certificates.authority)
        self._registries = {f"r{number}": SickRegistry(certificates.good) for number in range(len(illnesses))}
        self._illnesses = dict(zip(self._registries, illnesses, strict=True))
        self._cells = [
            Cell(illness, label, kind, state, fit)
            for label, illness in self._illnesses.items()
            for kind, state, fit in product(KINDS, STATES, FITS)
        ]

    async def run(self, folder: Path, pace: Pace) -> None:
        """From before the faults to after them."""
        with ExitStack() as stack:
            stack.enter_context(known_here(self._names))
            errors = stack.enter_context(_errors())
            for registry in self._registries.values():
                stack.enter_context(registry)
                for name, image in IMAGES.items():
                    registry.push(name, image, "1")
            before = _held()
            async with Podgate(folder, pace, self._authority) as podgate:
                await self._phases(podgate, pace)
                self._expect(podgate.let_through == 0, f"{podgate.let_through} reviews were let through unchecked")
            closed = await _settled(lambda: _held() == before and not self._still("open"))
            self._expect(closed, f"left behind: {_held()}, and it was {before}; {self._still('open')}")
        self._found.problems += [f"logged as an error: {line}" for line in errors]

    async def _phases(self, podgate: Podgate, pace: Pace) -> None:
        await self._ask_well(podgate, [cell for cell in self._cells if cell.state == "cached"], "before the fault")
        quiet = len(asyncio.all_tasks())
        podgate.clock.ahead += _TAG_TIME
        since = len(podgate.exchanges)
        await self._fall_ill()
        told = await self._ask(podgate, self._cells)
        ended = await _settled(lambda: len(asyncio.all_tasks()) <= quiet and not self._still("busy"))
        self._expect(ended, f"still under way: {len(asyncio.all_tasks())} tasks for {quiet}; {self._still('busy')}")
        self._expect(not _in_use(), f"{_in_use()} connections to registries wait for the rest of an answer")
        for cell, answer in told.items():
            asked = podgate.requests(cell.host, since)
            self._found.told[cell], self._found.requests[cell] = answer, len(asked)
            answered = any(one.status == 200 and one.error is None for one in asked)
            problems = [*broken(cell, answer, answered=answered, timeout=pace.timeout), *miscounted(cell, len(asked))]
            self._found.problems += [f"{cell}: {problem}" for problem in problems]
        for label, registry in self._registries.items():
            name = self._illnesses[label].name
            self._expect(registry.trespassers == 0, f"{name}: an address was connected to that settings refuse")
        await self._recover()
        podgate.clock.ahead += _LONG
        await self._ask_well(podgate, self._cells, "after the fault")

    async def _ask_well(self, podgate: Podgate, cells: Sequence[Cell], when: str) -> None:
        for cell, told in (await self._ask(podgate, cells)).items():
            self._found.problems += [f"{cell}, {when}: {problem}" for problem in broken_when_well(cell, told)]

    async def _ask(self, podgate: Podgate, cells: Sequence[Cell]) -> dict[Cell, Told]:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(cell: Cell) -> Told:
            image = f"{cell.host}:{self._registries[cell.label].port}/{cell.repository}:1"
            waits = cell.illness.does == BY_TIME and self._registries[cell.label].sick is not WELL
            async with nullcontext() if waits else turns:
                return await podgate.ask(image)

        async with podgate.connected():
            answers = await asyncio.gather(*map(in_turn, cells))
        return dict(zip(cells, answers, strict=True))

    async def _fall_ill(self) -> None:
        for label, illness in self._illnesses.items():
            if illness.names is not None:
                self._names.mean(label, illness.names)
            self._registries[label].make(illness.sick)
        self._expect(await _settled(lambda: not self._still("open")), "connections could not be broken off")

    async def _recover(self) -> None:
        self._names.recover()
        for registry in self._registries.values():
            registry.make(WELL)
        self._expect(await _settled(lambda: not self._still("open")), "connections could not be broken off")

    def _still(self, what: str) -> dict[str, int]:
        """Which registries have connections that are `open`, or `busy`, and how many."""
        counts = {self._illnesses[label].name: getattr(one, what) for label, one in self._registries.items()}
        return {name: count for name, count in counts.items() if count}

    def _expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self._found.problems.append(problem)


def _held() -> tuple[int, int, int]:
    """Tasks, file descriptors, and threads that resolve names."""
    descriptors = next(folder for folder in (Path("/proc/self/fd"), Path("/dev/fd")) if folder.is_dir())
    resolving = sum(thread.name == "podgate-resolver" for thread in threading.enumerate())
    return len(asyncio.all_tasks()), len(list(descriptors.iterdir())), resolving


def _in_use() -> int:
    """Connections that podgate has made and neither closed nor given back to be used again."""
    gc.collect()
    made = [each for each in gc.get_objects() if isinstance(each, httpcore.AsyncConnectionInterface)]
    return sum(not (each.is_idle() or each.is_closed()) for each in made)


async def _settled(over: Callable[[], bool]) -> bool:
    """Waits until something is over; whether it was in time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + _SETTLED
    while not over() and loop.time() < ends:  # noqa: ASYNC110 -- it happens in other threads, too
        await asyncio.sleep(0.02)
    return over()


@contextmanager
def _errors() -> Iterator[list[str]]:
    """What is logged as an error within: podgate's own fault, or asyncio's complaint about a task or a connection."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keeper = Keeper(logging.ERROR)
    logging.getLogger().addHandler(keeper)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(keeper)
