"""What comes over the wire, made into JSON within bounds; and its uid, found even where no JSON comes of it.

An API server takes an answer whose uid is not the request's for a failure of the webhook (k8s.io/apiserver,
VerifyAdmissionResponse), so the uid matters even where nothing else can be read.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import StreamReader, web

_HEAD: Final = 4096
"""Bytes of a body that are searched for its uid: Go writes kind, apiVersion and request.uid first."""

_UID: Final = re.compile(rb'"uid"\s{0,8}:\s{0,8}"([!#-\[\]-~]{1,128})"')

_loads: Callable[[bytes], Any] = json.loads
with contextlib.suppress(ImportError):  # without the extra `speed`
    from orjson import loads as _loads


class Unreadable(Exception):
    """A body of which no review comes: `problem` says why, `uid` is what its beginning names (empty: nothing)."""

    def __init__(self, problem: str, uid: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.uid = uid


async def read_json(stream: StreamReader, limit: int, until: float) -> Any:  # noqa: ANN401  # whatever was sent
    """The JSON of a body of at most `limit` bytes that is in by `until` (the event loop's time). Raises Unreadable."""
    body = bytearray()
    try:
        async with asyncio.timeout_at(until):
            async for chunk in stream.iter_any():
                if len(body) + len(chunk) > limit:
                    raise Unreadable("the request is larger than podgate reads", salvaged_uid(bytes(body or chunk)))
                body += chunk
    except TimeoutError:
        raise Unreadable("the request did not come in whole in time", salvaged_uid(bytes(body))) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Unreadable("the request broke off, or is not encoded as it says", salvaged_uid(bytes(body))) from None
    text = bytes(body)
    try:
        return _loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("the request is not JSON, or nested too deeply", salvaged_uid(text)) from None


def salvaged_uid(text: bytes) -> str:
    """The first uid in the beginning of an AdmissionReview that cannot be decoded; empty where there is none."""
    found = _UID.search(text[:_HEAD])
    return "" if found is None else found[1].decode("ascii")
