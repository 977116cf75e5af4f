"""JSON as Go's encoding/json (version 1) reads it, for everything that the nodes' own programs read with it.

Registries, kubelets and container runtimes are Go programs, and a document is what they make of it. Go differs from
Python's json where it matters to somebody who wants to be misunderstood: keys match a field whatever their case (U+017F
and U+212A fold too), a repeated key merges into what the first one left, a lone surrogate and each byte that is not
UTF-8 become U+FFFD, a wrong type fails one field and goes on, null leaves a field as it is (and makes a pointer, slice
or map nil), more than 10,000 levels are refused, and so is NaN.

A Go struct is declared as a dataclass whose defaults are Go's zero values, and a `Struct` that names its fields:

    @dataclass(slots=True)
    class Entry:
        user: str = ""
        scopes: list[str] | None = None

    ENTRY = Struct(Entry, {"username": ("user", STRING), "scopes": ("scopes", Slice(STRING))})
    entry = decode(body, ENTRY)                # InvalidJSON, as json.Unmarshal returns an error
    entry, error = decode_rest(body, ENTRY)    # what json.Unmarshal leaves behind beside the error

Source: encoding/json of Go 1.26, decode.go and fold.go.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from webhook.core.jsontree import InvalidJSON, Node, Number, Object, Problem, clean, parse

T = TypeVar("T")
T_spec = TypeVar("T_spec")


@dataclass(slots=True)
class Reading:
    """One decoding under way: where it is, and the first error, which does not stop it."""

    path: list[str] = field(default_factory=list)
    error: InvalidJSON | None = None

    def save(self, problem: str, kind: Problem = "type") -> None:
        """Notes an error unless there is one already (decode.go, saveError)."""
        if self.error is None:
            self.error = InvalidJSON(problem, self.where(), kind)

    def wrong(self, node: Node, wanted: str) -> None:
        """Notes that a value has a type that its field cannot take."""
        self.save(f"{_kind(node)} where {wanted} belongs")

    def where(self) -> str:
        """The path to the field, such as `manifests[3].platform.os`."""
        return "".join(part if part.startswith("[") else f".{part}" for part in self.path).removeprefix(".")


def _kind(node: Node) -> str:
    if isinstance(node, Object):
        return "an object"
    if isinstance(node, list):
        return "an array"
    if isinstance(node, bool):
        return "a boolean"
    if isinstance(node, Number):
        return f"the number {node[:40]}"
    return "null" if node is None else "a string"


class Spec(Protocol[T_spec]):
    """A Go type: its zero value, and how a value in the text changes the one that is there."""

    def zero(self) -> T_spec:
        """The value where the text says nothing."""
        ...

    def read(self, node: Node, current: T_spec, reading: Reading) -> T_spec:
        """The new value. Type errors go to `reading`; InvalidJSON ends the decoding, as UnmarshalJSON's errors do."""
        ...


def decode_rest(text: bytes, spec: Spec[T]) -> tuple[T, InvalidJSON | None]:
    """What json.Unmarshal leaves in a variable, and the error that it returns (None: none)."""
    value = spec.zero()
    try:
        tree = parse(text)
    except InvalidJSON as error:
        return value, error
    return decode_node(tree, spec, value)


def decode_node(tree: Node, spec: Spec[T], value: T) -> tuple[T, InvalidJSON | None]:
    """The same from a tree, into a value that may hold something already."""
    reading = Reading()
    try:
        value = spec.read(tree, value, reading)
    except InvalidJSON as error:
        return value, error
    return value, reading.error


def decode(text: bytes, spec: Spec[T]) -> T:
    """Decodes. Raises InvalidJSON wherever json.Unmarshal returns an error."""
    value, error = decode_rest(text, spec)
    try:
        if error is not None:
            raise error
    finally:
        del error  # its trace holds this frame and the text, and would be held by it
    return value


class _String:
    def zero(self) -> str:
        return ""

    def read(self, node: Node, current: str, reading: Reading) -> str:
        if isinstance(node, str) and not isinstance(node, Number):
            return clean(node)
        if node is not None:
            reading.wrong(node, "a string")
        return current


class _Bool:
    def zero(self) -> bool:
        return False

    def read(self, node: Node, current: bool, reading: Reading) -> bool:  # noqa: FBT001  # the value itself
        if isinstance(node, bool):
            return node
        if node is not None:
            reading.wrong(node, "a boolean")
        return current


@dataclass(frozen=True, slots=True)
class Int:
    """A Go integer of so many bits; only literals without fraction and exponent fit (strconv.ParseInt, ParseUint)."""

    bits: int = 64
    signed: bool = True

    def zero(self) -> int:
        """0."""
        return 0

    def read(self, node: Node, current: int, reading: Reading) -> int:
        """The literal's value where it is in range."""
        if node is None:
            return current
        if isinstance(node, Number):
            value = self._value(node)
            if value is not None:
                return value
        reading.wrong(node, f"an integer of {self.bits} bits")
        return current

    def _value(self, literal: str) -> int | None:
        # No literal of JSON has leading zeros, so 20 digits are more than 64 bits; int() of a long one is slow.
        if len(literal) > 20 or not literal.removeprefix("-").isdigit() or (literal[0] == "-" and not self.signed):
            return None
        value = int(literal)
        low, high = (-1 << self.bits - 1, 1 << self.bits - 1) if self.signed else (0, 1 << self.bits)
        return value if low <= value < high else None


class _Bytes:
    """A Go []byte: base64 in a string, or an array of small numbers."""

    def zero(self) -> bytes | None:
        return None

    def read(self, node: Node, current: bytes | None, reading: Reading) -> bytes | None:
        if node is None:
            return None
        if isinstance(node, list):
            numbers: list[int] = []
            for index, item in enumerate(node):
                there = current[index] if current and index < len(current) else 0
                numbers.append(_BYTE.read(item, there, reading))
            return bytes(numbers)
        if not isinstance(node, str) or isinstance(node, Number):
            reading.wrong(node, "bytes")
            return current
        try:
            return base64_std(node)
        except ValueError:
            reading.save("illegal base64 data", "value")
            return current


def base64_std(text: str) -> bytes:
    """Go's base64.StdEncoding: line breaks are skipped, padding is needed and ends the text, stray bits are taken.

    Raises ValueError.
    """
    text = text.replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(text):
        raise ValueError("illegal base64 data")
    try:
        return base64.b64decode(text)
    except binascii.Error:
        raise ValueError("illegal base64 data") from None


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class _Anything:
    """A Go `any`: the tree as it stands; None for null. Only a number beyond a float64 is an error."""

    def zero(self) -> Node:
        return None

    def read(self, node: Node, current: Node, reading: Reading) -> Node:
        waiting: list[Node] = [node]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Number):
                if float(item) in {float("inf"), float("-inf")}:
                    reading.wrong(item, "a number of 64 bits")
                    if item is node:
                        return current
            elif isinstance(item, list):
                waiting += item
            elif isinstance(item, Object):
                waiting += [member for _, member in item]
        return node


STRING: Spec[str] = _String()
BOOL: Spec[bool] = _Bool()
BYTES: Spec[bytes | None] = _Bytes()
ANYTHING: Spec[Node] = _Anything()
_BYTE = Int(8, signed=False)


@dataclass(frozen=True, slots=True)
class Pointer(Generic[T]):
    """A Go pointer: None until something is there, and again after null."""

    to: Spec[T]

    def zero(self) -> T | None:
        """None."""
        return None

    def read(self, node: Node, current: T | None, reading: Reading) -> T | None:
        """A value of a wrong type leaves a pointer to what is there, or to a zero value."""
        if node is None:
            return None
        return self.to.read(node, self.to.zero() if current is None else current, reading)


class _Elements(list[T]):
    """A Go slice: behind its end lie elements of a longer one that was there before, which a later one grows over."""

    __slots__ = ("behind",)

    def __init__(self) -> None:
        super().__init__()
        self.behind: list[T] = []


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A Go slice. Not []byte, which is BYTES."""

    of: Spec[T]

    def zero(self) -> list[T] | None:
        """None (nil)."""
        return None

    def read(self, node: Node, current: list[T] | None, reading: Reading) -> list[T] | None:
        """A repeated key decodes into the elements of the first (decode.go, array)."""
        if node is None:
            return None
        if not isinstance(node, list):
            reading.wrong(node, "an array")
            return current
        values = current if isinstance(current, _Elements) and node else _Elements[T]()
        there = [*values, *values.behind]
        values.clear()
        of, path = self.of, reading.path
        for index, item in enumerate(node):
            path.append(f"[{index}]")
            values.append(of.read(item, there[index] if index < len(there) else of.zero(), reading))
            path.pop()
        values.behind = there[len(node) :]
        return values


@dataclass(frozen=True, slots=True)
class Map(Generic[T]):
    """A Go map with string keys; a repeated key replaces."""

    of: Spec[T]

    def zero(self) -> dict[str, T] | None:
        """None (nil)."""
        return None

    def read(self, node: Node, current: dict[str, T] | None, reading: Reading) -> dict[str, T] | None:
        """Members are added to what is there."""
        if node is None:
            return None
        if not isinstance(node, Object):
            reading.wrong(node, "an object")
            return current
        values = {} if current is None else current
        of, path = self.of, reading.path
        for key, item in node:
            name = clean(key)
            path.append(name)
            values[name] = of.read(item, of.zero(), reading)
            path.pop()
        return values


Field = tuple[str, Spec[Any]]
"""The attribute of a field and its type; what the type is stands in the dataclass, and the table must agree with it."""


class Struct(Generic[T]):
    """A Go struct: a dataclass and, by JSON name, the attribute and the type of each field."""

    def __init__(self, make: Callable[[], T], fields: Mapping[str, Field]) -> None:
        self.fields = dict(fields)
        self._make = make
        self._folded = {name.upper(): place for name, place in reversed([*fields.items()])}

    def zero(self) -> T:
        """A new one with its defaults."""
        return self._make()

    def read(self, node: Node, current: T, reading: Reading) -> T:
        """Changes the fields that the text names."""
        if not isinstance(node, Object):
            if node is not None:
                reading.wrong(node, "an object")
            return current
        exact, folded, path = self.fields, self._folded, reading.path
        for key, item in node:
            place = exact.get(key) or folded.get(fold(key))
            if place is not None:
                attribute, spec = place
                path.append(key)
                setattr(current, attribute, spec.read(item, getattr(current, attribute), reading))
                path.pop()
        return current


def fold(key: str) -> str:
    """A key as fields are compared: ASCII in upper case, and the two other characters that fold to ASCII (fold.go)."""
    if not key.isascii():
        key = key.replace("\u017f", "S").replace("\u212a", "K")
    return key.upper() if key.isascii() else key


@dataclass(frozen=True, slots=True)
class Custom(Generic[T]):
    """A type with its own UnmarshalJSON: `make` gives the zero value, `unmarshal` the new one.

    `unmarshal` is given null too, as Go does; what it raises (InvalidJSON, or another ValueError) ends the decoding.
    """

    make: Callable[[], T]
    unmarshal: Callable[[Node, T], T]

    def zero(self) -> T:
        """The value where the text says nothing."""
        return self.make()

    def read(self, node: Node, current: T, reading: Reading) -> T:
        """Calls `unmarshal`."""
        try:
            return self.unmarshal(node, current)
        except InvalidJSON as error:
            path = ".".join(part for part in (reading.where(), error.path) if part)
            raise InvalidJSON(error.problem, path, error.kind) from None
        except ValueError as error:
            raise InvalidJSON(str(error), reading.where(), "value") from None
