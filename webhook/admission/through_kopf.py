"""`serve` in a cluster: kopf runs the process, start to stop, and our server is its webhook server.

kopf asks the API server for nothing but the resources that it serves (discovery), once, at the start.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from webhook.admission.framework import kopf
from webhook.admission.handlers import build_registry, through
from webhook.admission.lifecycle import Lifecycle
from webhook.admission.reviews import Review
from webhook.admission.server import AdmissionServer
from webhook.core.errors import CannotServe, ClusterUnavailable
from webhook.core.kinds import FurtherKind

LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts at something that goes on failing."""
_REQUEST_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10.0
"""For one answer of discovery, and for a connection; kopf would wait five minutes, and without an end."""

logger = logging.getLogger("podgate.admission")


@dataclass(frozen=True, slots=True)
class Login:
    """An API server's URL, and a session that carries credentials and trust; kopf closes it."""

    server: str
    session: aiohttp.ClientSession


FindLogin = Callable[[], Awaitable[Login]]
"""Logs in, anew each time: a token may have expired since. Raises ClusterUnavailable."""


class _Pauses:
    """Seconds between attempts, without an end: kopf gives up after a minute by default, and the process with it."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 2.0, 4.0, 8.0, 16.0), itertools.repeat(LONGEST_PAUSE))


class _EveryTask(Collection["asyncio.Task[Any]"]):
    """All tasks there may be. Named to kopf as those that it has to leave alone at its end.

    It would take every task made since its start for its own: it would wait five seconds for the connection of a
    probe, and then cancel it.
    """

    def __contains__(self, _: object) -> bool:
        return True

    def __iter__(self) -> "Iterator[asyncio.Task[Any]]":
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


class _WebhookServer:
    """Our server as kopf wants one: an async generator that is given the dispatch function.

    `failure` is why the server could not listen. It is kept here instead of being raised: kopf would print a traceback.
    """

    def __init__(self, server: AdmissionServer, lifecycle: Lifecycle, review: Review) -> None:
        self._server = server
        self._lifecycle = lifecycle
        self._review = review
        self.failure: CannotServe | None = None

    async def serve(self, dispatch: Callable[..., Awaitable[Any]]) -> AsyncIterator[dict[str, Any]]:
        """Listens until kopf cancels it."""
        try:
            port = await self._server.start(through(dispatch, self._review))
            logger.info("listening on port %d", port, extra={"port": port})
        except CannotServe as error:
            self.failure = error
            self._lifecycle.stop()
        try:
            # kopf would write this into a configuration that it manages; podgate's is the installation's.
            yield {}
            await asyncio.Event().wait()
        finally:
            await self._server.stop()


async def serve_through_kopf(
    server: AdmissionServer,
    lifecycle: Lifecycle,
    review: Review,
    find_login: FindLogin,
    further: Sequence[FurtherKind] = (),
) -> None:
    """Runs kopf with our server as its webhook server, until the lifecycle has stopped. Raises CannotServe.

    `further` are the kinds that settings add. Should kopf end by itself, it is started again: a webhook that is gone
    for good would be worse than one that sometimes is not there.
    """
    pauses = iter(_Pauses())
    while not lifecycle.stopped.is_set():
        webhook = _WebhookServer(server, lifecycle, review)
        try:
            await _operate(webhook, lifecycle, build_registry(review, further), find_login)
        except Exception as error:  # whatever kopf stumbles over, it is started again
            logger.error("kopf has failed", exc_info=error)  # noqa: TRY400  # the handler is below
        if webhook.failure is not None:
            raise webhook.failure
        if not lifecycle.stopping:
            pause = next(pauses)
            logger.error("kopf has ended; it is started again in %g s", pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await lifecycle.stopped.wait()


async def _operate(
    webhook: _WebhookServer, lifecycle: Lifecycle, registry: kopf.OperatorRegistry, find_login: FindLogin
) -> None:
    kopf.on.login(registry=registry)(_paced(find_login))
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=_settings(webhook),
        # By itself kopf would look up the user's name, which a container need not have, and ask DNS for the host's.
        identity="podgate",  # type: ignore[arg-type]  # a NewType of str that kopf does not export
        clusterwide=True,
        standalone=True,
        stop_flag=lifecycle.stopped,
    )
    # kopf has taken SIGTERM over in the moment before, and would cancel its tasks, our server's too, at once.
    lifecycle.own_signals()
    await kopf.run_tasks(tasks, ignored=_EveryTask())


def _settings(webhook: _WebhookServer) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.admission.server = webhook.serve  # type: ignore[assignment]  # kopf takes any such function
    settings.admission.managed = None
    settings.posting.enabled = False
    settings.scanning.disabled = True  # no watch of CustomResourceDefinitions: no handler is for one
    settings.networking.error_backoffs = _Pauses()
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    return settings


def _paced(find_login: FindLogin) -> Callable[..., Awaitable[kopf.AiohttpSession]]:
    """kopf's login: again whenever the API server refuses the credentials, but not without a pause, and without end."""
    pauses = itertools.chain((0.0,), _Pauses())

    async def login(**_: object) -> kopf.AiohttpSession:
        while True:
            await asyncio.sleep(next(pauses))
            try:
                found = await find_login()
            except ClusterUnavailable as error:
                logger.warning("cannot log in for discovery: %s", error)
            else:
                return kopf.AiohttpSession(server=found.server, aiohttp_session=found.session)

    return login
