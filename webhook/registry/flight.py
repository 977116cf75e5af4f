"""One request for one thing, however many ask for it at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

from webhook.core.errors import RegistryError
from webhook.registry.faults import again

T = TypeVar("T")


class Flights(Generic[T]):
    """Work under way, by what it is for.

    The work is a task of its own: an asker that is cancelled, or whose time is up, leaves it to the others, and the
    time it has is its own, not that of its first asker. Keys must tell apart who may see the result.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def share(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], deadline: float | None = None
    ) -> T:
        """The result of the work for a key, begun if nobody has begun it.

        `deadline` is the asker's own, a time of the loop's clock. Raises RegistryError: the work's, or timeout.
        """
        loop = asyncio.get_running_loop()
        task = self._tasks.get(key)
        if task is None:
            if deadline is not None and deadline <= loop.time():
                raise _too_late()
            # An empty context: what the first asker's task carries around is not the others' business.
            task = loop.create_task(work(), context=Context())
            self._tasks[key] = task
            task.add_done_callback(partial(self._landed, key))
        await asyncio.wait({task}, timeout=None if deadline is None else max(0.0, deadline - loop.time()))
        if not task.done():
            raise _too_late()
        if task.cancelled():
            raise RegistryError("unavailable", "the client was closed")
        error = task.exception()
        if isinstance(error, RegistryError):
            raise again(error) from error
        return task.result()

    async def aclose(self) -> None:
        """Ends all work."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # looked at, or asyncio complains where all askers are gone


def _too_late() -> RegistryError:
    return RegistryError("timeout", "the time of this request is up", retryable=True)
