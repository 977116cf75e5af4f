"""A Lease (coordination.k8s.io/v1) that spares replicas from doing the same work at once. Nothing depends on it.

It is taken for a piece of work and given back, not held: an idle podgate writes nothing.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from webhook.cluster.connection import Connection
from webhook.core.errors import ClusterUnavailable

LASTS: Final = 15.0
"""Seconds after which a Lease that nobody has touched counts as left behind by a replica that is gone. The work is a
handful of requests."""
_REQUEST_SECONDS: Final = 5.0


class Turn:
    """Whose turn it is, among the replicas that share a Lease."""

    def __init__(
        self, connection: Connection, place: tuple[str, str], identity: str, clock: Callable[[], float]
    ) -> None:
        """`place` is the Lease's namespace and name; `clock` gives seconds, and never jumps."""
        namespace, name = (quote(part, safe="") for part in place)
        self._connection = connection
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._identity = identity
        self._clock = clock
        self._mine = False
        self._looked_at = ("", 0.0)
        """The version in which somebody else holds it, and when that was first seen."""

    async def take(self) -> bool:
        """Whether to do the work now. A Lease that is missing, or cannot be written, keeps nobody from it."""
        try:
            lease = await self._connection.get(self._path, "Lease", seconds=_REQUEST_SECONDS)
            if self._is_anothers(lease):
                return False
            await self._write(lease, self._identity)
        except ClusterUnavailable as error:
            return error.status != 409
        self._mine = True
        return True

    async def give_back(self) -> None:
        """The work is done, or given up."""
        if not self._mine:
            return
        self._mine = False
        try:
            lease = await self._connection.get(self._path, "Lease", seconds=_REQUEST_SECONDS)
            if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
                await self._write(lease, "")
        except ClusterUnavailable:
            return  # it ends by itself

    def _is_anothers(self, lease: dict[str, Any]) -> bool:
        """As client-go has it: by how long it has been seen unchanged here, and not by anybody's clock."""
        holder = (lease.get("spec") or {}).get("holderIdentity") or ""
        if holder in ("", self._identity):
            return False
        version, now = str(lease["metadata"].get("resourceVersion")), self._clock()
        if self._looked_at[0] != version:
            self._looked_at = (version, now)
        return now - self._looked_at[1] < LASTS

    async def _write(self, lease: dict[str, Any], holder: str) -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": round(LASTS),
            "acquireTime": now,
            "renewTime": now,
        }
        await self._connection.replace(self._path, {**lease, "spec": spec}, seconds=_REQUEST_SECONDS)
