"""Work that takes long, beside the event loop.

Whoever writes an object, or is a registry, chooses how large his documents are, and what takes a second in one piece
holds up every other review for as long. In a thread it gives way every few milliseconds. There is one thread for all of
it: however much of this comes, half of the processor is left to everybody else, and what waits in vain until its
deadline is never begun.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

LARGE: Final = 1 << 16
"""Bytes of a document from which on it is read here: some milliseconds of work. Those that people make are smaller."""

T = TypeVar("T")

_thread = ThreadPoolExecutor(1, "podgate-aside")


async def aside(work: Callable[[], T]) -> T:
    """The result of some work, which raises what it raises, but no StopIteration. What it reads nobody may write to
    meanwhile. Who is cancelled while it waits for its turn has it never begun."""
    return await asyncio.get_running_loop().run_in_executor(_thread, work)
