"""Kubernetes objects from text: what `kubectl apply -f` reads, with where each object stood.

Needs neither a cluster nor an HTTP library, so that `podgate check` starts quickly.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from webhook.cluster.jsontext import JSONDocuments, read_json
from webhook.cluster.marks import Marks, mark_json
from webhook.cluster.yamltext import parse_yaml
from webhook.core.errors import MalformedObject

Object = Mapping[str, Any]
"""A Kubernetes object as it was decoded; nothing of it has been checked but that it is a mapping with string keys."""


LARGEST: Final = 512 << 20
"""Bytes of one file or pipe. All nodes of a cluster at Kubernetes' limit of 5,000 take a fifth of it; what goes on for
longer is most likely a device, or a program that never ends."""
_CHUNK: Final = 1 << 20

_Pair = tuple[Object, Object]

_LIKE_JSON = re.compile(r"\s*[{\[]")


class SourcedObject(NamedTuple):
    """An object and its place: `source` is FILE#N, N counting the file's documents from 1, empty ones included.

    Items of a List have the source of the document that holds the list.
    """

    source: str
    object: Object


@contextmanager
def located(source: str) -> Iterator[None]:
    """Put an object's source before the path of a MalformedObject that is raised within."""
    try:
        yield
    except MalformedObject as error:
        where = f"{source}: {error.path}" if error.path else source
        raise MalformedObject(error.problem, where, error.line) from None


def read_documents(path: str | Path) -> list[SourcedObject]:
    """Read the objects of a file. Raises MalformedObject naming file, document and field, or why it is unreadable."""
    try:
        with Path(path).open("rb") as stream:
            content = read_bounded(stream, str(path))
    except MalformedObject:  # a ValueError, too
        raise
    except OSError as error:
        raise MalformedObject(f"cannot be read: {error.strerror or error}", str(path)) from None
    except ValueError as error:  # a name with a NUL in it
        raise MalformedObject(f"cannot be read: {error}", repr(str(path))) from None
    return load_documents(content, str(path))


def read_bounded(stream: BinaryIO, name: str, limit: int = LARGEST) -> bytes:
    """What a file or pipe holds, at most `limit` bytes; `name` is what messages call it. Raises MalformedObject where
    there is more, and OSError.

    A NUL character ends it, with some of what follows: no document can be read behind one, and /dev/zero has no end.
    """
    read = BytesIO()
    while chunk := stream.read(_CHUNK):
        if read.tell() + len(chunk) > limit:
            raise MalformedObject(f"is more than {limit >> 20} MiB, and may have no end; give it in parts", name)
        read.write(chunk)
        if b"\0" in chunk:
            break
    return read.getvalue()


def load_documents(content: str | bytes, name: str) -> list[SourcedObject]:
    """Read the objects of a text: YAML or JSON, several documents, Lists taken apart, empty documents passed over.

    `name` is what messages call the text (a file's name). An empty text holds no objects. Raises MalformedObject with
    `path` NAME#N and, where there is one, the field.
    """
    return list(iterate_documents(content, name))


def iterate_documents(content: str | bytes, name: str) -> Iterator[SourcedObject]:
    """The same one after the other: the objects before one that cannot be read have been given out when it raises."""
    for found in _objects(decode_text(content, name), name, None):
        yield SourcedObject(found.source, found.object)


class MarkedObject(NamedTuple):
    """A SourcedObject, and what is known of its lines until the next one is asked for."""

    source: str
    object: Object
    written: Object
    """The object as it stands in the text: an item of a typed list lacks what it has of the list."""


Tell = Callable[[MalformedObject], None]
"""Takes what is no object, where others follow it."""


def iterate_marked(text: str, name: str, marks: Marks | None, tell: Tell) -> Iterator[MarkedObject]:
    """The objects of a text like iterate_documents, with `marks` telling the places of each while it is the last one
    that was given out; None: nobody wants to know them. What is no object, in a text that can be read on, goes to
    `tell`. Raises MalformedObject for a document behind which nothing can be read."""
    return _objects(text, name, marks, tell)


def _raise(error: MalformedObject) -> None:
    raise error


def _objects(text: str, name: str, marks: Marks | None, tell: Tell = _raise) -> Iterator[MarkedObject]:
    number = 0
    try:
        for number, value in enumerate(_values(text, name, marks), start=1):
            if value is not None:
                source = f"{name}#{number}"
                for each, written in _flatten(_Whole(source, tell), value):
                    yield MarkedObject(source, each, written)
    except _UnreadableDocument as error:
        source = f"{name}#{number + 1}"
        raise MalformedObject(error.problem, f"{source}: {error.path}" if error.path else source, error.line) from None


class _UnreadableDocument(Exception):
    """The next document of a text cannot be read; `line` None: where, is not known."""

    def __init__(self, problem: str, path: str = "", line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.line = line


def decode_text(content: str | bytes, name: str) -> str:
    """The text of a file, without a byte order mark. Raises MalformedObject where it is not UTF-8."""
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise MalformedObject("is UTF-16; kubectl reads UTF-8 only", name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MalformedObject(f"is not UTF-8 text (byte {error.start})", name, line) from None


def _values(text: str, name: str, marks: Marks | None) -> Iterator[object]:
    """The documents of a text: JSON one after the other where it is that, else YAML."""
    syntax: _UnreadableDocument | None = None
    if _LIKE_JSON.match(text):
        found = read_json(text)
        problem = _UnreadableDocument(found.problem, line=found.line) if found.problem else None
        if not found.other:
            yield from _marked(text, found, marks)
            if problem is not None:
                raise problem
            return
        # A flow mapping of YAML begins with a brace too, and JSON documents may be set apart by lines of ---.
        syntax = problem
    try:
        yield from parse_yaml(text, marks)
    except MalformedObject as error:
        if syntax is not None and name.endswith(".json"):
            raise syntax from None
        raise _UnreadableDocument(error.problem, error.path, error.line) from None


def _marked(text: str, found: JSONDocuments, marks: Marks | None) -> Iterator[object]:
    """The documents of JSON, each marked as long as it is the last one."""
    for value, extent in found.documents:
        if marks is not None:
            marks.forget()
            mark_json(marks, text, extent, value)
        yield value


@dataclass(frozen=True, slots=True)
class _Whole:
    """The document that objects are taken from: its source, and who is told of what is none."""

    source: str
    tell: Tell

    def malformed(self, problem: str, path: str) -> None:
        """Tell what is wrong, and where."""
        self.tell(MalformedObject(problem, f"{self.source}: {path}" if path else self.source))


def _flatten(whole: _Whole, value: object, path: str = "", written: Object | None = None) -> Iterator[_Pair]:
    """The objects of a document: itself, or the items of a list, however deep lists lie in lists. Each with what stands
    in the text (`written`: of this one, where that is not `value` itself).

    The depth is bounded: documents are (DEPTH_LIMIT). Items of a typed list (a NodeList as the API gives it) name no
    kind of their own; they get the list's, as in apimachinery's unstructured decoding.
    """
    if not isinstance(value, dict):
        kinds = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
        whole.malformed(f"is {kinds.get(type(value), 'a number')}, not an object", path)
        return
    kind = value.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and ("items" in value or kind == "List")):
        yield value, value if written is None else written
        return
    items = value.get("items")
    if not isinstance(items, list | None):
        whole.malformed("is not a list", f"{path}.items" if path else "items")
        return
    for index, item in enumerate(items or ()):
        inner = f"{path}.items[{index}]" if path else f"items[{index}]"
        given = item
        if kind != "List" and isinstance(item, dict) and not item.get("kind") and not item.get("apiVersion"):
            given = {**item, "apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
        yield from _flatten(whole, given, inner, item)
