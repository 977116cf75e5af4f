"""The HTTPS server that the API server calls: whatever happens inside, it answers 200 with an AdmissionReview.

An API server takes anything else for a failure of the webhook, and then failurePolicy decides instead of podgate. So
the last resort is to allow, with a warning that names the uid, and to count it.
"""

import asyncio
import contextlib
import json
import logging
import math
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from webhook.admission.reviews import Answer, Review, parse_review, uid_of
from webhook.core import message

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds: what an API server gives a webhook whose configuration names no timeoutSeconds."""
LONGEST_TIMEOUT: Final = 30.0
"""Seconds: the most that timeoutSeconds may be."""
BODY_TIMEOUT: Final = 10.0
"""Seconds for a request's body to come in: an API server sends it at once."""
GRACE: Final = 0.2
"""Seconds between the deadline given to a review and the moment when the server answers without it."""

_loads: Callable[[bytes], Any] = json.loads
with contextlib.suppress(ImportError):  # without the extra `speed`
    from orjson import loads as _loads

logger = logging.getLogger("podgate.admission")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen and what to bear. `margin` is kept back from the API server's timeout, in seconds."""

    address: str
    port: int
    margin: float
    max_body_bytes: int


class AdmissionServer:
    """Serves reviews over HTTPS until it is stopped; new connections use whatever the context has loaded by then."""

    def __init__(self, options: ServerOptions, context: ssl.SSLContext, on_internal_error: Callable[[], None]) -> None:
        self._options = options
        self._context = context
        self._on_internal_error = on_internal_error
        self._runner: web.AppRunner | None = None
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, review: Review) -> int:
        """Listens, and returns the port (settings may say 0: any free one)."""
        app = web.Application(client_max_size=self._options.max_body_bytes)

        async def handle(request: web.Request) -> web.Response:
            return await self._handle(review, request)

        app.router.add_route("*", "/{path:.*}", handle)
        # The access log would write a line for each review beside podgate's own.
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self._options.address or None, self._options.port, ssl_context=self._context, backlog=512
        )
        await site.start()
        return int(self._runner.addresses[0][1])

    async def drain(self, longest: float = LONGEST_TIMEOUT) -> None:
        """Waits until no review is open, at most `longest` seconds."""
        try:
            await asyncio.wait_for(self._idle.wait(), longest)
        except TimeoutError:
            logger.warning("%d reviews were still open at the end", self._open)

    async def stop(self) -> None:
        """Closes the listener and the connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, review: Review, request: web.Request) -> web.Response:
        started = asyncio.get_running_loop().time()
        self._open += 1
        self._idle.clear()
        try:
            uid, answer = await self._answer(review, request, started)
        finally:
            self._open -= 1
            if self._open == 0:
                self._idle.set()
        return web.json_response(answer.review(uid))

    async def _answer(self, review: Review, request: web.Request, started: float) -> tuple[str, Answer]:
        uid = ""
        try:
            body = await _body(request)
            uid = uid_of(body)
            parsed = parse_review(body)
            if parsed is None:
                return uid, _not_understood("the request is no AdmissionReview")
            end = started + timeout_of(request.query.get("timeout", ""))
            deadline = max(started, end - self._options.margin)
            async with asyncio.timeout_at(min(end, deadline + GRACE)):
                return uid, await review(parsed, deadline)
        except web.HTTPRequestEntityTooLarge:
            return uid, _not_understood("the request is larger than podgate reads")
        except _NotJSON:
            return uid, _not_understood("the request is not JSON")
        except Exception as error:  # noqa: BLE001  # the last resort: no exception may become a refusal
            return uid, self._last_resort(uid, error)

    def _last_resort(self, uid: str, error: Exception) -> Answer:
        logger.error("a review was let through without a check", exc_info=error, extra={"uid": uid})
        self._on_internal_error()
        return Answer(warnings=(message.last_resort(uid),), annotations={"decision": "allow", "reason": "error"})


class _NotJSON(Exception):
    """The body is not JSON."""


async def _body(request: web.Request) -> Any:  # noqa: ANN401  # whatever JSON the client sent
    async with asyncio.timeout(BODY_TIMEOUT):
        text = await request.read()
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        raise _NotJSON from error


def _not_understood(problem: str) -> Answer:
    return Answer(warnings=(message.not_understood(problem),), annotations={"decision": "allow", "reason": "error"})


def timeout_of(text: str) -> float:
    """Seconds of the `timeout` that the API server sends in the query (10s; metav1.Duration text), bounded.

    Anything that is not understood counts as the API server's default.
    """
    parts = re.fullmatch(r"(?:(\d{1,3})m)?(?:(\d{1,5}(?:\.\d{1,9})?)(ms|s))?", text, re.ASCII)
    if not text or parts is None:
        return DEFAULT_TIMEOUT
    seconds = float(parts[2] or 0) * (0.001 if parts[3] == "ms" else 1.0) + 60.0 * int(parts[1] or 0)
    return min(seconds, LONGEST_TIMEOUT) if seconds > 0 and math.isfinite(seconds) else DEFAULT_TIMEOUT
