"""YAML text to plain values, as kubectl reads it, and bounded against hostile text.

kubectl goes through sigs.k8s.io/yaml, which is go-yaml v2 and then JSON. PyYAML's own constructor differs from that
where it hurts: a date becomes an object of the calendar, `12:30` an integer of base 60, `1e3` a string, a tag may name
a Python type. So only the events come from PyYAML (libyaml where it is there), and what a scalar means is decided here
by go-yaml's rules (resolve.go). Building from events needs no recursion, and an alias is counted before it is used.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from webhook.cluster.marks import ITEMS, MARKED, Extent, Marks
from webhook.core.errors import MalformedObject

DEPTH_LIMIT = 200
"""Levels of nesting. The deepest objects of real clusters (schemas of CRDs) have about 60; whoever walks an object
recursively must not meet Python's own limit of 1000."""

TOO_DEEP = f"nested deeper than {DEPTH_LIMIT} levels"

_ALIAS_LIMIT = 400_000
"""Values that aliases may add to one document: about what go-yaml allows (decode.go, allowedAliasRatio). Aliases of
aliases ("a billion laughs") take no memory here, but whoever walks the object would never end."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_TIMESTAMP = re.compile(r"\d{4}-\d\d?-\d\d?(?:$|[Tt ]\d)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))")
_BASES = (16, 8, 2, 10)

_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still being read. `key` is the mapping's key that waits for its value."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: str | None = None
    merge: bool = False
    size: int = 1
    objects: bool = False
    """Of a sequence: its mappings are objects of Kubernetes. Of a mapping: it is one, whose first key is to come."""


class _Unresolved:
    """What an anchor names while its own value is still being read: an alias to it would contain itself."""


_UNRESOLVED = _Unresolved()
_NOWHERE: Extent = (-1, -1)
"""The extent of an anchored collection: nothing points at one."""


def parse_yaml(text: str, marks: Marks | None = None) -> Iterator[Any]:
    """Yield the value of each document of a YAML stream, None for an empty one.

    `marks` are told where the last document's objects and images stand; None: nobody wants to know. Raises
    MalformedObject, from the document that is wrong on, with the line or the path of the field.
    """
    builder = _Builder(marks)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(marks)
            elif isinstance(event, yaml.DocumentEndEvent):
                yield builder.root
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                builder.take(event)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or ""):  # libyaml's own limit, met while it looks ahead
            raise MalformedObject(TOO_DEEP) from None
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        line = mark.line + 1 if mark else None
        raise MalformedObject(f"not YAML: {place}{error.problem or error.context}", line=line) from None
    except yaml.YAMLError as error:
        raise MalformedObject(f"not YAML: {str(error).splitlines()[0]}") from None


class _Builder:
    """Builds the value of one document from events."""

    def __init__(self, marks: Marks | None = None) -> None:
        self.root: Any = None
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, Extent]] = {}
        self._aliased = 0
        self._keys: dict[str, str] = {}
        """Each key once: a long list has the same few again and again, and they would be a third of what it takes."""
        self._marks = marks
        self._event: yaml.Event | None = None
        if marks is not None:
            marks.forget()

    def take(self, event: yaml.NodeEvent | yaml.CollectionEndEvent) -> None:
        """Go one event further."""
        self._event = event
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            frame = _Frame({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor)
            frame.objects = self._holds_objects(frame)
            self._open(frame)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._frames.pop()
            self._name(frame.anchor, frame.value, frame.size)
            self._add(frame.value, frame.size)
        else:
            self._alias(event.anchor or "")

    def _open(self, frame: _Frame) -> None:
        if self._frames and self._awaits_key():
            raise self._malformed("a key is a mapping or a list; keys are strings")
        if len(self._frames) >= DEPTH_LIMIT:
            # The path of so deep a field would be a page long.
            raise MalformedObject(TOO_DEEP, line=self._line())
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (_UNRESOLVED, 0, _NOWHERE)
        self._frames.append(frame)

    def _holds_objects(self, frame: _Frame) -> bool:
        """Whether a collection that begins is an object of Kubernetes (the document, or an item of a list's), or the
        list of items of one."""
        if not self._frames:
            return isinstance(frame.value, dict)
        parent = self._frames[-1]
        return parent.key == ITEMS if isinstance(frame.value, list) else parent.objects and parent.key is None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        assert event.start_mark is not None  # of an event that was read
        assert event.end_mark is not None
        extent = (event.start_mark.index, event.end_mark.index)
        if self._marks is not None and self._frames:
            self._mark(self._marks, extent)
        if self._frames and self._awaits_key() and _is_merge(event):
            self._frames[-1].merge = True
            return
        try:
            value = _resolve(event)
        except ValueError as error:
            raise self._malformed(str(error)) from None
        self._name(event.anchor, value, 1, extent)
        self._add(value, 1)

    def _mark(self, marks: Marks, extent: Extent) -> None:
        """A scalar stands here; called before it is taken, while its frame still waits for it."""
        frame = self._frames[-1]
        if frame.key in MARKED:
            marks.field(frame.value, frame.key, extent)
        elif frame.objects and isinstance(frame.value, dict):
            marks.begin(frame.value, extent)
            frame.objects = False

    def _alias(self, name: str) -> None:
        if name not in self._anchors:
            raise self._malformed(f"the alias *{name} has no anchor")
        value, size, extent = self._anchors[name]
        if value is _UNRESOLVED:
            raise self._malformed(f"the anchor &{name} contains itself")
        self._aliased += size
        if self._aliased > _ALIAS_LIMIT:
            raise self._malformed("excessive aliasing")
        if self._marks is not None and self._frames and extent is not _NOWHERE:
            self._mark(self._marks, extent)
        self._add(value, size)

    def _name(self, anchor: str | None, value: object, size: int, extent: Extent = _NOWHERE) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size, extent)

    def _awaits_key(self) -> bool:
        frame = self._frames[-1]
        return isinstance(frame.value, dict) and frame.key is None and not frame.merge

    def _add(self, value: Any, size: int) -> None:  # noqa: ANN401 - a YAML value is of any type
        if not self._frames:
            self.root = self._checked(value)
            return
        frame = self._frames[-1]
        frame.size += size
        if isinstance(frame.value, list):
            frame.value.append(self._checked(value))
        elif frame.merge:
            frame.merge = False
            for mapping in self._merged(value):
                frame.value.update(mapping)
                if self._marks is not None:
                    self._marks.merge(frame.value, mapping)
        elif frame.key is None:
            key = self._key(value)
            frame.key = self._keys.setdefault(key, key)
        else:
            # Of a key that is given twice the last value counts, as for kubectl.
            frame.value[frame.key] = self._checked(value)
            frame.key = None

    def _merged(self, value: object) -> Iterator[dict[str, Any]]:
        """The mappings of a merge key `<<`, the one that takes precedence last (yaml.org/type/merge.html)."""
        sources = value[::-1] if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise self._malformed("the merge key << needs a mapping or a list of mappings")
            yield source

    def _key(self, value: object) -> str:
        """A key as sigs.k8s.io/yaml turns it into a JSON key."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) and value < 2**63:
            return str(value)
        if isinstance(value, float):
            return _float_key(value)
        raise self._malformed("a key is null, too large a number, a mapping or a list; keys are strings")

    def _checked(self, value: Any) -> Any:  # noqa: ANN401 - a YAML value is of any type
        """A value as it is after the way through JSON, which has one kind of number: 1e3 is read back as 1000."""
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._malformed("infinity and NaN are no JSON values")
            if value.is_integer() and abs(value) < 2**63:
                return int(value)
        return value

    def _malformed(self, problem: str) -> MalformedObject:
        path = ""
        for frame in self._frames:
            if isinstance(frame.value, list):
                path += f"[{len(frame.value)}]"
            elif frame.key is not None:
                path += f".{frame.key}" if path else frame.key
        return MalformedObject(problem, path, self._line())

    def _line(self) -> int | None:
        """The line that is being read."""
        mark = None if self._event is None else self._event.start_mark
        return None if mark is None else mark.line + 1


def _is_merge(event: yaml.ScalarEvent) -> bool:
    return event.value == "<<" and (event.tag == f"{_TAG}merge" or (event.tag is None and event.implicit[0]))


def _resolve(event: yaml.ScalarEvent) -> str | float | bool | None:
    """A scalar's value. Raises ValueError where an explicit tag and the text do not go together."""
    text, tag = event.value, event.tag
    if tag is None:
        return _plain(text) if event.implicit[0] else text
    if tag == f"{_TAG}binary":
        return _binary(text)
    wanted = tag.removeprefix(_TAG)
    if wanted == "timestamp" and not _TIMESTAMP.match(text):
        raise ValueError("not of the type !!timestamp")
    if wanted not in ("int", "float", "bool", "null"):
        return text  # a string, or a tag that means nothing here: go-yaml keeps the text
    value = _plain(text)
    found = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}[type(value)]
    if found != wanted and (found, wanted) != ("int", "float"):
        raise ValueError(f"not of the type !!{wanted}")
    return value


def _binary(text: str) -> str:
    try:
        return base64.b64decode(text.translate({10: None, 13: None}), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise ValueError("!!binary is not base64") from None


def _plain(text: str) -> str | float | bool | None:
    """A plain scalar by go-yaml v2's resolve: YAML 1.1 without base 60; timestamps stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or _TIMESTAMP.match(text):
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    if (match := _INTEGER.fullmatch(digits)) and len(digits) <= 66:  # 64 binary digits and their prefix
        number, base = next((g, b) for g, b in zip(match.groups()[1:], _BASES, strict=True) if g is not None)
        whole = int(number, base) * (-1 if match.group(1) == "-" else 1)
        if -(2**63) <= whole < 2**64:
            return whole
    if _FLOAT.fullmatch(digits) and math.isfinite(value := float(digits)):
        return value
    return text  # a number that no float holds stays text, too


def _float_key(value: float) -> str:
    """A number with a fraction as a key: the fewest digits that name the same float of 32 bits, as there."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else "-.inf" if value < 0 else ".inf"
    candidates = (f"{value:.{digits}g}" for digits in range(6, 9))
    return next((text for text in candidates if _single(float(text)) == _single(value)), f"{value:.9g}")


def _single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf
