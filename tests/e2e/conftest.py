"""Fixtures of the end-to-end tests: one cluster and two registries for the whole session, all of them real.

`pytest tests/e2e` (make e2e) runs them; a plain `pytest` leaves this folder out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import components as programs
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import ControlPlane
from tests.e2e.harness.gobuild import BuildError, say_on_stderr
from tests.e2e.harness.helm import Helm
from tests.e2e.harness.podgate import (
    Podgate,
    install,
    podgate_settings,
    point_at,
    wait_for_node,
    wait_until_called,
    write_hosts,
)
from tests.e2e.harness.processes import Process
from tests.e2e.harness.registry import LOGIN, SAMPLES_LOGIN, Registry
from tests.e2e.harness.sharing import Modules, longest_first

Processes = Callable[[], Sequence[Process]]
Watch = Callable[[Processes], None]

FAILURE_LINES = 25
_RUNNING = pytest.StashKey[list[Processes]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RUNNING] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, they collect them in the order in which they are handed out."""
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


@pytest.hookimpl(optionalhook=True)  # of xdist, which may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Modules | None:
    """The hand-out of modules is ours; xdist's other ways stay what they are."""
    return Modules(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
async def connections_end() -> AsyncIterator[None]:
    """For a test with TLS connections in its own event loop: those that were in use when they were closed end a moment
    later, and a loop that is gone by then would leave them open."""
    yield
    watched = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined] # of the loop's own kind
    async with asyncio.timeout(10):
        while len(watched) > 1:  # noqa: ASYNC110 - nobody tells; the one is the pipe that wakes the loop up
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def aloud(pytestconfig: pytest.Config) -> Callable[[], AbstractContextManager[None]]:
    """Lets a fixture speak to the person at the terminal, past pytest's capturing."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    silenced: Callable[[], AbstractContextManager[None]] = capture.global_and_fixture_disabled
    return silenced


@pytest.fixture(scope="session")
def components(aloud: Callable[[], AbstractContextManager[None]]) -> Components:
    """The programs, built if need be."""
    with aloud():
        try:
            return programs.components()
        except BuildError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


@pytest.fixture(scope="session")
def watch(pytestconfig: pytest.Config) -> Watch:
    """Takes a function that gives processes; the ends of their logs are shown with every failed test."""
    return pytestconfig.stash[_RUNNING].append


@pytest.fixture(scope="session")
def cluster(
    components: Components,
    tmp_path_factory: pytest.TempPathFactory,
    aloud: Callable[[], AbstractContextManager[None]],
    watch: Watch,
) -> Iterator[Cluster]:
    """A Kubernetes control plane without nodes."""
    control_plane = ControlPlane(components, tmp_path_factory.mktemp("cluster"))
    watch(lambda: control_plane.processes)
    started = time.monotonic()
    control_plane.start()
    try:
        with aloud():
            say_on_stderr(f"control plane ready after {time.monotonic() - started:.1f} s; logs: {control_plane.folder}")
        yield Cluster(components, control_plane)
    finally:
        control_plane.stop()


@pytest.fixture(scope="session")
def helm(components: Components, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The real helm, without a cluster."""
    return Helm(components.helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def registry(
    components: Components,
    tmp_path_factory: pytest.TempPathFactory,
    watch: Watch,
) -> Iterator[Registry]:
    """A registry that everybody may read."""
    yield from _registry(Registry(components, tmp_path_factory.mktemp("registry")), watch)


@pytest.fixture(scope="session")
def private_registry(
    components: Components,
    tmp_path_factory: pytest.TempPathFactory,
    watch: Watch,
) -> Iterator[Registry]:
    """A registry that asks for a user name and a password (`private_registry.login`)."""
    yield from _registry(Registry(components, tmp_path_factory.mktemp("private"), login=LOGIN), watch)


def _registry(registry: Registry, watch: Watch) -> Iterator[Registry]:
    watch(lambda: registry.processes)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


@pytest.fixture(scope="session")
def samples_registry(
    components: Components,
    tmp_path_factory: pytest.TempPathFactory,
    watch: Watch,
) -> Iterator[Registry]:
    """The private part of registry.example, which the samples pull from."""
    yield from _registry(Registry(components, tmp_path_factory.mktemp("samples"), login=SAMPLES_LOGIN), watch)


@pytest.fixture(scope="session")
def absent_registry(
    components: Components,
    tmp_path_factory: pytest.TempPathFactory,
    watch: Watch,
) -> Iterator[Registry]:
    """A registry that does not run; a test may start it, and stops it then."""
    registry = Registry(components, tmp_path_factory.mktemp("absent"))
    watch(lambda: registry.processes)
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def hosts(
    registry: Registry,
    samples_registry: Registry,
    absent_registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """podgate's directory of hosts.toml files.

    registry.example, the registry of the samples, is `registry`, and `samples_registry` for what is not there.
    mirror.example is `absent_registry`, and `registry` for what is not there.
    """
    folder = tmp_path_factory.mktemp("hosts")
    write_hosts(folder, "registry.example", registry, samples_registry)
    write_hosts(folder, "mirror.example", absent_registry, registry)
    return folder


@pytest.fixture(scope="session")
def podgate(
    cluster: Cluster,
    hosts: Path,
    private_registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
    watch: Watch,
) -> Iterator[Podgate]:
    """podgate, installed from manifests/ and called by the API server; mode deny, registries on loopback allowed.

    It has the login of `private_registry`, and lends it to the namespaces lent-*. It logs all that it can. What is
    remembered of tags and failures is forgotten quickly. It stays installed for whatever runs after. Nodes are each
    module's own to add and to remove (`mixed` gives some).
    """
    install(cluster)
    folder = tmp_path_factory.mktemp("podgate")
    own = folder / "own.json"
    own.write_text(private_registry.docker_config())
    lent = {"dockerConfigFile": str(own), "namespaces": ["lent-*"]}
    podgate = Podgate(cluster, folder, podgate_settings(hosts, lent, log={"level": "debug"}))
    watch(lambda: podgate.processes)
    podgate.start()
    try:
        point_at(cluster, podgate.port, podgate.ca)
        wait_until_called(cluster)
        yield podgate
    finally:
        podgate.kill()  # asked politely it would go on serving for 10 s, as it must in a cluster


@pytest.fixture(scope="module")
def mixed(cluster: Cluster, podgate: Podgate) -> Iterator[None]:
    """A cluster of two amd64 nodes and one arm64 node, which podgate knows."""
    names = {"amd-1": "linux/amd64", "amd-2": "linux/amd64", "arm-1": "linux/arm64"}
    for name, platform in names.items():
        cluster.add_node(name, platform)
    for name in names:
        wait_for_node(cluster, name)
    yield
    for name in names:
        cluster.remove_node(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the ends of the logs to the report of a failure."""
    report = yield
    if report.failed:
        for processes in item.config.stash[_RUNNING]:
            for process in processes():
                report.sections.append((f"log of {process.name}", process.tail(FAILURE_LINES)))
    return report
