"""What was true when: the answer to a review may rest on any state of the world that podgate may still know."""

import time
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_KEPT: Final = 120.0
"""Seconds for which a value that has passed is remembered: longer than any review and any slack."""


class Timeline(Generic[T]):
    """A value that changes. `slack`: seconds for which podgate may go on by a value that has passed. Times are those
    of the wall clock, in seconds since 1970, which is what a load generator notes."""

    def __init__(self, value: T, slack: float) -> None:
        self._slack = slack
        self._past: list[tuple[float, T]] = [(0.0, value)]

    @property
    def now(self) -> T:
        """The value that holds."""
        return self._past[-1][1]

    def set(self, value: T, at: float | None = None) -> None:
        """Another value holds from now on: to be said just before it is so."""
        now = time.time() if at is None else at
        self._past.append((now, value))
        while len(self._past) > 2 and self._past[1][0] < now - _KEPT:
            del self._past[0]

    def during(self, begin: float, end: float) -> frozenset[T]:
        """The values that a review may have been judged by which was begun and answered at these times."""
        found = set()
        for number, (since, value) in enumerate(self._past):
            until = self._past[number + 1][0] if number + 1 < len(self._past) else float("inf")
            if since <= end and until >= begin - self._slack:
                found.add(value)
        return frozenset(found)
