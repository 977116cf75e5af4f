"""JSON text to a tree that keeps what Go's encoding/json sees: repeated keys, their order, numbers as written.

The text goes through Python's C parser, which knows the same grammar; only documents nested deeper than that can take
are parsed here, without recursion. What the tree means for a Go type stands in gojson.py.

Source: encoding/json of Go 1.26, scanner.go and decode.go (unquoteBytes).
"""

import json
import re
from collections.abc import Mapping
from typing import Literal, NoReturn, Union

from webhook.core.errors import MalformedInput

MAX_DEPTH = 10_000
"""Levels of nesting that Go accepts (scanner.go, maxNestingDepth)."""

_SHALLOW = 100
"""Levels that are left to the C parser, which recurses: far below Python's own limit of 1,000 frames."""

Problem = Literal["syntax", "type", "value"]


class InvalidJSON(MalformedInput):
    """JSON that Go would not take. `kind`: `syntax` (json.SyntaxError), `type` (json.UnmarshalTypeError), `value` (an
    error of a value's own decoder: base64, a time)."""

    def __init__(self, problem: str, path: str = "", kind: Problem = "syntax") -> None:
        super().__init__(problem, path)
        self.kind: Problem = kind


class Number(str):
    """A number literal as it was written; what it is worth depends on the field it is for."""

    __slots__ = ()


class Object(tuple[tuple[str, "Node"], ...]):
    """A JSON object: its members in order, repeated keys included."""

    __slots__ = ()


Node = Union[None, bool, str, Number, Object, list["Node"]]  # noqa: UP007  # a forward reference takes no |


def parse(text: bytes) -> Node:
    """The tree of a JSON text. Raises InvalidJSON (`syntax`) where Go's scanner refuses it."""
    decoded = _utf8(text)
    try:
        if not _deep(decoded):
            tree: Node = _DECODER.decode(decoded)
            return tree
    except RecursionError:
        pass  # called from deep down the stack: there is less room than _SHALLOW expects
    except ValueError as error:  # JSONDecodeError, and what _refuse raises
        raise InvalidJSON(str(error)) from None
    try:
        return _parse_deep(decoded)
    except ValueError as error:
        raise InvalidJSON(str(error)) from None


def _utf8(text: bytes) -> str:
    """Decodes; every byte that is part of no UTF-8 sequence becomes one U+FFFD (unicode/utf8, DecodeRune)."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return _SURROGATE.sub("\ufffd", text.decode(errors="surrogateescape"))


def clean(text: str) -> str:
    """A string with its lone surrogates, which only escapes can make, replaced (decode.go, unquoteBytes)."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_SURROGATE = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(
    object_pairs_hook=Object, parse_float=Number, parse_int=Number, parse_constant=_refuse, strict=True
)

# A string that does not end runs to the end of the text, or each of its quotes would be tried as another beginning.
_NO_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[^"\[\]{}]++', re.DOTALL)


def _deep(text: str) -> bool:
    """Whether brackets may nest deeper than _SHALLOW. Real documents have half a dozen levels, and are done in as many
    rounds; a text whose brackets do not pair is for the other parser to refuse."""
    if text.count("[") + text.count("{") <= _SHALLOW:
        return False
    left = _NO_BRACKETS.sub("", text)
    for _ in range(_SHALLOW):
        if not left:
            return False
        before, left = len(left), left.replace("[]", "").replace("{}", "")
        if len(left) == before:
            break
    return bool(left)


_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, Node] = {"null": None, "true": True, "false": False}
_WORD = re.compile("null|true|false")


class _Open:
    """A container that has not ended: what it holds so far, and the key that waits for its value (None: an array)."""

    __slots__ = ("items", "key", "members")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.items: list[Node] = []
        self.members: list[tuple[str, Node]] = []

    def take(self, value: Node) -> None:
        if self.key is None:
            self.items.append(value)
        else:
            self.members.append((self.key, value))

    def close(self) -> Node:
        return self.items if self.key is None else Object(self.members)


def _parse_deep(text: str) -> Node:
    """The same grammar without recursion. Raises ValueError."""
    stack: list[_Open] = []
    place = _skip(text, 0)
    while True:
        if text[place : place + 1] in {"[", "{"}:
            if len(stack) >= MAX_DEPTH:
                raise ValueError(f"more than {MAX_DEPTH} levels")
            opened, place = _open(text, place)
            if isinstance(opened, _Open):
                stack.append(opened)
                continue
            value = opened
        else:
            value, place = _scalar(text, place)
        place = _skip(text, place)
        while stack:  # the value has ended: hand it up until a container goes on
            stack[-1].take(value)
            ended, place = _next(text, place, stack[-1])
            if not ended:
                break
            value = stack.pop().close()
        else:
            if place != len(text):
                raise ValueError(f"extra data at character {place}")
            return value


def _open(text: str, place: int) -> tuple[_Open | Node, int]:
    """A container that begins, before its first value; or an empty one whole."""
    array = text[place] == "["
    place = _skip(text, place + 1)
    if text[place : place + 1] == ("]" if array else "}"):
        return ([] if array else Object()), place + 1
    if array:
        return _Open(None), place
    key, place = _key(text, place)
    return _Open(key), place


def _next(text: str, place: int, container: _Open) -> tuple[bool, int]:
    """Whether the container ends after a value, and where the text goes on; where not, its next value begins there."""
    separator = text[place : place + 1]
    place = _skip(text, place + 1)
    if separator == ",":
        if container.key is not None:
            container.key, place = _key(text, place)
        return False, place
    if separator != ("]" if container.key is None else "}"):
        raise ValueError(f"expecting ',' or the end of a container at character {place}")
    return True, place


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _key(text: str, place: int) -> tuple[str, int]:
    """A key and the place where its value begins."""
    if text[place : place + 1] != '"':
        raise ValueError(f"expecting a key at character {place}")
    key, place = _string(text, place)
    place = _skip(text, place)
    if text[place : place + 1] != ":":
        raise ValueError(f"expecting ':' at character {place}")
    return key, _skip(text, place + 1)


def _string(text: str, place: int) -> tuple[str, int]:
    """The string that begins at a quote, and the place behind it."""
    # The standard library's own scanner; typeshed does not know that it is there.
    string, end = json.decoder.scanstring(text, place + 1, True)  # type: ignore[attr-defined]  # noqa: FBT003
    return str(string), int(end)


def _scalar(text: str, place: int) -> tuple[Node, int]:
    if text[place : place + 1] == '"':
        return _string(text, place)
    if match := _NUMBER.match(text, place):
        return Number(match.group()), match.end()
    if match := _WORD.match(text, place):
        return _WORDS[match.group()], match.end()
    raise ValueError(f"expecting a value at character {place}")
