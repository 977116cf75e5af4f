"""The HTTPS server that the API server calls: whatever happens inside, it answers 200 with an AdmissionReview.

An API server takes anything else for a failure of the webhook, and then failurePolicy decides instead of podgate. So
the last resort is to allow, with a warning that names the uid, and to count it.
"""

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from webhook.admission.body import Unreadable, read_json
from webhook.admission.reviews import NOT_UNDERSTOOD, Answer, Review, ReviewRequest, parse_review, uid_of
from webhook.admission.times import GRACE, LONGEST_TIMEOUT, Times, timeout_of, times_of
from webhook.aside import LARGE
from webhook.core import message
from webhook.core.errors import CannotServe

BODY_SECONDS: Final = 10.0
"""For a request's body to come in: an API server sends it at once."""
TRACE_HEADERS: Final = ("traceparent", "tracestate")
KEEP_ALIVE_SECONDS: Final = 120.0
"""An API server gives an idle connection up after 90 s. It has to be the first to do so: a POST that meets a closing
connection is not sent again."""
CLOSING_SECONDS: Final = 1.0
"""For what is still being written when the server stops, after all reviews have ended."""
BACKLOG: Final = 512
"""Connections that may wait to be accepted: all API servers open many at once after a rolling restart."""


TURNS: Final = 100
"""Passes of the event loop in which a review concludes, each of its steps waking the next: they are about twenty."""


def _standard_dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_dumps: Callable[[Any], bytes] = _standard_dumps
with contextlib.suppress(ImportError):  # without the extra `speed`
    from orjson import dumps as _dumps

logger = logging.getLogger("podgate.admission")


def _nothing() -> None:
    """Counts nothing."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen and what to bear. `margin` is kept back from the API server's timeout, in seconds."""

    address: str
    port: int
    margin: float
    max_body_bytes: int


@dataclass(frozen=True, slots=True)
class Counting:
    """Told of each request that was let through without a check: since podgate failed, or could not read it."""

    internal_error: Callable[[], None] = _nothing
    unreadable: Callable[[], None] = _nothing


class AdmissionServer:
    """Serves reviews over HTTPS until it is stopped; a new connection gets whatever certificate is loaded by then."""

    def __init__(self, options: ServerOptions, context: ssl.SSLContext, counting: Counting | None = None) -> None:
        self._options = options
        self._context = context
        self._counting = counting or Counting()
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._leaving = False
        self._open: set[asyncio.Future[None]] = set()
        """One for each review that is open, done with it."""

    @property
    def listening(self) -> bool:
        """Whether new connections are taken."""
        return self._site is not None

    def keep_back(self, margin: float) -> None:
        """From now on so many seconds are kept back of the timeout of each request that comes."""
        self._options = replace(self._options, margin=margin)

    async def start(self, review: Review) -> int:
        """Listens, and returns the port (settings may say 0: any free one). Raises CannotServe."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(review, request)

        # aiohttp's bare server: there is one handler for every path and method. Its access log would write a line for
        # each review beside podgate's own.
        server = web.Server(handle, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS)
        runner = web.ServerRunner(server, shutdown_timeout=CLOSING_SECONDS)
        await runner.setup()
        options = self._options
        address = options.address or None
        site = web.TCPSite(runner, address, options.port, ssl_context=self._context, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise CannotServe(f"server.port: cannot listen on {address or '*'}:{options.port}: {error}") from error
        self._runner, self._site = runner, site
        return int(runner.addresses[0][1])

    def leave(self) -> None:
        """From now on every answer closes its connection, so that the next review goes to another replica."""
        self._leaving = True

    async def drain(self, longest: float = LONGEST_TIMEOUT) -> None:
        """Waits until the reviews that are open have ended, then takes no further connection, and waits for what has
        come meanwhile: all of it `longest` seconds at most.

        An API server that has not heard yet that this replica is leaving must not meet a closed port while there is
        still somebody who answers.
        """
        self.leave()
        try:
            async with asyncio.timeout(longest):
                await self._ended()
                await self._close()
                await self._ended()
        except TimeoutError:
            logger.warning("%d reviews were still open at the end", len(self._open))
        await self._close()

    async def _ended(self) -> None:
        """Waits for the reviews that are open now, and for no other."""
        if self._open:
            await asyncio.wait(tuple(self._open))

    async def _close(self) -> None:
        """Takes no further connection."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()

    async def stop(self) -> None:
        """Closes the listener and the connections."""
        runner, self._runner, self._site = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, review: Review, request: web.BaseRequest) -> web.Response:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open.add(ended)
        try:
            uid, answer = await self._answer(review, request)
            response = web.Response(body=self._encoded(uid, answer), content_type="application/json")
            if self._leaving:
                response.force_close()
            return response
        finally:
            self._open.discard(ended)
            ended.set_result(None)

    async def _answer(self, review: Review, request: web.BaseRequest) -> tuple[str, Answer]:
        started = asyncio.get_running_loop().time()
        uid = ""
        try:
            times = times_of(started, timeout_of(request.query.get("timeout", "")), self._options.margin)
            until = min(started + BODY_SECONDS, times.answer_by)
            body = await read_json(request.content, self._options.max_body_bytes, until)
            uid = uid_of(body)
            parsed = parse_review(body)
            if parsed is None:
                raise Unreadable("the request is no AdmissionReview", uid)  # noqa: TRY301  # one way for all of these
            large = request.content_length is None or request.content_length > LARGE
            return uid, await _in_time(review, replace(parsed, trace=_trace_of(request), large=large), times)
        except Unreadable as error:
            return error.uid, self._unreadable(error)
        except Exception as error:  # noqa: BLE001  # the last resort: no exception may become a refusal
            return uid, self._last_resort(uid, error)

    def _encoded(self, uid: str, answer: Answer) -> bytes:
        try:
            return _dumps(answer.review(uid))
        except Exception as error:  # noqa: BLE001  # as above; the standard encoder escapes what orjson refuses
            return _standard_dumps(self._last_resort(uid, error).review(uid))

    def _unreadable(self, error: Unreadable) -> Answer:
        logger.warning("a request was let through unread: %s", error.problem, extra={"uid": error.uid})
        _safely(self._counting.unreadable)
        return Answer(warnings=(message.not_understood(error.problem),), annotations=NOT_UNDERSTOOD)

    def _last_resort(self, uid: str, error: Exception) -> Answer:
        late = isinstance(error, _NotInTime)  # nobody's mistake as a rule, so no trace
        why = "it did not end in time" if late else "podgate failed"
        trace = None if late else error
        logger.error("a review was let through without a check: %s", why, exc_info=trace, extra={"uid": uid})
        warning = message.not_in_time(uid) if late else message.last_resort(uid)
        _safely(self._counting.internal_error)
        return Answer(warnings=(warning,), annotations={"decision": "allow", "reason": "error"})


class _NotInTime(Exception):
    """A review has not ended by the time at which the answer is due. It ends by its own deadline, which is earlier, but
    where the process has no CPU time for it."""


def _trace_of(request: web.BaseRequest) -> dict[str, str]:
    """The headers of W3C Trace Context, which an API server sends where it traces; none as a rule."""
    return {name: request.headers[name] for name in TRACE_HEADERS if name in request.headers}


async def _in_time(review: Review, request: ReviewRequest, times: Times) -> Answer:
    """What the review answers. Raises what it raises, and _NotInTime where it has not answered by `answer_by`.

    The review is a task of its own: one that does not heed its cancellation must not hold the answer up.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(review(request, times.deadline))
    try:
        await asyncio.wait((task,), timeout=times.answer_by - loop.time())
        await _its_turn(task)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not task.done():
        raise _NotInTime
    if task.cancelled():
        raise RuntimeError("the review was cancelled from inside")
    return task.result()


async def _its_turn(task: asyncio.Future[Answer]) -> None:
    """Lets a review end that only waits for its turn.

    Where the process was held up past the review's deadline, as on a machine that is overloaded or when its CPU is
    throttled, the review has not yet been able to say what it knows, and needs no more than some passes of the loop.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + GRACE
    for _ in range(TURNS):
        if task.done() or loop.time() >= ends:
            return
        await asyncio.sleep(0)


def _forget(task: asyncio.Future[Answer]) -> None:
    """Takes the outcome of a review that nobody waits for any more, else asyncio complains of it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("a review that was given up has failed", exc_info=error)


def _safely(count: Callable[[], None]) -> None:
    """Counts; a fault of the counter must not cost the answer."""
    try:
        count()
    except Exception:  # whatever the counter's fault is, the API server gets its answer
        logger.exception("a request could not be counted")
