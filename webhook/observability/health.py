"""Health and metrics on a port of their own: /livez, /readyz, /metrics, plain HTTP."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from webhook.core.errors import CannotServe
from webhook.observability.metrics import Metrics

_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_CLOSING_SECONDS: Final = 1.0
"""For answers that are being written when the process ends."""

Checks = Callable[[], Mapping[str, bool]]
"""What readiness waits for, by name: nodes listed, certificate loaded, serving, not stopping."""


class HealthServer:
    """Answers probes; being alive is answering at all."""

    def __init__(self, metrics: Metrics, checks: Checks) -> None:
        self._metrics = metrics
        self._checks = checks
        self._runner: web.AppRunner | None = None

    async def start(self, address: str, port: int) -> int:
        """Listens, and returns the port. Raises CannotServe."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show)
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_CLOSING_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, address or None, port).start()
        except OSError as error:
            await runner.cleanup()
            raise CannotServe(f"server.metricsPort: cannot listen on {address or '*'}:{port}: {error}") from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Closes the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        checks = self._checks()
        lines = "".join(f"[{'+' if passed else '-'}]{name}\n" for name, passed in checks.items())
        return web.Response(text=lines, status=200 if all(checks.values()) else 503)

    async def _show(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(self._metrics.text)
        return web.Response(body=text, headers={"Content-Type": _METRICS_TYPE})
