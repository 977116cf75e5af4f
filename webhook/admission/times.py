"""How long a review may take: what the API server says, less what is kept back."""

import math
import re
from dataclasses import dataclass
from typing import Final

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds: what an API server gives a webhook whose configuration names no timeoutSeconds."""
LONGEST_TIMEOUT: Final = 30.0
"""Seconds: the most that timeoutSeconds may be."""
GRACE: Final = 0.2
"""Seconds between the deadline given to a review and the moment when the server answers without it."""

_DURATION: Final = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,3})m)?(?:(\d{1,5}(?:\.\d{1,9})?)(ms|s))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Times:
    """Two moments of one review, in the event loop's time: when the review itself is to end, and when the server
    answers whatever has become of it."""

    deadline: float
    answer_by: float


def times_of(started: float, timeout: float, margin: float) -> Times:
    """The moments of a review that came in at `started`; `margin` is kept back of `timeout`, but never more than half.

    The API server rounds its time-out up to whole seconds before it sends it (dispatcher.go of its webhook plugins), so
    that a client's own time-out of 2.1 s arrives as 3 s: a margin of 1 s answers even then.
    """
    span = max(timeout - margin, timeout / 2)
    return Times(started + max(span - GRACE, span / 2), started + span)


def timeout_of(text: str) -> float:
    """Seconds of the `timeout` in the query (10s, 1m30s: Go's text of a duration), at most LONGEST_TIMEOUT.

    Anything that is not understood, or is not positive, counts as the API server's default.
    """
    parts = _DURATION.fullmatch(text)
    if not text or parts is None:
        return DEFAULT_TIMEOUT
    seconds = float(parts[3] or 0) * (0.001 if parts[4] == "ms" else 1.0)
    seconds += 60.0 * int(parts[2] or 0) + 3600.0 * int(parts[1] or 0)
    return min(seconds, LONGEST_TIMEOUT) if seconds > 0 and math.isfinite(seconds) else DEFAULT_TIMEOUT
