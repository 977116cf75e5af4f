"""Single pods of a live cluster, read when they are bound: from etcd, and never kept.

A pod's images may be changed until it is bound, and its name may be another pod's a moment later.
"""

import asyncio
from typing import Final

from webhook.cluster.connection import Connection
from webhook.cluster.objects import is_object_name
from webhook.core.errors import ClusterUnavailable
from webhook.core.kinds import BUILT_IN, Kinds
from webhook.core.workload import Workload, parse_workload

_REQUEST_SECONDS: Final = 5.0
"""For one read, however long the asker would wait."""
_AT_ONCE: Final = 16
"""Reads under way: after an outage a scheduler binds hundreds of pods a second, and other reads need connections."""


class PodReader:
    """`ports.Pods` of an API server. `kinds`: those that are judged, for what a pod's owner is."""

    def __init__(self, connection: Connection, kinds: Kinds = BUILT_IN) -> None:
        self._connection = connection
        self._kinds = kinds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def pod(self, namespace: str, name: str) -> Workload | None:
        """A pod; None where there is none. Raises ClusterUnavailable, and MalformedObject."""
        if not (is_object_name(namespace) and is_object_name(name)):
            return None  # nothing has such a name; and it must not become part of a path
        try:
            async with self._turns:
                # No resourceVersion: what is stored now, which the API server's own cache may not have seen.
                found = await self._connection.get(
                    f"/api/v1/namespaces/{namespace}/pods/{name}", "Pod", seconds=_REQUEST_SECONDS
                )
        except ClusterUnavailable as error:
            if error.status == 404:
                return None
            raise
        return parse_workload(found, self._kinds)
