"""`podgate serve`: the webhook's server over a cluster, or over a file of nodes."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from webhook.admission.lifecycle import Lifecycle, serve_directly
from webhook.admission.reviews import Review
from webhook.admission.server import AdmissionServer, Counting, ServerOptions
from webhook.app.certificate import renewal, to_serve
from webhook.app.generations import Around, Generations
from webhook.app.memory import give_back, keep_large_blocks_apart
from webhook.app.reload import Reload, settings_events
from webhook.app.settings_file import SettingsFile
from webhook.app.surroundings import in_environment
from webhook.app.traces import traced_hooks, traced_review, wanted_traces
from webhook.cluster.watched import WatchedFile
from webhook.core.kinds import FurtherKind
from webhook.core.message import platform_text
from webhook.observability import logs
from webhook.observability.health import HealthServer
from webhook.observability.metrics import Metrics
from webhook.ports import Cluster, Observation, Observer
from webhook.registry.beginning import prepare
from webhook.registry.options import Hooks
from webhook.settings import Settings, judged_kinds

if TYPE_CHECKING:  # at run time only where there is a cluster: see _cluster
    from webhook.cluster.connection import Connection
    from webhook.cluster.events import EventWriter

COLLECTED_AT: Final = (10_000, 10, 10)
"""Objects made and not yet freed after which Python looks for cycles among them, and how many such looks go by before
it looks among older ones. A review leaves no cycles, and by default its objects alone would start a look every few
reviews; a tenth of a review's time went into that. A request that fails does leave some, with what it has read: so
older ones must not wait for too long."""
SETTLED_CHECK: Final = 0.1
"""Seconds between two looks whether the cluster is known, after which the memory is put in order."""
NODES_SHOWN_EVERY: Final = 5.0
"""Seconds between two looks at the nodes for the metric."""

logger = logging.getLogger("podgate")


def run_serve(config: str | None, nodes: str | None, environment: Mapping[str, str]) -> None:
    """`podgate serve`: until SIGTERM. Raises CannotServe, MalformedInput or ClusterUnavailable where it cannot."""
    file = SettingsFile(config, environment)
    settings = file.load()
    logs.set_up(settings.log.level, settings.log.format)
    gc.set_threshold(*COLLECTED_AT)
    keep_large_blocks_apart()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve_to_the_end(_Start(file, settings, nodes, environment)))


@dataclass(frozen=True, slots=True)
class _Start:
    """What the process begins with. `settings` are those of `file`; `nodes` None: those of a cluster."""

    file: SettingsFile
    settings: Settings
    nodes: str | None
    environment: Mapping[str, str]


async def _serve_to_the_end(start: _Start) -> None:
    try:
        await _serve(start)
    finally:
        Lifecycle.ignore_signals()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where the extra `speed` is installed, else asyncio's own."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    return new_event_loop


async def _serve(start: _Start) -> None:
    settings, nodes, environment = start.settings, start.nodes, start.environment
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        traces = wanted_traces(settings)
        if traces is not None:
            stack.push_async_callback(traces.aclose)
        certificate = to_serve(settings, metrics.show_certificate, in_cluster=nodes is None)
        counting = Counting(metrics.internal_error, metrics.unreadable)
        server = AdmissionServer(server_options(settings), certificate.context, counting)
        lifecycle = Lifecycle(server, settings.server.shutdown_delay)
        lifecycle.own_signals()
        await prepare()
        source = await _source(nodes, stack, with_node_pools=settings.nodes.node_pools)
        events = _events(source, metrics, stack)
        around = _around(source, metrics, events, environment)
        around = replace(around, hooks=traced_hooks(around.hooks, traces), spans=traces)
        generations = Generations(settings, around)
        review = traced_review(generations.review, traces)
        stack.push_async_callback(generations.aclose)
        await generations.prepare()
        metrics.measure_cache(lambda: generations.cached_bytes)
        metrics.measure_work(_tasks_of(asyncio.get_running_loop()), lambda: events.waiting if events is not None else 0)

        def ready() -> Mapping[str, bool]:
            return {
                "nodes-listed": source.listed(),
                "certificate-loaded": certificate.loaded,
                "serving": server.listening,
                "not-stopping": not lifecycle.stopping,
            }

        health = HealthServer(metrics, ready)
        port = await health.start(settings.server.address, settings.server.metrics_port)
        stack.push_async_callback(health.stop)
        logger.info("health and metrics on port %d", port, extra={"port": port})
        keeping = renewal(certificate, settings, source.connection, environment)
        _in_background(stack, keeping, show_nodes(metrics, source.cluster), settle(source.listed), give_back())
        tell = settings_events(events, environment)
        reload = Reload(generations, server, metrics, source.follow_node_pools, tell)
        _in_background(stack, start.file.watch(reload.apply, reload.refused))
        if source.connection is None:
            await serve_directly(server, lifecycle, review)
        else:
            further = judged_kinds(settings).further
            await _serve_in_cluster(server, lifecycle, review, source.connection, further)


def _around(
    source: "_Source", metrics: Metrics, events: "EventWriter | None", environment: Mapping[str, str]
) -> Around:
    """What is the same under all settings."""
    api_server = source.connection.host if source.connection is not None else None
    observers: list[Observer] = [metrics, logs.DecisionLog()]
    if events is not None:
        observers.append(events)
    return Around(
        cluster=source.cluster,
        listed=source.listed,
        connection=source.connection,
        observer=Observers(observers),
        unreadable=metrics.unreadable,
        hooks=hooks(metrics),
        surrounded=lambda options: in_environment(options, environment, api_server),
    )


async def _serve_in_cluster(
    server: AdmissionServer,
    lifecycle: Lifecycle,
    review: Review,
    connection: "Connection",
    further: Sequence[FurtherKind],
) -> None:
    from webhook.admission.through_kopf import Login, serve_through_kopf  # noqa: PLC0415  # no kopf without a cluster

    async def log_in() -> Login:
        return Login(connection.host, await connection.session())

    await serve_through_kopf(server, lifecycle, review, log_in, further)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where nodes, namespaces and secrets come from, and whether they have been listed. `connection` is None where
    there is no cluster. `follow_node_pools`: told whether NodePools are wanted from now on."""

    cluster: Cluster
    listed: Callable[[], bool]
    connection: "Connection | None" = None
    follow_node_pools: Callable[[bool], None] = lambda _: None


async def _source(nodes: str | None, stack: contextlib.AsyncExitStack, *, with_node_pools: bool) -> _Source:
    if nodes is not None:
        watched = WatchedFile(nodes)
        watched.start()
        stack.push_async_callback(watched.close)
        return _Source(watched, lambda: True)
    from webhook.cluster.connection import connect  # noqa: PLC0415  # no Kubernetes client without a cluster
    from webhook.cluster.live import LiveCluster  # noqa: PLC0415

    connection = await connect()
    live = LiveCluster(connection, with_node_pools=with_node_pools)
    stack.push_async_callback(live.close)
    await live.start(watch=True)
    return _Source(live, lambda: live.listed, connection, lambda wanted: live.follow_node_pools(wanted=wanted))


def _events(source: _Source, metrics: Metrics, stack: contextlib.AsyncExitStack) -> "EventWriter | None":
    """What writes Events; None where there is no cluster. Whether there are any to write, settings say."""
    if source.connection is None:
        return None
    from webhook.cluster.events import EventWriter  # noqa: PLC0415  # as above

    writer = EventWriter(source.connection, metrics.event)
    writer.start()
    stack.push_async_callback(writer.close)
    return writer


def _tasks_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """How many tasks a loop has that have not ended; for any thread, since /metrics is written in one of its own."""
    return lambda: len(asyncio.all_tasks(loop))


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
    return Hooks(
        on_request=metrics.requested,
        on_cache=metrics.looked_up,
        on_program=metrics.provider_ran,
        on_breaker=metrics.breaker_moved,
    )


async def settle(listed: Callable[[], bool]) -> None:
    """Once the cluster is known, takes all that is there out of Python's search for cycles: modules, settings and nodes
    stay, and to walk them again and again is what makes a review wait now and then."""
    gc.collect()  # now, since it takes some 30 ms; what the lists leave behind is little
    while not listed():  # noqa: ASYNC110  # it comes about in several places
        await asyncio.sleep(SETTLED_CHECK)
    gc.freeze()


async def show_nodes(metrics: Metrics, cluster: Cluster) -> None:
    """Keeps podgate_nodes up to date; costs nothing as long as the nodes are the same."""
    shown: object = None
    while True:
        nodes = cluster.nodes()
        if nodes is not shown:
            metrics.show_nodes(nodes, lambda node: (platform_text(node.platform), node.runtime.text))
            shown = nodes
        await asyncio.sleep(NODES_SHOWN_EVERY)
