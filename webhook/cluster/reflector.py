"""A list and a watch of one resource, kept up for as long as the process runs.

Our own instead of a kopf index: docs/adr/0001-own-reflector.md. The protocol is that of the Kubernetes documentation,
"Efficient detection of changes" (reference/using-api/api-concepts).
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NoReturn, TypeVar

from webhook.cluster.answers import items_of, metadata_of
from webhook.cluster.connection import Connection
from webhook.cluster.objects import object_name
from webhook.cluster.state import Store
from webhook.core.errors import ClusterUnavailable, MalformedInput

_log = logging.getLogger(__name__)

T = TypeVar("T")


_EMPTY_WATCHES: Final = 3
"""Watches that end at once and say nothing, one after the other, until a list is asked for instead. A server that is
being restarted may end one or two."""


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """What is watched, and what is kept of each object.

    `path` is the collection's (/api/v1/nodes), `list_kind` what a list of it is (NodeList), `noun` names it in
    messages. `reduce` may raise MalformedInput: then the
    object is passed over. `optional`: an API that is not served (404), or may not be read (403), is an empty list.
    """

    noun: str
    path: str
    list_kind: str
    reduce: Callable[[Mapping[str, Any]], T]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things go; all but `page` in seconds.

    page: objects in an answer, so that never more than these are held whole. watch: after how long a watch is asked to
    end (up to a fifth less, so that replicas do not come back at once). quiet: a watch that says nothing for so long is
    taken for broken, and one that never said anything is begun with a new list; bookmarks come about once a minute.
    first_delay, longest_delay: the pause after the first failure, which doubles with each further one, up to the
    longest (an API server that is back is heard of by then); half of it is random. absent: how long an optional
    resource that was not there is left alone.
    """

    page: int = 100
    watch: float = 300.0
    quiet: float = 150.0
    first_delay: float = 0.5
    longest_delay: float = 10.0
    absent: float = 300.0


class _Stale(Exception):
    """The watch cannot go on from where it was: 410 Gone, or a stream that is not understood. List again."""


class Reflector(Generic[T]):
    """Keeps a Store equal to what the API server holds. While that is away, the store keeps its last state."""

    def __init__(
        self, connection: Connection, resource: Resource[T], store: Store[T], pace: Pace | None = None
    ) -> None:
        self._connection = connection
        self._resource = resource
        self._store = store
        self._pace = pace or Pace()
        self._version = ""
        """The resourceVersion up to which the store is complete; empty: a list is needed."""
        self._failures = 0
        self._listed = asyncio.Event()
        self._tried = asyncio.Event()
        self._absent = False

    @property
    def listed(self) -> bool:
        """Whether a first list is complete: until then the store does not say what the cluster holds."""
        return self._listed.is_set()

    @property
    def tried(self) -> bool:
        """Whether a first list is complete, or has failed: whoever can do without it need not wait any longer."""
        return self._tried.is_set()

    async def wait_listed(self) -> None:
        """Wait for the end of the first list."""
        await self._listed.wait()

    async def wait_tried(self) -> None:
        """Wait until the first list is complete, or has failed."""
        await self._tried.wait()

    async def list_once(self) -> None:
        """Take over all objects, page by page; none of what is optional and absent. Raises ClusterUnavailable."""
        try:
            await self._list()
        except ClusterUnavailable as error:
            if not self._is_absent(error):
                raise
            self._take_none(error)

    async def _list(self) -> None:
        objects: dict[str, T] = {}
        path, kind, limit, token = self._resource.path, self._resource.list_kind, str(self._pace.page), ""
        while True:
            query = [("limit", limit)] if limit else []
            try:
                answer = await self._connection.get(path, kind, [*query, ("continue", token)] if token else query)
            except ClusterUnavailable as error:
                if error.status != 410 or not token:
                    raise
                # The list is older than what etcd keeps; as client-go does, begin again, and without pages.
                objects, limit, token = {}, "", ""
                continue
            self._take_page(answer, objects)
            metadata = metadata_of(answer)
            token = str(metadata.get("continue") or "")
            if not token:
                break
        self._store.replace(objects)
        self._version = str(metadata.get("resourceVersion") or "")
        self._listed.set()
        self._tried.set()

    async def run(self) -> NoReturn:
        """List, watch, and begin again after whatever happens, until cancelled."""
        while True:
            pause: float | None = None
            try:
                if not self._version:
                    await self._list()
                    self._absent = False
                    _log.info("Listed %d %s", len(self._store), self._resource.noun)
                await self._watch()
            except _Stale as error:
                self._fail(relist=True)
                _log.info("The watch of %s begins anew: %s", self._resource.noun, error)
            except ClusterUnavailable as error:
                if self._is_absent(error):
                    self._take_none(error)
                    await asyncio.sleep(self._pace.absent * random.uniform(0.5, 1.0))  # noqa: S311 - as below
                    continue
                # Where only the way was broken, the watch goes on from where it was; any other answer may mean that
                # the server has something against the version.
                self._fail(relist=error.status not in (None, 401, 403, 429))
                pause = error.retry_after
                _log.warning("Cannot watch %s, the last known state stays: %s", self._resource.noun, error)
            except Exception:  # noqa: BLE001 - a fault of ours must not leave the webhook with a view that never changes
                self._fail(relist=True)
                _log.exception("The watch of %s begins anew", self._resource.noun)
            if self._failures:
                await asyncio.sleep(max(self._delay(), pause or 0.0))

    def _is_absent(self, error: ClusterUnavailable) -> bool:
        return self._resource.optional and error.status in (403, 404)

    def _take_none(self, error: ClusterUnavailable) -> None:
        if not self._absent:
            _log.info("There are no %s to be read: %s", self._resource.noun, error)
        self._absent = True
        self._failures, self._version = 0, ""
        if error.status == 404:  # what is merely forbidden may be there as it was
            self._store.replace({})
        self._listed.set()
        self._tried.set()

    def _fail(self, *, relist: bool) -> None:
        self._failures += 1
        self._tried.set()
        if relist:
            self._version = ""

    def _delay(self) -> float:
        doubled: float = self._pace.first_delay * 2 ** min(self._failures - 1, 16)  # 16: far beyond any longest delay
        return min(doubled, self._pace.longest_delay) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads replicas only

    async def _watch(self) -> None:
        """Follow one watch to its end, which the server sets."""
        query = [
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(max(1, round(self._pace.watch * random.uniform(0.8, 1.0))))),  # noqa: S311 - as above
        ]
        clock = asyncio.get_running_loop().time
        begun, silent = clock(), True
        try:
            async with self._connection.lines(self._resource.path, query, quiet=self._pace.quiet) as lines:
                async for line in lines:
                    silent = False
                    self._take_event(line)
                    # Thousands of events may lie ready at once; reviews are answered between them.
                    await asyncio.sleep(0)
        finally:
            # A server that does not know the version yet (etcd restored from a backup) says nothing at all, not even by
            # a bookmark, until it has come so far, and that may be never.
            if silent and clock() - begun >= self._pace.quiet:
                self._version = ""
        # A server that ends each watch at once must not be asked again and again without a pause.
        self._failures = 0 if clock() - begun >= self._pace.first_delay else self._failures + 1
        # Whoever ends them without a word, as a proxy does that passes no streams on, never tells of a change either.
        if silent and self._failures >= _EMPTY_WATCHES:
            self._version = ""

    def _take_page(self, answer: Mapping[str, Any], objects: dict[str, T]) -> None:
        for item in items_of(answer, self._resource.path):
            if (reduced := self._reduce(item)) is not None:
                objects[reduced[0]] = reduced[1]

    def _take_event(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = json.loads(line)
            kind, obj = event["type"], event["object"]
        except (ValueError, KeyError, TypeError):
            raise _Stale("an event that cannot be read") from None
        if kind == "ERROR":
            raise _Stale(_status_text(obj))
        if kind in ("ADDED", "MODIFIED"):
            if (reduced := self._reduce(obj)) is not None:
                self._store.put(*reduced)
        elif kind == "DELETED" and (name := metadata_of(_mapping(obj)).get("name")):
            self._store.remove(str(name))
        version = metadata_of(_mapping(obj)).get("resourceVersion")
        if isinstance(version, str) and version:
            self._version = version
        self._failures = 0

    def _reduce(self, obj: Any) -> tuple[str, T] | None:  # noqa: ANN401 - JSON from elsewhere
        """The name and what is kept of an object; None where the object is passed over."""
        name: object = None
        try:
            name = object_name(obj)
            return name, self._resource.reduce(obj)
        except MalformedInput as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - one odd object must not end the watch of all others
            problem = f"{type(error).__name__}: {error}"
        _log.error("Passed over one of the %s, %s: %s", self._resource.noun, name or "without a name", problem)
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _status_text(status: object) -> str:
    fields = _mapping(status)
    return f"{fields.get('code', 'no code')} {fields.get('message') or fields.get('reason') or ''}".rstrip()
