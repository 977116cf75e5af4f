"""When a request that failed is made again: how long a registry wants to be left alone, and how long we wait for it."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from webhook.core.errors import RegistryError
from webhook.registry.options import Hooks

_MOST_RETRIES: Final = 2
# Before the first retry, at most; each further one doubles it. Long enough for a connection to be found again, short
# beside the seconds that an admission has.
_FIRST_PAUSE: Final = 0.2
_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(text: str, wall: float) -> float | None:
    """Seconds from now (`wall`, seconds since 1970) of a Retry-After header: a number or a date (RFC 9110 10.2.3).

    None where there is none, or it is neither. A time that has passed is 0.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is one in GMT all the same (RFC 9110 5.6.7).
        stamp = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, stamp - wall)


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait, and which of the places are asked then: those that have been left alone long enough."""

    seconds: float
    numbers: tuple[int, ...]


class Patience:
    """Of one look-up: two retries at most, which wait no longer than requestTimeout in all.

    What took long to fail (a time-out does) is not tried twice more: after twice requestTimeout no retry is begun.
    """

    def __init__(self, hooks: Hooks, request_timeout: float) -> None:
        self._hooks = hooks
        self._left = request_timeout
        self._times = 0
        self._ends = asyncio.get_running_loop().time() + 2 * request_timeout

    def pause(self, failures: Mapping[int, RegistryError]) -> Pause | None:
        """What to do after failures, by the number of the place; None where nothing is tried again."""
        if self._times >= _MOST_RETRIES or asyncio.get_running_loop().time() >= self._ends:
            return None
        least = _FIRST_PAUSE * 2**self._times * (0.5 + 0.5 * self._hooks.jitter())
        waits = {number: self._wait(error, least) for number, error in failures.items() if error.retryable}
        fitting = {number: wait for number, wait in waits.items() if wait is not None}
        if not fitting:
            return None
        seconds = min(fitting.values())
        self._times += 1
        self._left -= seconds
        return Pause(seconds, tuple(number for number, wait in fitting.items() if wait <= seconds))

    def _wait(self, error: RegistryError, least: float) -> float | None:
        """Seconds; None where there is no time for it. Never sooner than the registry says."""
        wanted = error.exchange.retry_after
        if wanted is None:
            return least if least <= self._left else None
        return min(wanted + least, self._left) if wanted <= self._left else None
