"""An input of several parts, as one text that people, files and other fuzzers can work on.

Parts are separated by a line of their own. Where a part speaks of another by digest it writes `{digest:N}`, N counting
the parts from 0: the text of a document may then be damaged, and its digest still leads to it.
"""

import re

from tests.support.images import digest_of

LINE = b"\n--8<--\n"
_DIGEST = re.compile(rb"\{digest:([0-9])\}")
_SIZE = re.compile(rb'"\{size:([0-9])\}"')


def split(data: bytes) -> list[bytes]:
    """The parts of an input, at least one."""
    return data.split(LINE)


def joined(parts: list[bytes]) -> bytes:
    """The input of some parts."""
    return LINE.join(parts)


def referred(parts: list[bytes]) -> list[bytes]:
    """The parts with digests and sizes of those that come after them filled in; what refers to itself, or back, stays
    as it is written."""
    filled = list(parts)
    for place in reversed(range(len(parts))):

        def digest(found: re.Match[bytes], beyond: int = place) -> bytes:
            number = int(found[1])
            return digest_of(filled[number]).encode() if beyond < number < len(filled) else found[0]

        def size(found: re.Match[bytes], beyond: int = place) -> bytes:
            number = int(found[1])
            return str(len(filled[number])).encode() if beyond < number < len(filled) else b"0"

        filled[place] = _SIZE.sub(size, _DIGEST.sub(digest, filled[place]))
    return filled
