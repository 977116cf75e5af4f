"""One request for one thing, however many ask for it at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from webhook.core.errors import RegistryError
from webhook.registry.faults import again

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setback:
    """Work that has failed and will be tried again: with what, and when (a time of the loop's clock)."""

    error: RegistryError
    until: float


class _Flight(Generic[T]):
    """One thing under way. `news` is done when there is a new setback."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.setback: Setback | None = None
        self.news: asyncio.Future[None] = task.get_loop().create_future()

    def hold(self, setback: Setback) -> None:
        self.setback = setback
        told, self.news = self.news, self.task.get_loop().create_future()
        told.set_result(None)


class Flights(Generic[T]):
    """Work under way, by what it is for.

    The work is a task of its own: an asker that is cancelled, or whose time is up, leaves it to the others, and the
    time it has is its own, not that of its first asker. Keys must tell apart who may see the result.
    """

    def __init__(self, context: Callable[[], Context] = Context) -> None:
        """`context` makes that in which work runs. By default it is empty: what the first asker's task carries around
        is not the others' business."""
        self._context = context
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def share(
        self,
        key: Hashable,
        work: Callable[[], Coroutine[Any, Any, T]],
        deadline: float | None = None,
    ) -> T:
        """The result of the work for a key, begun if nobody has begun it.

        `deadline` is the asker's own, a time of the loop's clock. A setback that ends too late for him is raised at
        once. Raises RegistryError: the work's, the setback's, or timeout.
        """
        loop = asyncio.get_running_loop()
        flight = self._flights.get(key)
        if flight is None:
            if deadline is not None and deadline <= loop.time():
                raise _too_late()
            flight = _Flight(loop.create_task(work(), context=self._context()))
            self._flights[key] = flight
            flight.task.add_done_callback(partial(self._landed, key))
        while not flight.task.done():
            setback, news = flight.setback, flight.news
            if setback and deadline is not None and setback.until >= deadline:
                raise again(setback.error)
            left = None if deadline is None else max(0.0, deadline - loop.time())
            either: tuple[asyncio.Future[Any], ...] = (flight.task, news)
            await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not (flight.task.done() or news.done()):
                raise _too_late()
        return _result(flight.task)

    def hold(self, key: Hashable, setback: Setback) -> None:
        """Lets the askers know that the work for a key has to wait."""
        flight = self._flights.get(key)
        if flight is not None:
            flight.hold(setback)

    async def aclose(self) -> None:
        """Ends all work."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains where all askers are gone


def _result(task: asyncio.Task[T]) -> T:
    if task.cancelled():
        raise RegistryError("unavailable", "the client was closed")
    error = task.exception()
    if isinstance(error, RegistryError):
        raise again(error) from error
    return task.result()


def _too_late() -> RegistryError:
    return RegistryError("timeout", "the time of this request is up", retryable=True)
