"""How long a review waits for the API server where what it was told before can stand in."""

import asyncio
from typing import Any, Final

_SECONDS: Final = 1.0
"""For an API server that may just be slow: a healthy one takes milliseconds. A template's ServiceAccount and its secret
are read one after the other, and what is left goes to the registries."""


class Patience:
    """An API server that is there and says nothing (its machine is out of memory, packets are dropped) would cost each
    review the whole time of a read, and a template the time of two, which no review has. So the first waits for a
    moment, and those that follow not at all, until something is answered again.

    One object for all that is read of an API server.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._silent = False

    async def wait(self, read: asyncio.Task[Any]) -> bool:
        """Whether a read ended while it was worth waiting for. It goes on in any case, whoever is cancelled."""
        await asyncio.wait((read,), timeout=0.0 if self._silent else self._seconds)
        if not read.done():
            self._silent = True
        return read.done()

    def answered(self) -> None:
        """The API server has said something, be it a refusal."""
        self._silent = False
