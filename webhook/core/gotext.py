"""What Go does with text where Python does something else: case, white space, numbers.

Everything podgate agrees with is written in Go, and Python's own functions differ in corners that users can reach:
`"İ".lower()` is two characters, `"\\x1f".strip()` is empty, `int("1_000")` and `int("٣")` are numbers.
"""

import re

INT64_MAX = 2**63 - 1  # Go's int on every platform that nodes and registries run on

_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)} | {0x017F: ord("s"), 0x212A: ord("k")}
_DIGITS = re.compile(r"[0-9]+")
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""unicode.IsSpace: White_Space without the separators U+001C to U+001F, which str.strip takes too."""


def to_lower(text: str) -> str:
    """strings.ToLower: each character by itself, one for one, without regard to its neighbours."""
    if text.isascii():
        return text.lower()
    return "".join("i" if char == "\u0130" else char.lower() for char in text)  # the one that lower() makes longer


def trim_space(text: str) -> str:
    """strings.TrimSpace."""
    return text.strip(_SPACE)


def fold(text: str) -> str:
    """A form under which a text equals an ASCII one exactly if strings.EqualFold holds between them.

    Two characters outside ASCII fold to letters: U+017F (long s) and U+212A (the Kelvin sign). encoding/json finds its
    fields this way.
    """
    return text.translate(_FOLD)


def parse_uint(text: str, bits: int) -> int | None:
    """strconv.ParseUint in base 10: ASCII digits alone, at most 2**bits - 1; None where Go gives an error."""
    if not _DIGITS.fullmatch(text):
        return None
    return _bounded(text, 2**bits - 1)


def atoi(text: str) -> int | None:
    """strconv.Atoi: like parse_uint with an optional sign, in the range of int64; None where Go gives an error."""
    negative = text.startswith("-")
    digits = text[1:] if text.startswith(("-", "+")) else text
    if not _DIGITS.fullmatch(digits):
        return None
    value = _bounded(digits, INT64_MAX + negative)
    return -value if negative and value is not None else value


def _bounded(digits: str, most: int) -> int | None:
    """The number if it is at most `most`; the length is looked at first, since int() refuses very long texts."""
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(most)):
        return None
    value = int(significant)
    return value if value <= most else None
