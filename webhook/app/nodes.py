"""Nodes for a run of the command line: of a file, thought up, or of a cluster."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from webhook.check import doubt_about, parse_target, read_nodes
from webhook.cluster.files import FileCluster, FullCluster
from webhook.ports import Cluster
from webhook.settings import Settings


@dataclass(frozen=True, slots=True)
class NodeSources:
    """Where nodes come from. `file`: as `kubectl get nodes -o yaml` prints them. `live`: the kubeconfig's cluster is
    asked, in the current context where `context` is None."""

    file: str | None = None
    targets: tuple[str, ...] = ()
    context: str | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class FoundNodes:
    """Nodes as a cluster. `api_server`: the URL of the one that was asked, None where none was. `notes`: lines for
    people."""

    cluster: Cluster
    api_server: str | None
    notes: tuple[str, ...]


async def find_nodes(stack: AsyncExitStack, sources: NodeSources, settings: Settings) -> FoundNodes:
    """The nodes of all sources together. What has been opened is closed with `stack`.

    Raises MalformedInput for a file or target, ClusterUnavailable where the cluster does not answer.
    """
    nodes = [parse_target(text) for text in sources.targets]
    notes = [doubt for target in nodes if (doubt := doubt_about(target))]
    if sources.file:
        from_file = read_nodes(sources.file)
        notes += [] if from_file else [f"{sources.file}: no nodes in it"]
        nodes += from_file
    live: FullCluster | None = None
    api_server = None
    if sources.live:
        # Loaded only here: without a cluster no Kubernetes client is imported.
        from webhook.cluster.connection import connect  # noqa: PLC0415
        from webhook.cluster.live import LiveCluster  # noqa: PLC0415

        connection = await connect(context=sources.context)
        api_server = connection.host
        listed = LiveCluster(connection, with_node_pools=settings.nodes.node_pools)
        stack.push_async_callback(listed.close)
        await listed.start(watch=False)
        live = listed
    cluster = FileCluster(before=live)
    for node in nodes:
        cluster.add_node(node)
    return FoundNodes(cluster, api_server, tuple(notes))
