"""Start and stop of `serve`: who owns SIGTERM, and in what order things end.

On a signal readiness fails first, while reviews go on being served: the endpoint controllers need a moment to tell
every API server. Then the open reviews end, and only then everything else is stopped.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import kopf

from webhook.admission.handlers import build_registry, through
from webhook.admission.reviews import Review
from webhook.admission.server import AdmissionServer

SERVING_SECONDS: Final = 10.0
"""How long a stopping process goes on taking reviews, in seconds, so that every API server has been told."""

logger = logging.getLogger("podgate.admission")


class Lifecycle:
    """Whether the process is stopping. `stopped` is set when everything may end."""

    def __init__(self, server: AdmissionServer, serving_seconds: float = SERVING_SECONDS) -> None:
        self._server = server
        self._serving_seconds = serving_seconds
        self._task: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """True from the first signal on; readiness fails then."""
        return self._task is not None

    def own_signals(self) -> None:
        """Takes SIGTERM and SIGINT over, from kopf too, which would cancel its tasks at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    def stop(self) -> None:
        """Begins to stop; a second signal changes nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._stop(), name="stop")

    async def _stop(self) -> None:
        logger.info("stopping: not ready any more, reviews are served for %.0f s", self._serving_seconds)
        await asyncio.sleep(self._serving_seconds)
        await self._server.drain()
        self.stopped.set()


async def serve_directly(server: AdmissionServer, lifecycle: Lifecycle, review: Review) -> None:
    """Serves reviews without kopf, until the lifecycle has stopped: for `serve --nodes` and the demo."""
    lifecycle.own_signals()
    port = await server.start(review)
    logger.info("listening on port %d", port)
    try:
        await lifecycle.stopped.wait()
    finally:
        await server.stop()


async def serve_through_kopf(server: AdmissionServer, lifecycle: Lifecycle, review: Review) -> None:
    """Runs kopf's operator with our server as its webhook server, until the lifecycle has stopped."""

    async def webhook_server(dispatch: Callable[..., Awaitable[Any]]) -> AsyncIterator[dict[str, Any]]:
        lifecycle.own_signals()
        port = await server.start(through(dispatch, review))
        logger.info("listening on port %d", port)
        try:
            # kopf would write this into a configuration that it manages; podgate's is the installation's.
            yield {}
            await asyncio.Event().wait()
        finally:
            await server.stop()

    registry = build_registry(review)
    kopf.on.login(registry=registry, retries=3)(_login)
    settings = kopf.OperatorSettings()
    settings.admission.server = webhook_server  # type: ignore[assignment]  # kopf takes any such function
    settings.admission.managed = None
    settings.posting.enabled = False
    settings.scanning.disabled = True  # no watch of CustomResourceDefinitions: no handler is for one
    await kopf.operator(
        registry=registry, settings=settings, clusterwide=True, standalone=True, stop_flag=lifecycle.stopped
    )


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401  # kopf's own keyword arguments
    """As the reflector finds the cluster: a kubeconfig first, then the pod's ServiceAccount."""
    return kopf.login_with_kubeconfig(**arguments) or kopf.login_with_service_account(**arguments)
