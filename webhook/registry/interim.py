"""Answers before the answer (1xx, RFC 9110 15.2): a few may come, and a server may send them without end.

httpcore passes over them by the thousand within one read, and meanwhile nothing else in the process gets its turn: one
such registry would hold the reviews of all others up past their time.
"""

import re
from typing import Final

import httpcore

_MOST: Final = 5
"""As many as the nodes' runtimes bear (Go's net/http, transport.go, max1xxResponses)."""
_LONGEST: Final = 16384
"""Bytes of one: real ones have a line or a few `Link` headers."""

_FINAL: Final = b"HTTP/1.1 101"  # what follows is no HTTP, and httpcore takes it for the answer
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1")
_SHORTEST: Final = len(_FINAL)
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")  # as h11 reads it


class Interim:
    """Looks at what comes over one connection, up to the beginning of each answer."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._text = b""
        self._count = 0
        self._over = False

    def sent(self) -> None:
        """A request, or a part of one, went out: what comes next is the answer to it."""
        self._begin()

    def received(self, data: bytes) -> None:
        """Raises httpcore.RemoteProtocolError where there is no end of them."""
        if self._over:
            return
        self._text += data
        while len(self._text) >= _SHORTEST:
            if not _INTERIM.match(self._text) or self._text.startswith(_FINAL):
                self._over, self._text = True, b""
                return
            end = _BLANK_LINE.search(self._text)
            if end is None:
                break
            self._count += 1
            self._text = self._text[end.end() :]
            if self._count > _MOST:
                raise httpcore.RemoteProtocolError("too many interim answers")
        if len(self._text) > _LONGEST:
            raise httpcore.RemoteProtocolError("an interim answer is too long")
