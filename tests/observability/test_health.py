"""Probes and metrics over plain HTTP."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from webhook.core.errors import CannotServe
from webhook.observability.health import HealthServer
from webhook.observability.metrics import Metrics


class Asked:
    """A health server on loopback whose checks a test sets."""

    def __init__(self) -> None:
        self.checks = {"nodes-listed": False, "serving": True}
        self.server = HealthServer(Metrics(), lambda: self.checks)
        self.port = 0

    async def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url) as response:
            return response.status, response.headers["Content-Type"], await response.text()


@pytest.fixture
async def health() -> AsyncIterator[Asked]:
    asked = Asked()
    asked.port = await asked.server.start("127.0.0.1", 0)
    yield asked
    await asked.server.stop()


async def test_being_alive_is_answering(health: Asked):
    assert (await health.get("/livez"))[::2] == (200, "ok\n")


async def test_readiness_is_all_checks_and_names_them(health: Asked):
    assert (await health.get("/readyz"))[::2] == (503, "[-]nodes-listed\n[+]serving\n")
    health.checks["nodes-listed"] = True
    assert (await health.get("/readyz"))[::2] == (200, "[+]nodes-listed\n[+]serving\n")


async def test_metrics_are_in_the_text_format(health: Asked):
    status, content_type, text = await health.get("/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "# TYPE podgate_decisions_total counter" in text


async def test_anything_else_is_not_there(health: Asked):
    assert (await health.get("/"))[0] == 404
    assert (await health.get("/livez", "POST"))[0] == 405


async def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=rf"server\.metricsPort: cannot listen on 127\.0\.0\.1:{port}: .*in use"):
            await HealthServer(Metrics(), dict).start("127.0.0.1", port)
