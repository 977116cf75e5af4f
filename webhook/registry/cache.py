"""What is remembered of registries, bounded in bytes.

Every key says who saw it (`viewer`): what a credential may see is never shown to another. Documents never change, their
digest is their key; what a tag means, and that something is not there, is true for a time only.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from webhook.core.errors import RegistryError
from webhook.core.manifest import Document
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
    until: float | None


class Store(Generic[T]):
    """Least recently used goes first when the bytes are up. `cost` is the size of a value in bytes."""

    def __init__(self, name: str, capacity: int, cost: Callable[[T], int], hooks: Hooks) -> None:
        self._name = name
        self._capacity = capacity
        self._cost = cost
        self._hooks = hooks
        self._entries: OrderedDict[Key, _Entry[T]] = OrderedDict()
        self.size = 0

    def get(self, *keys: Key) -> T | None:
        """The value of the first key that has one; None where none has, or its time is up. Counts one look-up."""
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and (entry.until is None or entry.until > self._hooks.clock()):
                self._entries.move_to_end(key)
                self._hooks.on_cache(self._name, "hit")
                return entry.value
        self._hooks.on_cache(self._name, "miss")
        return None

    def put(self, key: Key, value: T, ttl: float | None = None) -> None:
        """Remembers a value for `ttl` seconds, None: for ever, as long as there is room. Entries whose time is up stay
        until then too: they are what answers while a registry is down."""
        self.drop(key)
        cost = _ENTRY_COST + sum(map(sys.getsizeof, key)) + self._cost(value)
        if cost > self._capacity:
            return
        self._entries[key] = _Entry(value, cost, None if ttl is None else self._hooks.clock() + ttl)
        self.size += cost
        while self.size > self._capacity:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.cost
            self._hooks.on_cache(self._name, "evicted")

    def drop(self, key: Key) -> None:
        """Forgets a key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.cost


class Cache:
    """Documents, what tags mean, and what failed lately."""

    def __init__(self, capacity: int, hooks: Hooks) -> None:
        small = capacity // 16  # a tag costs a hundredth of a document, and a failure as little
        self.documents: Store[Document] = Store("documents", capacity - 2 * small, _of_document, hooks)
        self.tags: Store[str] = Store("tags", small, sys.getsizeof, hooks)
        self.failures: Store[RegistryError] = Store("failures", small, _of_failure, hooks)

    def document(self, *keys: Key) -> Document | None:
        """The document of the first key that has one."""
        found = self.documents.get(*keys)
        return replace(found) if found is not None and len(found.body) > _LARGEST_READ else found

    def remember(self, key: Key, document: Document) -> None:
        """Keeps a document."""
        self.documents.put(key, replace(document) if len(document.body) > _LARGEST_READ else document)

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self.documents.size + self.tags.size + self.failures.size


def _of_document(document: Document) -> int:
    strings = sys.getsizeof(document.media_type) + sys.getsizeof(document.digest)
    length = len(document.body)
    read = _CONCLUSIONS_COST + _READ_FACTOR * length if length <= _LARGEST_READ else 0
    return strings + sys.getsizeof(document.body) + read


def _of_failure(error: RegistryError) -> int:
    texts = (error.detail, error.exchange.url, error.exchange.body)
    return _FAILURE_COST + sum(map(sys.getsizeof, texts))
