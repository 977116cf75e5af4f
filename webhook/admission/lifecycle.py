"""Start and stop of `serve`: who owns SIGTERM, and in what order things end.

On a signal readiness fails first, while reviews go on being served: the endpoint controllers need a moment to tell
every API server. Then the open reviews end, and only then everything else is stopped.
"""

import asyncio
import logging
import signal
from typing import Final

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
