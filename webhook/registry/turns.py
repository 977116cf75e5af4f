"""Whose turn it is: so many requests to one host at a time, and so many in all.

Without the first a registry is overrun, without the second podgate runs out of sockets: whoever may create pods names
the hosts, and there is no end of them. Hosts that wait take turns, so that one which is slow holds up only its own.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

# A process commonly has 1024 file descriptors; the API server's connections and idle ones need some as well.
MOST_AT_ONCE: Final = 512
"""Requests under way in all, and so the connections that are in use."""


class Turns:
    """For one event loop. `per_host` and `most` are numbers of requests under way."""

    def __init__(self, per_host: int, most: int = MOST_AT_ONCE) -> None:
        self._per_host = per_host
        self._free = most
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def of(self, host: str, until: float) -> AsyncIterator[None]:
        """Around one request to a host. Raises TimeoutError where its turn does not come by a time of the loop's."""
        async with asyncio.timeout_at(until):
            await self._take(host)
        try:
            yield
        finally:
            self._give_back(host)

    async def _take(self, host: str) -> None:
        if self._free > 0 and self._taken[host] < self._per_host and host not in self._waiting:
            self._begin(host)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._give_back(host)
            else:
                self._leave(host, turn)
            raise

    def _begin(self, host: str) -> None:
        self._free -= 1
        self._taken[host] += 1

    def _give_back(self, host: str) -> None:
        self._free += 1
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]
        self._call_next()

    def _call_next(self) -> None:
        """Gives free places to those that wait: the host that has waited longest for a turn comes first."""
        while self._free > 0:
            host = next((host for host in self._waiting if self._taken.get(host, 0) < self._per_host), None)
            if host is None:
                return
            queue = self._waiting.pop(host)
            turn = queue.popleft()
            if queue:
                self._waiting[host] = queue  # at the end: the others are first now
            if not turn.done():
                self._begin(host)
                turn.set_result(None)

    def _leave(self, host: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(host, deque())
        if turn in queue:
            queue.remove(turn)
        if not queue:
            self._waiting.pop(host, None)
