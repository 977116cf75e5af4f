"""What podgate is measured against: an operator of kopf's with one validating handler that answers at once.

    python -m tests.bench.bare FOLDER_OF_THE_CERTIFICATE PORT HEALTH_PORT

It has podgate's own server, certificate and API server, and podgate's way to start kopf, so that what differs is what
comes after a review has been read: kopf with the review as it came, and a handler that does nothing.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import kopf

from webhook.admission.certificate import Certificate
from webhook.admission.lifecycle import Lifecycle
from webhook.admission.reviews import API_VERSION, KIND, Answer, ReviewRequest
from webhook.admission.server import AdmissionServer, ServerOptions
from webhook.admission.through_kopf import Login, _operate
from webhook.app.serve import _loop_factory
from webhook.cluster.connection import connect
from webhook.observability import logs
from webhook.observability.health import HealthServer
from webhook.observability.metrics import Metrics

Dispatch = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


def registry() -> kopf.OperatorRegistry:
    """One handler, for pods."""
    made = kopf.OperatorRegistry()

    async def validate(**_: object) -> None:
        """Has nothing against it."""

    kopf.on.validate("", "v1", "pods", id="pods", registry=made)(validate)
    return made


def payload(request: ReviewRequest) -> dict[str, Any]:
    """A review for kopf, put together from the parts that the server has read."""
    resource = {"group": request.group, "version": request.version, "resource": request.resource}
    content = {"uid": request.uid, "resource": resource, "operation": request.operation, "userInfo": {},
               "object": request.object, "oldObject": request.old, "dryRun": request.dry_run}  # fmt: skip
    return {"apiVersion": API_VERSION, "kind": KIND, "request": content}


class Webhook:
    """The server as kopf wants one."""

    def __init__(self, server: AdmissionServer) -> None:
        self._server = server

    async def serve(self, dispatch: Dispatch) -> AsyncIterator[dict[str, Any]]:
        """Listens until kopf cancels it."""

        async def review(request: ReviewRequest, _: float) -> Answer:
            response = (await dispatch(payload(request)))["response"]
            return Answer(allowed=response["allowed"])

        await self._server.start(review)
        try:
            yield {}
            await asyncio.Event().wait()
        finally:
            await self._server.stop()


async def main(folder: str, port: int, health_port: int) -> None:
    """Serves until it is killed."""
    logs.set_up("info", "json")  # kopf's own lines from warnings on, as in podgate
    certificate = Certificate(folder, lambda _: None)
    certificate.load()
    server = AdmissionServer(ServerOptions("127.0.0.1", port, 1.0, 1 << 24), certificate.context)
    lifecycle = Lifecycle(server, 0.0)
    connection = await connect()
    health = HealthServer(Metrics(), lambda: {"serving": server.listening})
    await health.start("127.0.0.1", health_port)

    async def log_in() -> Login:
        return Login(connection.host, await connection.session())

    await _operate(Webhook(server), lifecycle, registry(), log_in)  # type: ignore[arg-type]  # it has the one method


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
