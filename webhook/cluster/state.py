"""A snapshot of one kind of object, reduced to what decisions see."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Store(Generic[T]):
    """Reduced objects by name.

    Most changes of a Node are heartbeats. They leave the reduced object as it was, and then `values()` goes on
    returning the same tuple: whoever derives something from it (shapes, groups) sees by identity that nothing changed.
    """

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._values: tuple[T, ...] | None = ()

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: str) -> T | None:
        """The object of this name, None where it is not known."""
        return self._objects.get(name)

    def values(self) -> tuple[T, ...]:
        """All objects in the order of their names; the same tuple as long as none of them changes."""
        if self._values is None:
            self._values = tuple(self._objects[name] for name in sorted(self._objects))
        return self._values

    def put(self, name: str, reduced: T) -> None:
        """Add an object or take over its new state."""
        if name not in self._objects or self._objects[name] != reduced:
            self._objects[name] = reduced
            self._values = None

    def remove(self, name: str) -> None:
        """Forget an object; one that is not known is no error (a watch may repeat itself)."""
        if self._objects.pop(name, None) is not None:
            self._values = None

    def replace(self, objects: Mapping[str, T]) -> None:
        """Take over a whole list at once, so that no reader sees half of it."""
        # An object that is equal stays the one that was there, or a relist would hold everything twice for a while.
        merged = {name: old if (old := self._objects.get(name)) == new else new for name, new in objects.items()}
        if merged != self._objects:
            self._values = None
        self._objects = merged
