"""Kubernetes objects from text: what `kubectl apply -f` reads, with where each object stood.

Needs neither a cluster nor an HTTP library, so that `podgate check` starts quickly.
"""

import codecs
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from webhook.cluster.yamltext import DEPTH_LIMIT, TOO_DEEP, parse_yaml
from webhook.core.errors import MalformedObject

Object = Mapping[str, Any]
"""A Kubernetes object as it was decoded; nothing of it has been checked but that it is a mapping with string keys."""


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
        raise MalformedObject(error.problem, f"{source}: {error.path}" if error.path else source) from None


def read_documents(path: str | Path) -> list[SourcedObject]:
    """Read the objects of a file. Raises MalformedObject naming file, document and field, or why it is unreadable."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise MalformedObject(f"cannot be read: {error.strerror or error}", str(path)) from None
    except ValueError as error:  # a name with a NUL in it
        raise MalformedObject(f"cannot be read: {error}", repr(str(path))) from None
    return load_documents(content, str(path))


def load_documents(content: str | bytes, name: str) -> list[SourcedObject]:
    """Read the objects of a text: YAML or JSON, several documents, Lists taken apart, empty documents passed over.

    `name` is what messages call the text (a file's name). An empty text holds no objects. Raises MalformedObject with
    `path` NAME#N and, where there is one, the field.
    """
    return list(iterate_documents(content, name))


def iterate_documents(content: str | bytes, name: str) -> Iterator[SourcedObject]:
    """The same one after the other: the objects before one that cannot be read have been given out when it raises."""
    text = content if isinstance(content, str) else _decode(content, name)
    number = 0
    try:
        for number, value in enumerate(_values(text, name), start=1):
            if value is not None:
                source = f"{name}#{number}"
                for each in _flatten(value, source):
                    yield SourcedObject(source, each)
    except _UnreadableDocument as error:
        source = f"{name}#{number + 1}"
        raise MalformedObject(error.problem, f"{source}: {error.path}" if error.path else source) from None


class _UnreadableDocument(Exception):
    """The next document of a text cannot be read."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path


def _decode(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise MalformedObject("is UTF-16; kubectl reads UTF-8 only", name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedObject(f"is not UTF-8 text (byte {error.start})", name) from None


def _values(text: str, name: str) -> Iterator[object]:
    """The documents of a text: JSON one after the other where it is that, else YAML."""
    text = text.removeprefix("\ufeff")
    syntax = ""
    if text.lstrip()[:1] in ("{", "["):
        values, problem, syntax = _json_values(text)
        if not syntax:
            yield from values
            if problem:
                raise _UnreadableDocument(problem)
            return
        # A flow mapping of YAML begins with a brace too, and JSON documents may be set apart by lines of ---.
    try:
        yield from parse_yaml(text)
    except MalformedObject as error:
        if syntax and name.endswith(".json"):
            raise _UnreadableDocument(syntax) from None
        raise _UnreadableDocument(error.problem, error.path) from None


def _json_values(text: str) -> tuple[list[object], str, str]:
    """The leading documents that are JSON; what is wrong with the next one; and how the text is not JSON at all."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    values: list[object] = []
    position = 0
    while (position := _skip_space(text, position)) < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            return values, "", f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        except RecursionError:
            return values, TOO_DEEP, ""
        except ValueError as error:  # NaN, or an integer of thousands of digits
            return values, f"not JSON: {error}", ""
        if problem := _json_problem(value):
            return values, problem, ""
        values.append(value)
    return values, "", ""


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _json_problem(value: object) -> str:
    """Hold JSON to what YAML is held to: bounded depth, finite numbers. Without recursion, level by level."""
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            return "a number is out of range"
        level = [child for each in level for child in _children(each)]
        if not level:
            return ""
    return TOO_DEEP


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _flatten(value: object, source: str, path: str = "") -> Iterator[Object]:
    """The objects of a document: itself, or the items of a list, however deep lists lie in lists.

    The depth is bounded: documents are (DEPTH_LIMIT). Items of a typed list (a NodeList as the API gives it) name no
    kind of their own; they get the list's, as in apimachinery's unstructured decoding.
    """
    where = f"{source}: {path}" if path else source
    if not isinstance(value, dict):
        kinds = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
        raise MalformedObject(f"is {kinds.get(type(value), 'a number')}, not an object", where)
    kind = value.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and ("items" in value or kind == "List")):
        yield value
        return
    items = value.get("items")
    if not isinstance(items, list | None):
        raise MalformedObject("is not a list", f"{source}: {path}.items" if path else f"{source}: items")
    for index, item in enumerate(items or ()):
        inner = f"{path}.items[{index}]" if path else f"items[{index}]"
        if kind != "List" and isinstance(item, dict) and not item.get("kind") and not item.get("apiVersion"):
            item = {**item, "apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}  # noqa: PLW2901 - the item, completed
        yield from _flatten(item, source, inner)
