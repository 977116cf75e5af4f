"""kopf with our server, run within a test, against an API server on loopback."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from kubernetes.aio.client import Configuration

from tests.support.apiserver import ApiServer, api_server, node
from tests.support.serving import RECORDED, Served
from webhook.admission.lifecycle import SIGNALS, Lifecycle
from webhook.admission.reviews import Answer, Review, ReviewRequest
from webhook.admission.through_kopf import Login, serve_through_kopf
from webhook.cluster.connection import Connection, open_connection
from webhook.core.errors import CannotServe
from webhook.core.kinds import FurtherKind

POD = RECORDED["CREATE-Pod"]
LONG = 3600.0
"""Seconds that no test waits: where something takes so long, the test has failed."""


async def allow(request: ReviewRequest, deadline: float) -> Answer:
    return Answer(annotations={"decision": "allow", "reason": "match"})


async def connect(api: ApiServer) -> Connection:
    async def load(configuration: Configuration) -> None:
        configuration.host = api.url
        configuration.api_key["BearerToken"] = f"Bearer {api.token or 'any'}"

    return await open_connection(load)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens elsewhere; the limit only ends a test that would never end."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens behind a socket
            await asyncio.sleep(0.01)


class Running:
    """kopf with a server, from start to stop."""

    def __init__(
        self,
        served: Served,
        api: ApiServer,
        review: Review,
        serving_seconds: float = 0.0,
        further: Sequence[FurtherKind] = (),
    ) -> None:
        self.served = served
        self.lifecycle = Lifecycle(served.server, serving_seconds)
        self.logins = 0
        self._api = api
        self._review = review
        self._further = further
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        connection = await connect(self._api)

        async def log_in() -> Login:
            self.logins += 1
            return Login(connection.host, await connection.session())

        before = [(number, signal.getsignal(number)) for number in SIGNALS]
        try:
            self.lifecycle.own_signals()
            await serve_through_kopf(self.served.server, self.lifecycle, self._review, log_in, self._further)
        finally:
            await connection.close()
            for number, handler in before:
                signal.signal(number, handler)

    async def listening(self) -> None:
        await until(lambda: self.served.server.listening or self.task.done())
        assert self.served.server._runner is not None
        self.served.port = self.served.server._runner.addresses[0][1]

    async def ended(self) -> None:
        async with asyncio.timeout(30):
            await self.task


@asynccontextmanager
async def kopf_running(
    served: Served,
    api: ApiServer,
    review: Review,
    serving_seconds: float = 0.0,
    further: Sequence[FurtherKind] = (),
) -> AsyncIterator[Running]:
    running = Running(served, api, review, serving_seconds, further)
    try:
        yield running
    finally:
        running.lifecycle.stop_soon()
        with suppress(CannotServe):
            await running.ended()


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("amd-1"))
        running.put("nodes", node("arm-1", "arm64"))
        for name in {"default", *(recorded["request"]["namespace"] for recorded in RECORDED.values())}:
            running.put("namespaces", {"metadata": {"name": name, "labels": {}}})
        yield running
