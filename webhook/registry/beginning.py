"""What the first request to a registry would have to wait for, done before it comes.

Many pods may come at once right after the start, and all of them would wait while one reads the system's roots, and
while a library imports, at its first use, what it has put off until then: together 50 ms.
"""

from contextlib import suppress

import anyio
import anyio.lowlevel

from webhook.registry import tls

_PUT_OFF = ("Event", "Semaphore", "connect_tcp", "streams")
"""What httpcore uses of anyio beside what is used here."""


async def prepare() -> None:
    """Reads the roots, and uses what httpcore will use. Raises nothing: what is wrong with the roots is told when a
    registry is asked."""
    with suppress(OSError, ValueError):
        tls.context(tls.PLAIN)
    for name in _PUT_OFF:
        getattr(anyio, name)
    with anyio.CancelScope(shield=True), anyio.fail_after(1.0):
        async with anyio.Lock():
            await anyio.lowlevel.checkpoint()
