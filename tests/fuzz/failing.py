"""What an input has broken, and the smallest input that still breaks it."""

import contextlib
import json
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from tests.fuzz import parts
from tests.fuzz.laws import Answer, Broken, Target, hold
from tests.oracles.reduce import simpler

CEILING: Final = 20.0
"""Seconds of processor time for one input: far more than any takes, so that a loop without end is found, and a busy
machine is not."""
MOST_TRIED: Final = 3_000


class OutOfTime(BaseException):
    """An input takes too long. No Exception, so that nobody but us catches it."""


@dataclass(frozen=True)
class Failure:
    """`mark`: what two failures have in common that are the same. `words`: for people."""

    data: bytes
    mark: str
    words: str


def failure_of(target: Target, data: bytes, *, twice: bool, ceiling: float = CEILING) -> Answer | Failure:
    """What becomes of an input. `twice`: it is looked at two times, and the answers have to be the same. `ceiling`:
    seconds of processor time."""
    try:
        with _bounded(ceiling):
            answer = target.answer(data)
            again = target.answer(data) if twice else answer
            hold(again == answer, f"another answer the second time:\n  {answer}\n  {again}")
    except (Exception, OutOfTime) as error:  # noqa: BLE001  # whatever it is, it is what is looked for
        return Failure(data, _mark(error), "".join(traceback.format_exception(error)))
    return answer


@contextlib.contextmanager
def _bounded(ceiling: float) -> Iterator[None]:
    def end(*_: int | FrameType | None) -> None:
        raise OutOfTime(f"more than {ceiling} s of processor time")

    before = signal.signal(signal.SIGVTALRM, end)
    started = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, ceiling)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    if time.process_time() - started > ceiling:  # an event loop may have caught it
        raise OutOfTime(f"more than {ceiling} s of processor time")


def _mark(error: BaseException) -> str:
    """The law, or the exception and the last place of podgate's that it came through."""
    if isinstance(error, Broken):
        return str(error).partition(":")[0]
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{Path(frame.filename).name}:{frame.name}" for frame in frames if "webhook" in Path(frame.filename).parts
    ]
    return f"{type(error).__name__} in {places[-1] if places else 'the target'}"


def reduced(target: Target, found: Failure, *, twice: bool) -> Failure:
    """The same failure by an input of which no single part can be left out any more."""
    tried = 0
    while True:
        for smaller in _simpler(found.data):
            tried += 1
            if tried > MOST_TRIED:
                return found
            again = failure_of(target, smaller, twice=twice)
            if isinstance(again, Failure) and again.mark == found.mark:
                found = again
                break
        else:
            return found


def _simpler(data: bytes) -> Iterator[bytes]:
    """Shorter inputs, the shortest first of each kind: parts, bytes, members of JSON."""
    pieces = parts.split(data)
    for place in range(len(pieces)):
        if len(pieces) > 1:
            yield parts.joined([*pieces[:place], *pieces[place + 1 :]])
    for place, piece in enumerate(pieces):
        for shorter in _shorter(piece):
            if len(shorter) < len(piece):
                yield parts.joined([*pieces[:place], shorter, *pieces[place + 1 :]])


def _shorter(piece: bytes) -> Iterator[bytes]:
    with contextlib.suppress(ValueError, RecursionError):
        tree = json.loads(piece)
        if isinstance(tree, dict | list):
            write: Callable[[object], str] = json.JSONEncoder(separators=(",", ":")).encode
            inner = tree.values() if isinstance(tree, dict) else tree
            yield from (write(one).encode() for one in inner if isinstance(one, dict | list))
            yield from (write(one).encode() for one in simpler(tree))
    size = len(piece) // 2
    while size:
        for start in range(0, len(piece), size):
            yield piece[:start] + piece[start + size :]
        size //= 2
