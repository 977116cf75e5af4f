"""Durations as Go's time.ParseDuration reads them: `1m30s`, `200ms`, `-1.5h`."""

import re

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # the micro sign
    "\u03bcs": 10**3,  # the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TERM = re.compile(r"([0-9]*+)(?:\.([0-9]*+))?([^0-9.]++)")
_LIMIT = 1 << 63
"""Go adds up in 64 bits: 2**63 nanoseconds, about 292 years, are too many, except just so below zero."""


def parse_duration(text: str) -> int:
    """Nanoseconds. Raises ValueError where Go gives an error: no unit, an unknown one, nothing, too much."""
    unsigned = text[1:] if text.startswith(("+", "-")) else text
    negative = text.startswith("-")
    if unsigned == "0":
        return 0
    total = position = 0
    while position < len(unsigned) or not position:
        term = _TERM.match(unsigned, position)
        if term is None or not (term[1] or term[2]) or term[3] not in _UNITS:
            raise ValueError("not a duration: digits and a unit, such as 1m30s")
        total += _nanoseconds(term[1], term[2] or "", _UNITS[term[3]])
        if total > _LIMIT:
            raise ValueError("the duration is too long")
        position = term.end()
    if total == _LIMIT and not negative:
        raise ValueError("the duration is too long")
    return -total if negative else total


def _nanoseconds(whole: str, fraction: str, unit: int) -> int:
    significant = whole.lstrip("0") or "0"
    if len(significant) > len(str(_LIMIT)) or int(significant) * unit > _LIMIT:
        raise ValueError("the duration is too long")
    # Go keeps the digits of a fraction that fit in 63 bits, and multiplies as floating point numbers.
    kept, scale = 0, 1.0
    for digit in fraction:
        following = kept * 10 + int(digit)
        if kept > (_LIMIT - 1) // 10 or following > _LIMIT:
            break
        kept, scale = following, scale * 10
    return int(significant) * unit + (int(float(kept) * (float(unit) / scale)) if kept else 0)
