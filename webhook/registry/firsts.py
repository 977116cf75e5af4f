"""Who asks a host first finds out what it wants to be shown; the others wait for that.

Else, when many images of one registry are asked for at once, each of them is sent away to fetch a token once.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Final

_MOST_HOSTS: Final = 4096
LONGEST_WAIT: Final = 0.5
"""Seconds that others wait: a host that takes longer for its first answer is asked side by side."""


class Firsts:
    """For one event loop. Hosts are known by their origin."""

    def __init__(self) -> None:
        self._met: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Event] = {}

    async def wait(self, origin: str) -> bool:
        """Returns at once where the host has answered before; True for who asks it first, and has to call `met`. Others
        wait for that."""
        if origin in self._met:
            return False
        meeting = self._under_way.get(origin)
        if meeting is None:
            self._under_way[origin] = asyncio.Event()
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await meeting.wait()
        return False

    def met(self, origin: str, *, answered: bool) -> None:
        """Lets the others go: they know what the first has learnt, or try for themselves."""
        meeting = self._under_way.pop(origin, None)
        if meeting is not None:
            meeting.set()
        if answered:
            self._met[origin] = None
            if len(self._met) > _MOST_HOSTS:
                self._met.popitem(last=False)
