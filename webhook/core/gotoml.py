"""TOML as github.com/pelletier/go-toml v2.4.3 parses it: the expressions of a document, in their order.

containerd reads hosts.toml with that library, twice: once for the tables in the order of the file, once for values.
The standard library's tomllib gives neither the order in which tables come back nor TOML 1.1 (inline tables over
several lines, `\\e`, `\\x41`), and it decodes values that Go leaves alone because nobody asked for them. So this module
parses and checks, and leaves every value as it is written until somebody wants it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from webhook.core.errors import MalformedSettings

Kind = Literal["string", "integer", "float", "bool", "datetime", "array", "inline table"]

_DEEPEST = 100
"""Nesting of arrays and inline tables. go-toml stops at 10,000; nothing that podgate reads needs more than two."""

_CONTROL = r"\x00-\x08\x0b-\x1f\x7f\ud800-\udfff"  # all but tab and line feed; a surrogate stands for bad UTF-8
_SPACE = re.compile(r"[ \t]*+")
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_COMMENT = re.compile(rf"#[^\n{_CONTROL}]*+")
_LITERAL = re.compile(rf"'([^'\n{_CONTROL}]*+)'")
_BASIC = re.compile(rf'"([^"\\\n{_CONTROL}]*+(?:\\.[^"\\\n{_CONTROL}]*+)*)"')
_LONG_LITERAL = re.compile(
    rf"'''(?:\r?\n)?([^'{_CONTROL}]*+(?:(?:\r\n|'{{1,2}}(?!'))[^'{_CONTROL}]*+)*)'''('{{0,2}})(?!')"
)
_LONG_BASIC = re.compile(
    rf'"""(?:\r?\n)?([^"\\{_CONTROL}]*+(?:(?:\r\n|\\(?s:.)|"{{1,2}}(?!"))[^"\\{_CONTROL}]*+)*)"""("{{0,2}})(?!")'
)
_ESCAPE = re.compile(
    r"\\(?:([\"\\bfnrte])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([ \t]*+\r?\n(?:[ \t\n]++|\r\n)*)|)"
)
_NAMED = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "e": "\x1b"}
_BOOL = re.compile(r"true|false")
_DATETIME = re.compile(r"(?=[0-9]{2}:|[0-9]{4}-)[0-9:+.ZzTt-]++(?: (?=[0-9])[0-9:+.ZzTt-]++)*")
_FLOAT = re.compile(
    r"[+-]?(?:inf|nan|(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
    r"|[eE][+-]?[0-9](?:_?[0-9])*))"
)
_INTEGER = re.compile(
    r"0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*|[+-]?(?:0|[1-9](?:_?[0-9])*)"
)
_SCALARS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("bool", _BOOL),
    ("datetime", _DATETIME),
    ("float", _FLOAT),
    ("integer", _INTEGER),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written. `text` is that of a scalar, a string's without quotes and escapes; `items` are the elements
    of an array, `pairs` the pairs of an inline table."""

    kind: Kind
    text: str = ""
    items: tuple["Value", ...] = ()
    pairs: tuple["Pair", ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """`key = value`, the key in its parts."""

    key: tuple[str, ...]
    value: Value


@dataclass(frozen=True, slots=True)
class Header:
    """`[key]`, or `[[key]]` where `array` is true."""

    key: tuple[str, ...]
    array: bool


Expression = Pair | Header


def parse_toml(text: str) -> tuple[Expression, ...]:
    """The expressions of a document, in their order. Raises MalformedSettings where go-toml gives an error, be it for
    the grammar or because a key is there twice."""
    reader = _Reader(text)
    seen = _Seen()
    expressions = []
    for expression in reader.expressions():
        try:
            seen.check(expression)
        except ValueError as error:
            raise MalformedSettings(str(error), reader.line()) from error
        expressions.append(expression)
    return tuple(expressions)


class _Reader:
    """The grammar, from the top: each method reads its piece at the current position and moves behind it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def line(self) -> str:
        """Where the reader stands, for people."""
        return f"line {self._text.count(chr(10), 0, self._at) + 1}"

    def expressions(self) -> Iterator[Expression]:
        """One for each line that is more than space and comment."""
        while self._skip_blank():
            expression = self._header() if self._text.startswith("[", self._at) else self._pair()
            self._skip(_SPACE)
            self._skip(_COMMENT)
            if self._at < len(self._text) and not self._newline():
                raise self._error("something follows where the line should end")
            yield expression

    def _header(self) -> Header:
        array = self._text.startswith("[[", self._at)
        self._at += 1 + array
        self._skip(_SPACE)
        key = self._key()
        self._expect("]]" if array else "]")
        return Header(key, array)

    def _pair(self) -> Pair:
        key = self._key()
        self._expect("=")
        self._skip(_SPACE)
        return Pair(key, self._value())

    def _key(self) -> tuple[str, ...]:
        """A dotted key and the space behind it."""
        parts = []
        while True:
            if self._text.startswith("'", self._at):
                parts.append(self._take(_LITERAL)[1])
            elif self._text.startswith('"', self._at):
                parts.append(self._unescape(self._take(_BASIC)[1]))
            else:
                parts.append(self._take(_BARE)[0])
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1
            self._skip(_SPACE)

    def _value(self) -> Value:
        text, at = self._text, self._at
        if text.startswith(("'", '"'), at):
            return Value("string", self._string())
        if text.startswith(("[", "{"), at):
            return self._container()
        for kind, pattern in _SCALARS:
            if match := pattern.match(text, at):
                self._at = match.end()
                return Value(kind, match[0])
        raise self._error("not a value")

    def _string(self) -> str:
        if self._text.startswith("'''", self._at):
            match = self._take(_LONG_LITERAL)
            return match[1] + match[2]
        if self._text.startswith('"""', self._at):
            match = self._take(_LONG_BASIC)
            return self._unescape(match[1], long=True) + match[2]
        if self._text.startswith("'", self._at):
            return self._take(_LITERAL)[1]
        return self._unescape(self._take(_BASIC)[1])

    def _container(self) -> Value:
        """An array or an inline table: both over as many lines as they like, a comma at the end allowed."""
        opening = self._text[self._at]
        closing = "]" if opening == "[" else "}"
        self._at += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"values are nested more than {_DEEPEST} deep")
        items: list[Value] = []
        pairs: list[Pair] = []
        comma = True
        while self._skip_blank() and not self._text.startswith(closing, self._at):
            if not comma:
                raise self._error(f"expected a comma or {closing}")
            if opening == "[":
                items.append(self._value())
            else:
                pairs.append(self._pair())
            self._skip_blank()
            comma = self._text.startswith(",", self._at)
            self._at += comma
        self._expect(closing)
        self._depth -= 1
        return Value("array", items=tuple(items)) if opening == "[" else Value("inline table", pairs=tuple(pairs))

    def _unescape(self, text: str, *, long: bool = False) -> str:
        """The escapes of a basic string undone; only a long one may break its lines by a backslash."""

        def undo(match: re.Match[str]) -> str:
            named, two, four, eight, line_break = match.groups()
            if named:
                return _NAMED[named]
            if line_break and long:
                return ""
            code = int(two or four or eight or "-1", 16)
            if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error("an escape that is none")
            return chr(code)

        return _ESCAPE.sub(undo, text) if "\\" in text else text

    def _skip_blank(self) -> bool:
        """Past space, comments and ends of lines; whether anything is left."""
        while True:
            self._skip(_SPACE)
            if self._skip(_COMMENT) and self._at < len(self._text) and self._text[self._at] not in "\r\n":
                raise self._error("a control character in a comment")
            if not self._newline():
                return self._at < len(self._text)

    def _newline(self) -> bool:
        for end in ("\n", "\r\n"):
            if self._text.startswith(end, self._at):
                self._at += len(end)
                return True
        return False

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match is not None

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._error("not a key, or a string that does not end or holds what it may not")
        self._at = match.end()
        return match

    def _expect(self, token: str) -> None:
        if not self._text.startswith(token, self._at):
            raise self._error(f"expected {token}")
        self._at += len(token)

    def _error(self, problem: str) -> MalformedSettings:
        return MalformedSettings(problem, self.line())


@dataclass(slots=True)
class _Entry:
    """A key that has been seen. A `dotted` table came about by a dotted key and grows by dotted keys alone; a `table`
    may get a header of its own once (`explicit`); a `value` is finished."""

    kind: Literal["value", "dotted", "table", "array"]
    explicit: bool = False
    children: dict[str, "_Entry"] = field(default_factory=dict)


class _Seen:
    """Which keys have been seen, and as what, so that none is defined twice (go-toml's SeenTracker)."""

    def __init__(self) -> None:
        self._root = self._current = _Entry("table")

    def check(self, expression: Expression) -> None:
        """Raises ValueError where the expression defines again what is there."""
        if isinstance(expression, Header):
            self._current = self._check_header(expression)
        else:
            self._check_pair(self._current, expression)

    def _check_header(self, header: Header) -> _Entry:
        *path, name = header.key
        parent = self._root
        for part in path:
            parent = parent.children.setdefault(part, _Entry("table"))
            if parent.kind == "value":
                raise ValueError(f"{part} is there already, as a value")
        kind: Literal["array", "table"] = "array" if header.array else "table"
        entry = parent.children.setdefault(name, _Entry(kind))
        if entry.kind != kind or entry.explicit:
            raise ValueError(f"{name} is there already")
        if header.array:
            entry.children.clear()  # each element starts afresh
        else:
            entry.explicit = True
        return entry

    def _check_pair(self, parent: _Entry, pair: Pair) -> None:
        *path, name = pair.key
        for part in path:
            parent = parent.children.setdefault(part, _Entry("dotted"))
            if parent.kind != "dotted":
                raise ValueError(f"{part} is there already")
        if name in parent.children:
            raise ValueError(f"{name} is there already")
        entry = parent.children[name] = _Entry("value")
        self._check_value(entry, pair.value)

    def _check_value(self, entry: _Entry, value: Value) -> None:
        for pair in value.pairs:
            self._check_pair(entry, pair)
        for item in value.items:
            self._check_value(_Entry("value"), item)
