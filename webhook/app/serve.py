"""`podgate serve`: the webhook's server over a cluster, or over a file of nodes."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from webhook.admission.certificate import Certificate
from webhook.admission.lifecycle import Lifecycle, serve_directly
from webhook.admission.review import Reviewer
from webhook.admission.server import AdmissionServer, ServerOptions
from webhook.app.parts import registry_options
from webhook.cluster.watched import WatchedFile
from webhook.core.keyring import Keyring
from webhook.core.message import platform_text
from webhook.observability import logs
from webhook.observability.health import HealthServer
from webhook.observability.metrics import Metrics
from webhook.ports import Cluster, Observation, Observer
from webhook.registry.options import Hooks
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import Settings, load_settings

NODES_SHOWN_EVERY: Final = 5.0
"""Seconds between two looks at the nodes for the metric."""

logger = logging.getLogger("podgate")


def run_serve(config: str | None, nodes: str | None, environment: Mapping[str, str]) -> None:
    """`podgate serve`: until SIGTERM. Raises CannotServe, MalformedInput or ClusterUnavailable where it cannot."""
    settings = load_settings(config, environment)
    logs.set_up(settings.log.level, settings.log.format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, nodes))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where the extra `speed` is installed, else asyncio's own."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    return new_event_loop


async def _serve(settings: Settings, nodes: str | None) -> None:
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        certificate = Certificate(settings.server.certificate_dir, metrics.show_certificate)
        certificate.load()
        images = await stack.enter_async_context(RegistryImages(registry_options(settings, Keyring()), hooks(metrics)))
        metrics.measure_cache(lambda: float(images.cached_bytes))
        cluster, listed = await _cluster(nodes, stack)
        reviewer = Reviewer(Judge(settings, images, cluster), Observers((metrics, logs.DecisionLog())))
        server = AdmissionServer(server_options(settings), certificate.context, metrics.internal_error)
        lifecycle = Lifecycle(server)
        health = HealthServer(
            metrics,
            lambda: {"nodes-listed": listed(), "certificate-loaded": True, "not-stopping": not lifecycle.stopping},
        )
        port = await health.start(settings.server.address, settings.server.metrics_port)
        stack.push_async_callback(health.stop)
        logger.info("health and metrics on port %d", port)
        _in_background(stack, certificate.watch(), show_nodes(metrics, cluster))
        if nodes is not None:
            await serve_directly(server, lifecycle, reviewer.review)
        else:
            from webhook.admission.through_kopf import serve_through_kopf  # noqa: PLC0415  # no kopf without a cluster

            await serve_through_kopf(server, lifecycle, reviewer.review)


async def _cluster(nodes: str | None, stack: contextlib.AsyncExitStack) -> tuple[Cluster, Callable[[], bool]]:
    """Where nodes, namespaces and secrets come from, and whether they have been listed."""
    if nodes is not None:
        watched = WatchedFile(nodes)
        watched.start()
        stack.push_async_callback(watched.close)
        return watched, lambda: True
    from webhook.cluster.connection import connect  # noqa: PLC0415  # no Kubernetes client without a cluster
    from webhook.cluster.live import LiveCluster  # noqa: PLC0415

    live = LiveCluster(await connect())
    stack.push_async_callback(live.close)
    await live.start(watch=True)
    return live, lambda: live.listed


def _in_background(stack: contextlib.AsyncExitStack, *endless: Coroutine[Any, Any, None]) -> None:
    """Runs endless coroutines until the stack unwinds."""
    tasks = [asyncio.get_running_loop().create_task(one) for one in endless]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


class Observers:
    """Tells several observers of each decision."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def decided(self, observation: Observation) -> None:
        """Passes it on, in order."""
        for observer in self._observers:
            observer.decided(observation)


def server_options(settings: Settings) -> ServerOptions:
    """What the server is told."""
    return ServerOptions(
        settings.server.address, settings.server.port, settings.deadline_margin, settings.server.max_body_bytes
    )


def hooks(metrics: Metrics) -> Hooks:
    """Lets the registry client be counted."""
    return Hooks(on_request=metrics.requested, on_cache=metrics.looked_up)


async def show_nodes(metrics: Metrics, cluster: Cluster) -> None:
    """Keeps podgate_nodes up to date; costs nothing as long as the nodes are the same."""
    shown: object = None
    while True:
        nodes = cluster.nodes()
        if nodes is not shown:
            metrics.show_nodes(nodes, lambda node: (platform_text(node.platform), node.runtime.text))
            shown = nodes
        await asyncio.sleep(NODES_SHOWN_EVERY)
