"""A file of nodes that is read again when it changes, for `serve --nodes`."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from webhook.cluster.documents import read_documents
from webhook.cluster.files import FileCluster
from webhook.cluster.state import Store
from webhook.core.errors import MalformedObject
from webhook.core.keyring import PullSecret
from webhook.core.nodepools import NodePool
from webhook.core.scheduling import Node, RuntimeClass
from webhook.core.workload import PodConstraints

_log = logging.getLogger(__name__)

_State = tuple[int, int, int]

POLL_SECONDS = 1.0
"""How often the file is looked at. A stat costs microseconds, and works where a notification does not: a ConfigMap's
volume replaces the file by turning a symbolic link."""


class WatchedFile:
    """A `ports.Cluster` of one file, in the state of its last good version.

    A version that cannot be read is logged once and passed over: a slip of an editor must not take the nodes away.
    """

    def __init__(self, path: str | Path, poll_seconds: float = POLL_SECONDS) -> None:
        """Reads the file. Raises MalformedObject naming document and field where the first version is no good."""
        self._path = Path(path)
        self._poll_seconds = poll_seconds
        self._state = self._look()
        self._cluster = FileCluster.from_sources(read_documents(self._path))
        self._nodes: Store[Node] = Store()
        self._take_nodes()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, in a task of the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name=f"watch {self._path.name}")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def nodes(self) -> Sequence[Node]:
        """The nodes of the last good version; the same object as long as they are equal."""
        return self._nodes.values()

    def node_pools(self) -> Sequence[NodePool]:
        """The NodePools of the last good version."""
        return self._cluster.node_pools()

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A namespace's labels; None where the file does not hold it."""
        return self._cluster.namespace_labels(name)

    async def read_namespace_labels(self, name: str) -> Mapping[str, str]:
        """A namespace's labels as the file has them; none where it does not hold it."""
        return await self._cluster.read_namespace_labels(name)

    async def runtime_class(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass that the file holds; None where it holds none of this name."""
        return await self._cluster.runtime_class(name)

    async def pull_secrets(
        self, namespace: str, constraints: PodConstraints, *, template: bool
    ) -> tuple[PullSecret, ...]:
        """The pull secrets that the file holds. Raises BadCredentials."""
        return await self._cluster.pull_secrets(namespace, constraints, template=template)

    def _look(self) -> _State | None:
        """What tells versions apart; None where there is no file now."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    async def _watch(self) -> None:
        previous = self._state
        while True:
            await asyncio.sleep(self._poll_seconds)
            state = self._look()
            # Read only what two looks agree on: half of a file that is being written may well be good YAML.
            if state != self._state and state == previous:
                self._state = state
                await self._read()
            previous = state

    async def _read(self) -> None:
        try:
            # In a thread, since thousands of nodes take seconds to read, and reviews go on meanwhile.
            cluster = await asyncio.to_thread(lambda: FileCluster.from_sources(read_documents(self._path)))
        except MalformedObject as error:
            _log.error("The file of nodes stays at its last good version: %s", error)
        except Exception:  # noqa: BLE001 - whatever it is, the watch goes on: the next version may be good
            _log.exception("The file of nodes stays at its last good version")
        else:
            self._cluster = cluster
            self._take_nodes()
            _log.info("Read %s again: %d nodes", self._path, len(self._nodes))

    def _take_nodes(self) -> None:
        self._nodes.replace({str(node.name): node for node in self._cluster.nodes()})
