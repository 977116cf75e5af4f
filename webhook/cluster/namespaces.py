"""Single namespaces of a live cluster: got by name where the watch has not told of them yet.

A namespace and what it is to hold are often applied within milliseconds, and the watch is a little later than that.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from webhook.cluster.connection import Connection
from webhook.cluster.objects import is_object_name, object_labels
from webhook.core.errors import ClusterUnavailable, MalformedObject

_REQUEST_SECONDS = 2.0
"""For one read, whoever waits for it. What an answer has left after that goes to the registries."""


class NamespaceReader:
    """Labels of namespaces by name. Nothing is kept: a moment later the watch knows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._under_way: dict[str, asyncio.Task[Mapping[str, str]]] = {}

    async def labels(self, name: str) -> Mapping[str, str]:
        """A namespace's labels; those who ask at the same time share one request. Raises ClusterUnavailable, also where
        there is no such namespace: somebody has put an object into it, so that there was one."""
        if not is_object_name(name):
            raise ClusterUnavailable("no namespace has such a name")  # it must not become part of a path
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(name))
            self._under_way[name] = task
            task.add_done_callback(lambda done: self._finish(name, done))
        # Shielded: an asker that gives up takes nothing from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the reads that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, name: str) -> Mapping[str, str]:
        # No resourceVersion: what is stored now, which the API server's own cache may not have seen.
        found = await self._connection.get(f"/api/v1/namespaces/{name}", "Namespace", seconds=_REQUEST_SECONDS)
        try:
            return MappingProxyType(dict(object_labels(found)))
        except MalformedObject as error:
            raise ClusterUnavailable(f"the namespace {name} was not understood: {error}") from None

    def _finish(self, name: str, task: asyncio.Task[Mapping[str, str]]) -> None:
        self._under_way.pop(name, None)
        if not task.cancelled():
            task.exception()  # looked at: all askers may have gone, and then asyncio would complain
