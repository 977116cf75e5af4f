"""Reading an answer: never more of it than somebody wants, counted after decoding."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import httpx

from webhook.core.errors import RegistryError

# What an error's body is read of: enough for its words, and mostly all, so that the connection can be used again.
_WORDS = 8192
# A gzip file may have any number of empty members: what goes in is bounded beside what comes out.
_WIRE_SLACK = 65536
SMALL: Final = 1 << 16
"""Bytes up to which a document is read without further ado, and which are unpacked at a time. Those that people make
have a few thousand, seldom more than a hundred thousand."""

Room = Callable[[], AbstractAsyncContextManager[None]]
"""Waits until there is room for one more document that is not small, and takes it."""


async def read_document(response: httpx.Response, limit: int, room: Room) -> bytes:
    """The whole body, decoded. Raises RegistryError: too-large, or malformed where the coding is broken or unknown.

    `room`: whoever may create pods decides how many bodies are read at a time, and hundreds of a few MiB would be more
    memory than there is.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        decoder: _Gunzip | None = _Gunzip(limit)
    elif encoding in ("", "identity"):
        decoder = None
        if int(_length(response) or 0) > limit:
            raise _too_large(limit)
    else:
        raise RegistryError("malformed", "the answer has a coding that was not asked for")
    parts: list[bytes] = []
    received = size = 0
    async with AsyncExitStack() as taken:
        async for raw in response.aiter_raw():
            received += len(raw)
            for part in decoder.feed(raw) if decoder else (raw,):
                if size <= SMALL < size + len(part):
                    await taken.enter_async_context(room())
                size += len(part)
                if size > limit or received > limit + _WIRE_SLACK:
                    raise _too_large(limit)
                parts.append(part)
        if decoder is not None:
            decoder.finish()
        return b"".join(parts)


async def read_words(response: httpx.Response) -> bytes:
    """The beginning of a body that only the log will see; a broken one is as good as an empty one to the log."""
    parts: list[bytes] = []
    size = 0
    async for raw in response.aiter_raw():
        parts.append(raw)
        size += len(raw)
        if size >= _WORDS:
            break
    return b"".join(parts)[:_WORDS] if response.headers.get("Content-Encoding") is None else b""


class _Gunzip:
    """gzip (RFC 1952) in pieces of SMALL bytes at most: a bomb ends at the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._member = _member()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes of more of the coded bytes."""
        part = b""
        while data or len(part) == SMALL:  # a full piece may have left some of its output within
            self._begun = self._begun or bool(data)
            try:
                part = self._member.decompress(data, SMALL)
            except zlib.error as error:
                raise RegistryError("malformed", "the gzip coding is broken") from error
            self._left -= len(part)
            if self._left < 0:
                raise _too_large(self._limit)
            yield part
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data
                self._member, self._begun = _member(), False

    def finish(self) -> None:
        if self._begun:
            raise RegistryError("malformed", "the gzip coding ends too early")


def _member() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with the header and trailer of gzip


def _length(response: httpx.Response) -> str:
    """Content-Length where it is a number that can be one."""
    text: str = response.headers.get("Content-Length", "")
    return text if text.isascii() and text.isdigit() and len(text) < 20 else ""


def _too_large(limit: int) -> RegistryError:
    return RegistryError("too-large", f"more than {limit} bytes")
