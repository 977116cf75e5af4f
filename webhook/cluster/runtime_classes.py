"""RuntimeClasses of a live cluster: read one by one when a template names them, like secrets, and kept as long."""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from webhook.cluster.connection import Connection
from webhook.cluster.objects import is_object_name
from webhook.cluster.patience import Patience
from webhook.cluster.secrets import KEEP_SECONDS
from webhook.core.errors import ClusterUnavailable, MalformedObject
from webhook.core.scheduling import RuntimeClass, parse_runtime_class

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 5.0
"""For one read, whoever waits for it."""

_KEEP_OBJECTS = 256
"""Classes that are remembered; a cluster has a handful."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: RuntimeClass
    read_at: float


class RuntimeClassReader:
    """RuntimeClasses by name. None, never an exception: whoever asks can go on without, and says so.

    `patience` None: its own.
    """

    def __init__(
        self, connection: Connection, keep_seconds: float = KEEP_SECONDS, patience: Patience | None = None
    ) -> None:
        self._connection = connection
        self._keep_seconds = keep_seconds
        self._patience = patience or Patience()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[RuntimeClass | None]] = {}

    async def get(self, name: str) -> RuntimeClass | None:
        """A RuntimeClass; None where there is none, or it cannot be read (a missing permission, no API server).

        One that was read before stands in while the API server does not answer.
        """
        if not is_object_name(name):
            return None  # nothing has such a name; and it must not become part of a path
        kept = self._kept.get(name)
        if kept is not None and asyncio.get_running_loop().time() - kept.read_at < self._keep_seconds:
            return kept.value
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(name))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        if kept is not None and not await self._patience.wait(task):
            return kept.value
        # Shielded: an asker that gives up takes nothing from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the reads that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, name: str) -> RuntimeClass | None:
        path = f"/apis/node.k8s.io/v1/runtimeclasses/{name}"
        try:
            obj = await self._connection.get(path, "RuntimeClass", seconds=_REQUEST_SECONDS)
            self._patience.answered()
            found = parse_runtime_class(obj)
        except (ClusterUnavailable, MalformedObject) as error:
            kept = self._kept.get(name)
            if isinstance(error, ClusterUnavailable) and error.status is not None:
                self._patience.answered()
            if isinstance(error, ClusterUnavailable) and error.status == 404:
                self._kept.pop(name, None)
                return None
            _log.warning("The RuntimeClass %s cannot be read: %s", name, error)
            return None if kept is None else kept.value
        self._kept[name] = _Kept(found, asyncio.get_running_loop().time())
        self._kept.move_to_end(name)
        if len(self._kept) > _KEEP_OBJECTS:
            self._kept.popitem(last=False)
        return found
