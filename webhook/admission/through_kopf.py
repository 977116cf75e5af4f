"""`serve` in a cluster: kopf runs the process, start to stop, and our server is its webhook server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import kopf

from webhook.admission.handlers import build_registry, through
from webhook.admission.lifecycle import Lifecycle
from webhook.admission.reviews import Review
from webhook.admission.server import AdmissionServer

logger = logging.getLogger("podgate.admission")


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
