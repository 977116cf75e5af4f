"""Reading Kubernetes objects: untyped documents taken apart with the path to whatever has a wrong type.

The rules are those of the API server's decoder, so that all it accepts can be read: a field that is absent and one that
is null are the same, a null within a list is an empty element, a null among strings is an empty string, and a string is
never made of a number. Fields that nobody asks for are not looked at.
"""

from collections.abc import Iterator, Mapping

from webhook.core.errors import MalformedObject


def _kind(value: object) -> str:
    """What a value is called in JSON, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a value of type {type(value).__name__}"


class Fields:
    """The fields of one object within a document.

    Where it stands is put into words only when somebody asks, which is where something is wrong: a review has dozens
    of objects, and hardly ever an error.
    """

    __slots__ = ("_above", "_place", "_step", "_values")

    def __init__(
        self, values: Mapping[str, object], path: str = "", above: "Fields | None" = None, place: int | None = None
    ) -> None:
        """`path` leads to it from `above`, by default from the document's top, where it is empty; `place`: it is one of
        the list there."""
        self._values = values
        self._above = above
        self._step = path
        self._place = place

    @property
    def path(self) -> str:
        """The way to it from the document's top, where it is empty."""
        if self._above is None:
            return self._step
        return self._above.at(self._step) + ("" if self._place is None else f"[{self._place}]")

    @property
    def values(self) -> Mapping[str, object]:
        """The object itself, as it was read."""
        return self._values

    @classmethod
    def of(cls, document: object) -> "Fields":
        """The fields of a whole document, whatever was read. Raises MalformedObject where it is no object."""
        if not isinstance(document, Mapping):
            raise MalformedObject(f"must be an object, not {_kind(document)}")
        return cls(document)

    def at(self, key: str) -> str:
        """The path to a field."""
        path = self.path
        return f"{path}.{key}" if path else key

    def refuse(self, key: str, wanted: str, value: object) -> MalformedObject:
        """The error of a field that is not what it should be."""
        return MalformedObject(f"must be {wanted}, not {_kind(value)}", self.at(key))

    def get(self, key: str) -> object:
        """A field as it stands; None where it is absent or null."""
        return self._values.get(key)

    def text(self, key: str) -> str:
        """A string; empty where it is absent or null."""
        value = self._values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.refuse(key, "a string", value)
        return value

    def flag(self, key: str) -> bool:
        """A boolean; false where it is absent or null."""
        value = self._values.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.refuse(key, "a boolean", value)
        return value

    def maybe(self, key: str) -> "Fields | None":
        """An object; None where it is absent or null."""
        value = self._values.get(key)
        if value is None:
            return None
        if type(value) is not dict and not isinstance(value, Mapping):
            raise self.refuse(key, "an object", value)
        return Fields(value, key, self)

    def inner(self, key: str) -> "Fields":
        """An object; one without fields where it is absent or null."""
        return self.maybe(key) or Fields({}, key, self)

    def demand(self, key: str) -> "Fields":
        """An object that has to be there."""
        found = self.maybe(key)
        if found is None:
            raise MalformedObject("is missing", self.at(key))
        return found

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where it is absent or null."""
        elements = self._list(key)
        for index, element in enumerate(elements):
            if not isinstance(element, str | None):
                raise self.refuse(f"{key}[{index}]", "a string", element)
        return tuple(element if isinstance(element, str) else "" for element in elements)

    def objects(self, key: str) -> "Iterator[Fields]":
        """The objects of a list; none where it is absent or null."""
        for index, element in enumerate(self._list(key)):
            if type(element) is not dict and not isinstance(element, Mapping | None):
                raise self.refuse(f"{key}[{index}]", "an object", element)
            yield Fields(element or {}, key, self, index)

    def string_map(self, key: str) -> dict[str, str]:
        """An object of strings, as labels are; empty where it is absent or null."""
        value = self._values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.refuse(key, "an object of strings", value)
        for name, entry in value.items():
            if not isinstance(name, str):
                raise MalformedObject(f"must have strings for names, not {_kind(name)}", self.at(key))
            if not isinstance(entry, str | None):
                raise self.refuse(f"{key}[{name}]", "a string", entry)
        return {name: entry or "" for name, entry in value.items()}

    def _list(self, key: str) -> list[object] | tuple[object, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self.refuse(key, "a list", value)
        return value
