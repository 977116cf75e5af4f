"""Nodes for a run of the command line: of a file, thought up, or of a cluster."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from webhook.check import read_nodes
from webhook.cluster.files import FileCluster, FullCluster
from webhook.core.errors import ClusterUnavailable, NoKubeconfig
from webhook.core.scheduling import Node
from webhook.settings import Settings
from webhook.targets import doubts_about, parse_target

OTHER_WAYS: Final = "--nodes FILE or --target PLATFORM do without"
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class NodeSources:
    """Where nodes come from. `file`: as `kubectl get nodes -o yaml` prints them. `live`: the kubeconfig's cluster is
    asked, in the current context where `context` is None, and stands behind what else there is. `kubeconfig` None: the
    one that kubectl would take.

    `admitted`: whether the pods that are judged have been through admission (FileCluster). `deadline`: until when the
    cluster may take to list its nodes, a time of the event loop's clock; None: as long as it takes.
    """

    file: str | None = None
    targets: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    live: bool = False
    admitted: bool = True
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class FoundNodes:
    """Nodes as a cluster. `api_server`: the URL of the one that was asked, None where none was. `notes`: lines for
    people."""

    cluster: FileCluster
    api_server: str | None
    notes: tuple[str, ...]


@contextmanager
def without_a_cluster() -> Iterator[None]:
    """Where nodes are to be had from no cluster, or may not be listed there, the error tells the other ways."""
    try:
        yield
    except ClusterUnavailable as error:
        if error.status == _FORBIDDEN or isinstance(error, NoKubeconfig):
            raise ClusterUnavailable(f"{error}; {OTHER_WAYS}", error.status, error.retry_after) from None
        raise


def given_nodes(file: str | None, targets: Sequence[str]) -> tuple[list[Node], list[str]]:
    """The nodes of targets, as they stand, then those of a file; and lines for people. Raises MalformedInput."""
    nodes = [parse_target(text) for text in targets]
    notes = [doubt for target in nodes for doubt in doubts_about(target)]
    if file:
        from_file = read_nodes(file)
        notes += [] if from_file else [f"{file}: no nodes in it"]
        nodes += from_file
    return nodes, notes


async def find_nodes(stack: AsyncExitStack, sources: NodeSources, settings: Settings) -> FoundNodes:
    """The nodes of all sources together. What has been opened is closed with `stack`.

    Raises MalformedInput for a file or target, ClusterUnavailable where the cluster does not answer.
    """
    nodes, notes = given_nodes(sources.file, sources.targets)
    live, api_server = await _live(stack, sources, settings) if sources.live else (None, None)
    cluster = FileCluster(before=live, admitted=sources.admitted)
    for node in nodes:
        cluster.add_node(node)
    return FoundNodes(cluster, api_server, tuple(notes))


async def _live(stack: AsyncExitStack, sources: NodeSources, settings: Settings) -> tuple[FullCluster, str]:
    """The kubeconfig's cluster, with its nodes listed, and its URL."""
    # Loaded only here: without a cluster no Kubernetes client is imported.
    from webhook.cluster.connection import connect  # noqa: PLC0415
    from webhook.cluster.live import LiveCluster  # noqa: PLC0415

    with without_a_cluster():
        connection = await connect(sources.kubeconfig, sources.context)
    live = LiveCluster(connection, admitted=sources.admitted, with_node_pools=settings.nodes.node_pools, caller="user")
    stack.push_async_callback(live.close)
    try:
        with without_a_cluster():
            async with asyncio.timeout_at(sources.deadline):
                await live.start(watch=False)
    except TimeoutError:
        raise ClusterUnavailable(f"{connection.host}: no answer within --timeout") from None
    return live, connection.host
