"""Where things stand in a manifest: collected while it is read, and asked for afterwards.

Only what reports point at is kept: the first key of each object, and the text of the fields that hold images. It is
kept by the mapping that holds it, so that what an alias or a merge key brings is found where it is written.
"""

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final

from webhook.core.place import Span

MARKED: Final = frozenset({"image", "reference"})
"""Keys under which an image's reference stands: of a container, and of an image volume."""

ITEMS: Final = "items"
"""The key under which a List has its objects."""

Extent = tuple[int, int]
"""A stretch of the text, as offsets: the first character, and the one after the last."""

_JSON_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)


class Marks:
    """The marks of one document of a text at a time: `forget` makes room for the next."""

    def __init__(self, text: str) -> None:
        """`text`: the whole of it, which all offsets are of."""
        self._text = text
        self._feeds: array[int] | None = None
        # Mappings are held as well as their identities: that of one that is gone could be another's.
        self._starts: dict[int, tuple[object, Extent]] = {}
        self._fields: dict[tuple[int, str], tuple[object, Extent]] = {}

    def forget(self) -> None:
        """What was marked in the document before."""
        self._starts.clear()
        self._fields.clear()

    def begin(self, mapping: object, extent: Extent) -> None:
        """An object begins with this key."""
        self._starts[id(mapping)] = mapping, extent

    def field(self, mapping: object, key: str, extent: Extent) -> None:
        """A field's value stands here; of a key that is given twice the later counts."""
        self._fields[id(mapping), key] = mapping, extent

    def merge(self, into: object, source: object) -> None:
        """One mapping takes over the fields of another."""
        for key in MARKED:
            if (found := self._fields.get((id(source), key))) is not None:
                self._fields[id(into), key] = into, found[1]

    def start_of(self, mapping: object) -> Span | None:
        """An object's first key; None where it is not known."""
        found = self._starts.get(id(mapping))
        return None if found is None else self._span(*found[1])

    def place_of(self, mapping: Mapping[str, object], key: str) -> Span | None:
        """Where a field's text stands, without what YAML puts around it (quotes, an anchor, a block's header); None
        where it is not known."""
        found = self._fields.get((id(mapping), key))
        return None if found is None else self._span(*self._inner(found[1], str(mapping.get(key) or "").strip()))

    def line_of(self, offset: int) -> int:
        """The line of an offset, from 1."""
        return bisect_right(self._line_feeds(), offset - 1) + 1

    def _inner(self, extent: Extent, value: str) -> Extent:
        """The text of a scalar within all that belongs to it; all of it where it is written in another way."""
        start, end = extent
        if value and (at := self._text.rfind(value, start, end)) >= 0:
            return at, at + len(value)
        if self._text[start : start + 1] in ("|", ">"):  # a block's text begins in the line below
            start = max(start, self._text.find("\n", start, end))
        lines = self._text[start:end]
        return end - len(lines.lstrip()), start + len(lines.rstrip())

    def _span(self, start: int, end: int) -> Span:
        (line, column), (end_line, end_column) = self._at(start), self._at(end)
        return Span(line, column, end_line, end_column)

    def _at(self, offset: int) -> tuple[int, int]:
        feeds = self._line_feeds()
        line = bisect_right(feeds, offset - 1)
        return line + 1, offset - (feeds[line - 1] if line else -1)

    def _line_feeds(self) -> "array[int]":
        """The offsets of all line feeds, found when they are first asked for: eight bytes for each line."""
        if self._feeds is None:
            self._feeds = array("q", (match.start() for match in re.finditer("\n", self._text)))
        return self._feeds


def mark_json(marks: Marks, text: str, extent: Extent, document: object) -> None:
    """Mark a document of JSON, which has been read from `extent` of `text`.

    json.loads knows no places, and a reader of our own would be slow: the text, known to be right, is gone through
    token by token beside the value that was made of it.
    """
    walk = _JSONWalk(marks, document)
    for match in _JSON_TOKEN.finditer(text, *extent):
        walk.take(match.group(), match.span())


class _JSONWalk:
    """Where a walk through the text of JSON is: the containers it is in, and which of their values comes next."""

    def __init__(self, marks: Marks, document: object) -> None:
        self._marks = marks
        self._path: list[tuple[Any, str | int | None, bool]] = []
        self._in: Any = [document]
        self._next: str | int | None = 0
        """The index in a list; in an object the key, None where a key comes next."""
        self._objects = True
        """Whether an object that comes next is an object of Kubernetes: the document, or an item of a list."""

    def take(self, piece: str, extent: Extent) -> None:
        """Go one token further."""
        if piece in ("{", "["):
            self._open(piece)
        elif piece in ("}", "]"):
            self._in, self._next, self._objects = self._path.pop()
        elif piece == ",":
            self._next = None if isinstance(self._in, dict) else int(self._next or 0) + 1
        elif isinstance(self._in, dict):
            self._text(piece, extent)

    def _open(self, piece: str) -> None:
        child = self._child()
        if not isinstance(child, dict if piece == "{" else list):
            child = {} if piece == "{" else []  # of a key that is given twice: what was read is the other value
        objects = self._next == ITEMS if piece == "[" else self._objects and not isinstance(self._in, dict)
        self._path.append((self._in, self._next, self._objects))
        self._in, self._next, self._objects = child, None if piece == "{" else 0, objects

    def _child(self) -> object:
        if isinstance(self._in, dict):
            return self._in.get(self._next)
        index = int(self._next or 0)
        return self._in[index] if index < len(self._in) else None

    def _text(self, piece: str, extent: Extent) -> None:
        """A string in an object: a key, or the value of one."""
        if self._next is not None:
            if self._next in MARKED:
                self._marks.field(self._in, str(self._next), extent)
            return
        # Within an object it is no longer of interest whether it is one of Kubernetes, once its first key is marked.
        if self._objects:
            self._marks.begin(self._in, extent)
            self._objects = False
        self._next = _unescaped(piece)


def _unescaped(piece: str) -> str:
    if "\\" not in piece:
        return piece[1:-1]
    value: str = json.loads(piece, strict=False)
    return value
