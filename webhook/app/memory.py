"""Memory that is free goes back to the system, where the C library is glibc.

By itself glibc raises the size from which a block is mapped apart as soon as such a block is freed, to 32 MiB at most.
From then on the buffers of connections and the documents of registries lie among small things, and after a burst of
them most of what is free stays with the process: after ten minutes with faulty registries that was half of its memory,
and it grew with each burst (docs/adr/0034-memory-goes-back.md).
"""

import asyncio
import ctypes
import sys
from functools import cache
from typing import Final

_MMAP_THRESHOLD: Final = -3  # mallopt's names for its parameters: malloc.h of glibc
_ARENA_MAX: Final = -8
_MAPPED_FROM: Final = 128 << 10
"""Bytes from which a block is mapped apart, and so goes back when it is freed: what glibc begins with."""
_ARENAS: Final = 2
"""Heaps: threads, of which there are a few, would get one each, although they hardly ever allocate at the same time."""
_EVERY: Final = 30.0
"""Seconds between two times at which what is free among the small things goes back. It takes a few milliseconds, in a
thread."""


def keep_large_blocks_apart() -> None:
    """At the start of a process. Where it is not glibc, nothing is done."""
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_THRESHOLD, _MAPPED_FROM)
        library.mallopt(_ARENA_MAX, _ARENAS)


async def give_back(every: float = _EVERY) -> None:
    """What is free among the small things, each so many seconds, until it is cancelled. Where it is not glibc, it ends
    at once."""
    library = _glibc()
    while library is not None:
        await asyncio.sleep(every)
        await asyncio.to_thread(library.malloc_trim, 0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library of this process; None where it is another one."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if all(hasattr(library, name) for name in ("mallopt", "malloc_trim")) else None
