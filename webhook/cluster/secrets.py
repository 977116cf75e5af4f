"""Secrets and ServiceAccounts of a live cluster: read one by one when a pod needs them, never listed or watched.

The right to list Secrets would be the right to read all of them; by name, podgate reads what the pods name.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from webhook.cluster.connection import Connection
from webhook.cluster.objects import is_object_name, parse_pull_secret, service_account_secrets
from webhook.cluster.patience import Patience
from webhook.core.errors import BadCredentials, ClusterUnavailable, MalformedObject, MissingPermission
from webhook.core.keyring import PullSecret

KEEP_SECONDS = 30.0
"""How long an object that was read is good for: a burst of pods reads it once, and a rotated password is soon known."""

_STALE_SECONDS = 600.0
"""How long one is good for while the API server does not answer."""

_REQUEST_SECONDS = 5.0
"""For one read, whoever waits for it: the first asker's deadline must not end the read for the others."""

_KEEP_OBJECTS = 1024
_KEEP_BYTES = 8 * 2**20
"""Bounds of what is kept: a Secret may hold 1 MiB, and users decide how many there are."""

_AT_ONCE = 16
"""Reads under way: a pod may name any number of secrets, and the API server has other work."""

_KINDS: Final = MappingProxyType({"secrets": "Secret", "serviceaccounts": "ServiceAccount"})

Caller = Literal["podgate", "user"]
"""By whose rights Secrets are read: those of podgate's own ClusterRole, or those of whoever runs the command line."""

_Value = PullSecret | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Kept:
    value: PullSecret | tuple[str, ...]
    read_at: float


class SecretReader:
    """A `pulling.SecretSource` of an API server. `patience` None: its own."""

    def __init__(
        self,
        connection: Connection,
        keep_seconds: float = KEEP_SECONDS,
        patience: Patience | None = None,
        caller: Caller = "podgate",
    ) -> None:
        self._connection = connection
        self._keep_seconds = keep_seconds
        self._caller = caller
        self._patience = patience or Patience()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[str, asyncio.Task[_Value]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def secret(self, namespace: str, name: str) -> PullSecret | None:
        """A pull secret; None where it is missing or of a type that does not count.

        Raises BadCredentials where it has no usable content, or podgate may not read it; ClusterUnavailable where
        nobody answers and none is kept.
        """

        def parse(obj: dict[str, Any]) -> _Value:
            return parse_pull_secret(obj, namespace, name)

        found = await self._read("secrets", namespace, name, parse)
        return found if isinstance(found, PullSecret) else None

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        """The imagePullSecrets of a ServiceAccount; None where it is missing. Raises as `secret` does."""

        def parse(obj: dict[str, Any]) -> _Value:
            try:
                return service_account_secrets(obj)
            except MalformedObject as error:
                raise BadCredentials(str(error), f"serviceaccount {namespace}/{name}") from None

        found = await self._read("serviceaccounts", namespace, name, parse)
        return found if isinstance(found, tuple) else None

    async def close(self) -> None:
        """End the reads that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, plural: str, namespace: str, name: str, parse: Callable[[dict[str, Any]], _Value]) -> _Value:
        if not (is_object_name(namespace) and is_object_name(name)):
            return None  # nothing has such a name; and it must not become part of a path
        path = f"/api/v1/namespaces/{namespace}/{plural}/{name}"
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(path)
        if kept is not None and now - kept.read_at < self._keep_seconds:
            return kept.value
        task = self._under_way.get(path)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(path, plural, namespace, parse))
            self._under_way[path] = task
            task.add_done_callback(lambda done: self._finish(path, done))
        earlier = kept if kept is not None and now - kept.read_at < _STALE_SECONDS else None
        if earlier is not None and not await self._patience.wait(task):
            return earlier.value
        try:
            # Shielded: an asker that gives up takes nothing from the others.
            return await asyncio.shield(task)
        except ClusterUnavailable:
            if earlier is not None:
                return earlier.value
            raise

    async def _fetch(self, path: str, plural: str, namespace: str, parse: Callable[[dict[str, Any]], _Value]) -> _Value:
        try:
            async with self._turns:
                obj = await self._connection.get(path, _KINDS[plural], seconds=_REQUEST_SECONDS)
            self._patience.answered()
        except ClusterUnavailable as error:
            if error.status is not None:
                self._patience.answered()
            if error.status == 404:
                self._forget(path)
                return None
            if error.status == 403:
                self._forget(path)
                raise self._forbidden(path, plural, namespace) from None
            raise
        self._forget(path)
        value = parse(obj)
        if value is not None:
            self._keep(path, value)
        return value

    def _forbidden(self, path: str, plural: str, namespace: str) -> MissingPermission:
        where = f"{plural.removesuffix('s')} {namespace}/{path.rpartition('/')[2]}"
        right = f"get {plural} in the namespace {namespace}"
        if self._caller == "user":
            problem = f"the cluster does not let this run's user {right}"
            return MissingPermission(problem, where, f"that user to get {plural}")
        allow = f"podgate to get {plural} (in its ClusterRole)"
        return MissingPermission(f"podgate lacks the permission to {right}", where, allow)

    def _finish(self, path: str, task: asyncio.Task[_Value]) -> None:
        self._under_way.pop(path, None)
        if not task.cancelled():
            task.exception()  # looked at: all askers may have gone, and then asyncio would complain

    def _keep(self, path: str, value: PullSecret | tuple[str, ...]) -> None:
        self._kept[path] = _Kept(value, asyncio.get_running_loop().time())
        self._bytes += _size(value)
        while self._bytes > _KEEP_BYTES or len(self._kept) > _KEEP_OBJECTS:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest.value)

    def _forget(self, path: str) -> None:
        if (kept := self._kept.pop(path, None)) is not None:
            self._bytes -= _size(kept.value)


def _size(value: PullSecret | tuple[str, ...]) -> int:
    return len(value.data) if isinstance(value, PullSecret) else sum(map(len, value))
