"""The composition root: the only module that builds adapters and hands them to the service."""

import asyncio
import contextlib
import json
import logging
import ssl
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TextIO

from webhook.admission.certificate import Certificate
from webhook.admission.lifecycle import Lifecycle, serve_directly
from webhook.admission.review import Reviewer
from webhook.admission.server import AdmissionServer, ServerOptions
from webhook.check import Reading, judge_all, parse_target, read_manifests, read_nodes, workloads
from webhook.cluster.documents import load_documents, located
from webhook.cluster.files import FileCluster
from webhook.cluster.watched import WatchedFile
from webhook.core.errors import BadCredentials, MalformedObject
from webhook.core.keyring import Keyring
from webhook.core.message import platform_text
from webhook.core.scheduling import Node
from webhook.demo import show
from webhook.demo.certificates import serving_pair
from webhook.demo.images import sample_repositories
from webhook.demo.registry import DemoRegistry
from webhook.observability import logs
from webhook.observability.health import HealthServer
from webhook.observability.metrics import Metrics
from webhook.ports import Cluster, Observation, Observer
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.report.document import Checked, check_document
from webhook.report.table import print_table
from webhook.service import Judge
from webhook.settings import Settings, load_settings, parse_settings

NODES_SHOWN_EVERY: Final = 5.0
"""Seconds between two looks at the nodes for the metric."""

logger = logging.getLogger("podgate")


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The options of `podgate check`, as the command line has them."""

    files: tuple[str, ...]
    config: str | None = None
    recursive: bool = False
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    context: str | None = None
    namespace: str = "default"
    output: str = "table"
    strict: bool = False


def registry_options(settings: Settings, own: Keyring) -> RegistryOptions:
    """What the registry client is told; `own` are the process's credentials, tried after a pod's pull secrets."""
    registries = settings.registries
    return RegistryOptions(
        hosts_dir=Path(registries.hosts_dir) if registries.hosts_dir else None,
        addresses=AddressPolicy(
            allowed=tuple(map(ip_network, registries.allowed_addresses)),
            denied=tuple(map(ip_network, registries.denied_addresses)),
        ),
        allowed_hosts=registries.allowed_hosts,
        realms=tuple((realm.registry, realm.realm) for realm in registries.realms),
        request_timeout=registries.request_timeout,
        concurrency_per_host=registries.concurrency_per_host,
        cache_bytes=settings.cache.max_bytes,
        tag_ttl=settings.cache.tag_ttl,
        negative_ttl=settings.cache.negative_ttl,
        stale_for=settings.cache.stale_for,
        own=own,
    )


def run_check(request: CheckRequest, environment: Mapping[str, str], output: TextIO) -> int:
    """`podgate check`: prints results to `output` and all else to standard error; returns the exit code."""
    settings = load_settings(request.config, environment)
    logs.set_up("error", "text")
    reading = read_manifests(request.files, recursive=request.recursive)
    checked = asyncio.run(_check(request, settings, reading, environment))
    if request.output == "json":
        output.write(json.dumps(check_document(checked), indent=2) + "\n")
    else:
        print_table(checked, output)
    for line in (*reading.notes, *reading.problems):
        print(f"podgate: {line}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    return _exit_code(request, reading, checked)


def _exit_code(request: CheckRequest, reading: Reading, checked: Sequence[Checked]) -> int:
    decisions = {one.judgement.decision for one in checked}
    if reading.problems:
        return 2
    return int("deny" in decisions or (request.strict and "warn" in decisions))


async def _check(
    request: CheckRequest, settings: Settings, reading: Reading, environment: Mapping[str, str]
) -> list[Checked]:
    found = list(workloads(reading, request.namespace))
    async with contextlib.AsyncExitStack() as stack:
        cluster = await _files_cluster(request, reading, stack)
        options = registry_options(settings, docker_config(environment))
        images = await stack.enter_async_context(RegistryImages(options))
        return await judge_all(Judge(settings, images, cluster), found)


async def _files_cluster(request: CheckRequest, reading: Reading, stack: contextlib.AsyncExitStack) -> FileCluster:
    """The documents as if they were in a cluster: before nodes of a file or of targets, else before a real cluster."""
    nodes: list[Node] = [parse_target(text) for text in request.targets]
    if request.nodes:
        nodes += read_nodes(request.nodes)
        if not nodes:
            reading.notes.append(f"{request.nodes}: no nodes in it")
    live = None
    if request.context or not (request.nodes or request.targets):
        # Loaded only here: a check against files imports no Kubernetes client.
        from webhook.cluster.connection import connect  # noqa: PLC0415
        from webhook.cluster.live import LiveCluster  # noqa: PLC0415

        live = LiveCluster(await connect(context=request.context), admitted=False)
        stack.push_async_callback(live.close)
        await live.start(watch=False)
    cluster = FileCluster(before=live, admitted=False)
    for source, obj in reading.objects:
        try:
            with located(source):
                cluster.add(obj, request.namespace)
        except MalformedObject as error:
            reading.problems.append(str(error))
    for node in nodes:
        cluster.add_node(node)
    return cluster


def docker_config(environment: Mapping[str, str]) -> Keyring:
    """The credentials of the user's docker configuration ($DOCKER_CONFIG, else ~/.docker); none where there is none.

    Raises BadCredentials where it is there and cannot be read.
    """
    home = environment.get("HOME", "")
    folder = environment.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    path = Path(folder) / "config.json"
    try:
        return Keyring.from_docker_config(path.read_bytes(), str(path)) if folder else Keyring()
    except FileNotFoundError:
        return Keyring()
    except OSError as error:
        raise BadCredentials(error.strerror or "cannot be read", str(path)) from error


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


def run_demo(images: Sequence[str], *, keep: bool, environment: Mapping[str, str], output: TextIO) -> int:
    """`podgate demo`: prints what happens to `output`; returns the exit code."""
    logs.set_up("error", "text")
    return asyncio.run(_demo(images, keep, docker_config(environment), output))


async def _demo(images: Sequence[str], keep: bool, own: Keyring, output: TextIO) -> int:  # noqa: FBT001  # as run_demo's
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podgate-demo-")))
        registry = await stack.enter_async_context(DemoRegistry(sample_repositories()))
        settings = _demo_settings(folder, registry.port)
        client = await stack.enter_async_context(RegistryImages(registry_options(settings, own)))
        samples = [(name, show.sample_text(name)) for name in show.sample_names()]
        documents = [obj for text in (show.nodes_text(), *(text for _, text in samples)) for obj in _objects(text)]
        judge = Judge(settings, client, FileCluster.from_documents(documents))
        server, trust = _demo_server(settings, folder)
        port = await server.start(Reviewer(judge, Observers(())).review)
        stack.push_async_callback(server.stop)
        output.write(show.HEADER)
        presenter = show.Presenter(port, trust, output)
        for name, text in samples:
            await presenter.show(name, show.comment_of(text), show.objects_of(text))
        for image in images:
            await presenter.show(f"a pod of {image}", (), [show.pod_of(image)])
        output.write(f"\n{show.counted(presenter.counts)}\n\n{show.FOOTER}")
        if keep:
            output.write(show.kept(port, registry.port, folder))
            output.flush()
            await asyncio.Event().wait()
        return 0


def _objects(text: str) -> list[Mapping[str, Any]]:
    return [one.object for one in load_documents(text, "demo")]


def _demo_settings(folder: Path, registry_port: int) -> Settings:
    """Settings under which the samples' registry is the demo's own; loopback is allowed here and nowhere else."""
    hosts = folder / "hosts" / show.REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "http://127.0.0.1:{registry_port}"\n')
    registries = {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8", "::1/128"]}
    return parse_settings({"registries": registries, "server": {"address": "127.0.0.1", "port": 0}})


def _demo_server(settings: Settings, folder: Path) -> tuple[AdmissionServer, ssl.SSLContext]:
    """The webhook's server with a certificate for an hour of demo, and what a client needs to trust it."""
    pair = serving_pair("localhost", "127.0.0.1")
    (folder / "ca.crt").write_bytes(pair.authority)
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").touch(mode=0o600)
    (folder / "tls.key").write_bytes(pair.key)
    certificate = Certificate(str(folder), lambda _: None)
    certificate.load()
    trust = ssl.create_default_context(cadata=pair.authority.decode())
    return AdmissionServer(server_options(settings), certificate.context, lambda: None), trust
