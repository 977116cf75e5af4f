"""What is remembered of registries, bounded in bytes.

Every key says who saw it (`viewer`): what a credential may see is never shown to another. Documents never change, their
digest is their key; what a tag means, and that something is not there, is true for a time only.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.manifest import Document, Kind, kind_of
from webhook.registry.options import Hooks

T = TypeVar("T")

# One entry beside its strings and bytes: the key's tuple, the entry, the node and slots of the OrderedDict. Measured
# with tracemalloc on CPython 3.11: about 300 bytes.
_ENTRY_COST: Final = 400
# A document that was looked into keeps what was read out of it. Measured: 2.8 bytes for each byte of an index's body.
_READ_FACTOR: Final = 4
# And what was concluded from it for each kind of node (Document.conclusions): room for about ten of these.
_CONCLUSIONS_COST: Final = 2048
# An exception beside its texts: its arguments, dictionary and Exchange. Measured: about 300 bytes.
_FAILURE_COST: Final = 400
# Larger documents, which are rare, are read anew each time instead: they would take the room of all others.
_LARGEST_READ: Final = 1 << 16
# Indexes of one repository that are looked through for a manifest, and those found that are handed out, newest first.
_MOST_LOOKED_THROUGH: Final = 256
_MOST_LISTS: Final = 16
# What a document of a kind has in it.
_MARKS: Final[dict[Kind, bytes]] = {"index": b'"manifests"', "manifest": b'"config"', "schema1": b'"fsLayers"'}
# An index's place in Shelves, and a shelf of its own. Measured: 330 bytes.
_SHELF_COST: Final = 400


class Key(NamedTuple):
    """A thing in a repository, as one viewer sees it. `what`: manifest or config by digest, or tag."""

    viewer: str
    domain: str
    repository: str
    what: Literal["manifest", "config", "tag"]
    name: str

    def seen_by(self, viewer: str) -> "Key":
        """The same thing for another viewer."""
        return self._replace(viewer=viewer)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    value: T
    cost: int
    since: float
    until: float | None


class Store(Generic[T]):
    """Least recently used goes first when the bytes are up. `cost` is the size of a value in bytes."""

    def __init__(
        self,
        name: str,
        capacity: int,
        cost: Callable[[T], int],
        hooks: Hooks,
        gone: Callable[[Key], None] | None = None,
    ) -> None:
        """`gone` is told of every key that is forgotten."""
        self._gone = gone
        self._name = name
        self._capacity = capacity
        self._cost = cost
        self._hooks = hooks
        self._entries: OrderedDict[Key, _Entry[T]] = OrderedDict()
        self.size = 0

    def get(self, *keys: Key) -> T | None:
        """The value of the first key that has one; None where none has, or its time is up. Counts one look-up."""
        found = self.find(*keys)
        return None if found is None else found[1]

    def find(self, *keys: Key) -> tuple[Key, T] | None:
        """The same, with the key that has the value."""
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and (entry.until is None or entry.until > self._hooks.clock()):
                self._entries.move_to_end(key)
                self._hooks.on_cache(self._name, "hit")
                return key, entry.value
        self._hooks.on_cache(self._name, "miss")
        return None

    def at_hand(self, key: Key) -> T | None:
        """The value of a key, as `get`, but only a hit is counted: who finds nothing here goes on to `get`."""
        entry = self._entries.get(key)
        if entry is None or (entry.until is not None and entry.until <= self._hooks.clock()):
            return None
        self._entries.move_to_end(key)
        self._hooks.on_cache(self._name, "hit")
        return entry.value

    def peek(self, key: Key) -> T | None:
        """A value whatever its time: no look-up, and no use of it either."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def old(self, key: Key, age: float) -> T | None:
        """A value that was put at most so many seconds ago, though its time may be up."""
        entry = self._entries.get(key)
        if entry is None or self._hooks.clock() - entry.since > age:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Key, value: T, ttl: float | None = None) -> None:
        """Remembers a value for `ttl` seconds, None: for ever, as long as there is room. Entries whose time is up stay
        until then too: they are what answers while a registry is down."""
        self.drop(key)
        cost = _ENTRY_COST + sum(map(sys.getsizeof, key)) + self._cost(value)
        if cost > self._capacity:
            return
        now = self._hooks.clock()
        self._entries[key] = _Entry(value, cost, now, None if ttl is None else now + ttl)
        self.size += cost
        self._make_room()

    def inherit(self, other: "Store[T]", ttl: float | None = None) -> None:
        """Takes over what another one remembers, the least used first, as far as there is room; `ttl`: values whose
        time is to be up so many seconds after they were put, None: their time stays what it is."""
        for key, entry in other.entries():
            until = entry.until if ttl is None or entry.until is None else min(entry.until, entry.since + ttl)
            if entry.cost <= self._capacity:
                self._entries[key] = replace(entry, until=until)
                self.size += entry.cost
        self._make_room()

    def entries(self) -> Iterator[tuple[Key, "_Entry[T]"]]:
        """All that is remembered, the least used first."""
        yield from self._entries.items()

    def _make_room(self) -> None:
        while self.size > self._capacity:
            self.drop(next(iter(self._entries)))
            self._hooks.on_cache(self._name, "evicted")

    def drop(self, key: Key) -> None:
        """Forgets a key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.cost
            if self._gone is not None:
                self._gone(key)


class Shelves:
    """Keys of the indexes that the cache holds, by repository and by who saw them.

    Not by the manifests that they name: to know these each index would have to be read when it comes, and only an image
    whose config does not fit ever asks.
    """

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str, str], OrderedDict[Key, None]] = {}

    def add(self, key: Key) -> None:
        """Notes an index that is there now."""
        self._shelves.setdefault(_shelf(key), OrderedDict())[key] = None

    def drop(self, key: Key) -> None:
        """Forgets a document; one that is no index was never here."""
        shelf = self._shelves.get(_shelf(key))
        if shelf is not None:
            shelf.pop(key, None)
            if not shelf:
                del self._shelves[_shelf(key)]

    def all(self) -> Iterator[Key]:
        """All of them, within a shelf the oldest first."""
        for shelf in self._shelves.values():
            yield from shelf

    def beside(self, key: Key) -> Iterator[Key]:
        """The newest indexes of a document's repository that its viewer has seen."""
        return islice(reversed(self._shelves.get(_shelf(key), {})), _MOST_LOOKED_THROUGH)


def _shelf(key: Key) -> tuple[str, str, str]:
    return key.viewer, key.domain, key.repository


class Cache:
    """Documents, what tags mean, and what failed lately."""

    def __init__(self, capacity: int, hooks: Hooks) -> None:
        small = capacity // 16  # a tag costs a hundredth of a document, and a failure as little
        self.shelves = Shelves()
        room = capacity - 2 * small
        self.documents: Store[Document] = Store("documents", room, _of_document, hooks, self.shelves.drop)
        self.tags: Store[str] = Store("tags", small, sys.getsizeof, hooks)
        self.failures: Store[RegistryError] = Store("failures", small, _of_failure, hooks)

    def inherit(self, other: "Cache", tag_ttl: float) -> None:
        """Takes over what another cache, of other bounds, remembers, but for the failures: what caused them may just
        have been mended. Tags count as unmoved for `tag_ttl` seconds after they were asked for, if not shorter."""
        self.documents.inherit(other.documents)
        self.tags.inherit(other.tags, tag_ttl)
        for key in other.shelves.all():
            if self.documents.peek(key) is not None:
                self.shelves.add(key)

    def document(self, *keys: Key) -> Document | None:
        """The document of the first key that has one."""
        found = self.documents.get(*keys)
        return replace(found) if found is not None and len(found.body) > _LARGEST_READ else found

    def at_hand(self, key: Key, viewers: Sequence[str]) -> Document | None:
        """What a key names for the first of these viewers who knows it; None where none does, or it is so large that it
        would be read anew. Misses are not counted: who finds nothing here goes on to look in the long way."""
        named: str | None = key.name
        what = "manifest" if key.what == "tag" else key.what
        for viewer in viewers:
            if key.what == "tag":
                named = self.tags.at_hand(Key(viewer, key.domain, key.repository, "tag", key.name))
            if named is None:
                continue
            document = self.documents.at_hand(Key(viewer, key.domain, key.repository, what, named))
            if document is not None or key.what == "tag":
                return document if document is not None and len(document.body) <= _LARGEST_READ else None
        return None

    def remember(self, key: Key, document: Document, ttl: float | None = None) -> None:
        """Keeps a document: for `ttl` seconds, None: for ever."""
        self.documents.put(key, replace(document) if len(document.body) > _LARGEST_READ else document, ttl)
        small = len(document.body) <= _LARGEST_READ  # lists that people make are; a large one would be read each time
        if small and _is_index(document) and self.documents.peek(key) is not None:
            self.shelves.add(key)

    def lists(self, key: Key) -> tuple[Document, ...]:
        """The indexes of a manifest's repository that name it and that its viewer has seen, newest first.

        A digest is looked for as it is commonly written: JSON that spells it with escapes is not found.
        """
        digest = key.name.encode("utf-8", "surrogateescape")
        there = (self.documents.peek(one) for one in self.shelves.beside(key))
        return tuple(islice((one for one in there if one is not None and digest in one.body), _MOST_LISTS))

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self.documents.size + self.tags.size + self.failures.size


def misannounced(document: Document) -> bool:
    """Whether a document seems to be of another kind than its Content-Type says.

    The digest is a witness to the body alone. What else the header says is a registry's, or a proxy's, word of today:
    it counts, since nodes go by it, and must not stick to the body when they have mended it.
    """
    mark = _MARKS.get(kind_of(document.media_type))
    return mark is not None and mark not in document.body


def _is_index(document: Document) -> bool:
    try:
        return document.kind == "index"
    except MalformedDocument:
        return False


def _of_document(document: Document) -> int:
    strings = sys.getsizeof(document.media_type) + sys.getsizeof(document.digest) + _SHELF_COST
    length = len(document.body)
    read = _CONCLUSIONS_COST + _READ_FACTOR * length if length <= _LARGEST_READ else 0
    return strings + sys.getsizeof(document.body) + read


def _of_failure(error: RegistryError) -> int:
    texts = (error.detail, error.exchange.url, error.exchange.body)
    return _FAILURE_COST + sum(map(sys.getsizeof, texts))
