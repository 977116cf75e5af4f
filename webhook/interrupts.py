"""Ctrl-C and its like, for commands that end: cleanly, with the shell's exit code, and within seconds.

`serve` and `demo` wait for signals and take them over themselves. Everything else is cut off: asyncio ends its main
task at SIGINT (asyncio.Runner), and the other signals by which a run is ended go the same way here.
"""

import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")

_PATIENCE: Final = 2.0
"""Seconds to tidy up in. Threads cannot be cut off: one may wait for a name server for half a minute."""
_TAKEN: Final = (signal.SIGTERM, signal.SIGHUP)
_BASE: Final = 128
"""What shells add to the number of a signal."""

_last = signal.SIGINT


def exit_code() -> int:
    """The exit code of a run that was ended by a signal: 130 after Ctrl-C, 143 after SIGTERM."""
    return _BASE + _last


@contextmanager
def taken() -> Iterator[None]:
    """While this lasts, SIGTERM and SIGHUP end a run as Ctrl-C does. Who has them ignored (nohup) keeps that."""
    before = {}
    for number in _TAKEN:
        if signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, _as_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _as_interrupt:  # `serve` leaves them ignored at its end, for good
                signal.signal(number, handler)


def _as_interrupt(number: int, _: FrameType | None) -> None:
    global _last  # noqa: PLW0603  # a signal belongs to the process, and so does what is known of it
    _last = signal.Signals(number)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background of a script
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def run(work: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, which ends soon after a signal whatever threads still wait for. Raises KeyboardInterrupt then."""
    import asyncio  # noqa: PLC0415  # help and completion do without

    async def watched() -> T:
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            _give_up_soon()
            task.cancel()
            await asyncio.wait({task})
            raise
        return task.result()

    return asyncio.run(watched())


def _give_up_soon() -> None:
    """Ends the process in a while, if it has not ended by itself by then."""
    timer = threading.Timer(_PATIENCE, _give_up)
    timer.daemon = True
    timer.start()


def _give_up() -> None:
    with suppress(OSError, ValueError):
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # a progress bar hides the cursor
    os._exit(exit_code())
