"""Start and stop of `serve`: who owns SIGTERM, and in what order things end.

On a signal readiness fails first, while reviews go on being served: the endpoint controllers need a moment to tell
every API server. Then the open reviews end, and only then everything else is stopped.
"""

import asyncio
import contextlib
import logging
import signal
from types import FrameType
from typing import Final

from webhook.admission.reviews import Review
from webhook.admission.server import AdmissionServer

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

SERVING_SECONDS: Final = 10.0
"""How long a stopping process goes on taking reviews, so that every API server has been told."""

logger = logging.getLogger("podgate.admission")


class Lifecycle:
    """Whether the process is stopping. `stopped` is set when everything may end."""

    def __init__(self, server: AdmissionServer, serving_seconds: float = SERVING_SECONDS) -> None:
        self._server = server
        self._serving_seconds = serving_seconds
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self.stopped = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """True from the first signal on; readiness fails then."""
        return self._task is not None

    def own_signals(self) -> None:
        """Takes SIGTERM and SIGINT over; again after kopf, which would cancel its tasks at once, has taken them.

        Not by the loop's add_signal_handler: a loop gives signals back when it is closed, and a second SIGTERM would
        then kill the process before it has ended in order.
        """
        loop = asyncio.get_running_loop()

        def received(number: int, _: FrameType | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.stop_soon if number == signal.SIGINT else self.stop)

        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, received)

    @staticmethod
    def ignore_signals() -> None:
        """For the rest of the process: it is ending in order, and Python itself gives signals back on its way out."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def stop(self) -> None:
        """Begins to stop; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._stop(), name="stop")

    def stop_soon(self) -> None:
        """As `stop`, but serves only what is open: Ctrl-C comes from a person, who waits."""
        self._hurry.set()
        self.stop()

    async def _stop(self) -> None:
        if self._server.listening:
            self._server.leave()
            logger.info("stopping: not ready any more, reviews are served for %g s", self._serving_seconds)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._serving_seconds):
                    await self._hurry.wait()
            await self._server.drain()
        logger.info("stopping: no review is open")
        self.stopped.set()


async def serve_directly(server: AdmissionServer, lifecycle: Lifecycle, review: Review) -> None:
    """Serves reviews without kopf, until the lifecycle has stopped: for `serve --nodes`. Raises CannotServe."""
    if lifecycle.stopping:
        return
    port = await server.start(review)
    logger.info("listening on port %d", port, extra={"port": port})
    try:
        await lifecycle.stopped.wait()
    finally:
        await server.stop()
