"""One hosts.toml, decoded as containerd's core/remotes/docker/config (v2.4.2) decodes it with go-toml.

The rules are those of a Go struct: a field is found whatever its case, an unknown one is passed over with all that is
in it, a wrong type makes the file malformed. `ca`, `client` and `header` take any type and are judged later, so a wrong
one counts only for a host that is in the list of hosts. That list has the tables `[host."..."]` in the order of the
file, and a host again where its subtable stands after another host's.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhook.core.errors import MalformedSettings
from webhook.core.gotext import INT64_MAX, to_lower
from webhook.core.gotoml import Header, Value, parse_toml


class _Other:
    """A value of a type that nothing here takes: a number, a date, a table."""


OTHER: Final = _Other()
Anything = str | bool | list["Anything"] | _Other


@dataclass(slots=True)
class Section:
    """The settings of one host, or of the registry itself at the top of the file. None: not written."""

    capabilities: list[str] = field(default_factory=list)
    ca: Anything | None = None
    client: Anything | None = None
    skip_verify: bool | None = None
    header: dict[str, Anything] | None = None
    override_path: bool = False
    dial_timeout: str = ""


@dataclass(slots=True)
class HostsFile:
    """A decoded file: `order` names the hosts to try, perhaps one more than once, and perhaps one without section."""

    server: str = ""
    root: Section = field(default_factory=Section)
    hosts: dict[str, Section] = field(default_factory=dict)
    order: tuple[str, ...] = ()


def read_hosts_file(text: str) -> HostsFile:
    """Raises MalformedSettings where containerd logs that the file does not decode."""
    expressions = parse_toml(text)
    file = HostsFile(order=_order([entry for entry in expressions if isinstance(entry, Header)]))
    store: _Store = _RootStore(file)
    for expression in expressions:
        if isinstance(expression, Header):
            store = _RootStore(file).table(expression.key, array=expression.array)
        else:
            store.assign(expression.key, expression.value)
    return file


def _order(headers: list[Header]) -> tuple[str, ...]:
    """containerd's getSortedHosts: it remembers the last host alone, so a subtable further down lists its host anew."""
    order: list[str] = []
    last = ""  # so a host without a name is left out where it comes first
    for header in headers:
        if not header.array and len(header.key) > 1 and header.key[0] == "host" and header.key[1] != last:
            last = header.key[1]
            order.append(last)
    return tuple(order)


class _Store:
    """Where the pairs under a header go; this one passes them over unread, as for a table that nobody knows."""

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        """Take `key = value`."""

    def table(self, key: tuple[str, ...], *, array: bool) -> "_Store":
        """Where the pairs of the table `key` below this one go."""
        del key, array
        return self


class _SectionStore(_Store):
    def __init__(self, section: Section) -> None:
        self._section = section

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        name, rest = to_lower(key[0]), key[1:]
        section = self._section
        if name in {"ca", "client"}:
            decoded = _anything(value)
            setattr(section, name, OTHER if rest else decoded)
        elif name == "header":
            if not rest:
                section.header = {}
            self._headers().inline(rest, value)
        elif name in _SCALAR_FIELDS:
            setattr(section, name, _SCALAR_FIELDS[name](value, rest))

    def table(self, key: tuple[str, ...], *, array: bool) -> _Store:
        name, rest = to_lower(key[0]), key[1:]
        if name in _SCALAR_FIELDS:
            raise MalformedSettings("a table where a value belongs", name)
        if name in {"ca", "client"}:
            setattr(self._section, name, OTHER)
            return _AnythingStore()
        if name == "header":
            return self._headers().table(rest, array=array)
        return _Store()

    def _headers(self) -> "_HeaderStore":
        if self._section.header is None:
            self._section.header = {}
        return _HeaderStore(self._section.header)


class _MapStore(_Store, ABC):
    """A table whose keys are names and not fields."""

    def inline(self, key: tuple[str, ...], value: Value) -> None:
        """Take a pair under the key that leads to this table, or a whole inline table for it."""
        if key:
            self.assign(key, value)
            return
        if value.kind != "inline table":
            raise MalformedSettings(f"a table is wanted, not: {value.kind}")
        for pair in value.pairs:
            self.assign(pair.key, pair.value)

    def table(self, key: tuple[str, ...], *, array: bool) -> _Store:
        if not key:
            if array:
                raise MalformedSettings("an array of tables where one table belongs")
            return self
        return self.below(key, array=array)

    @abstractmethod
    def below(self, key: tuple[str, ...], *, array: bool) -> _Store:
        """Where the pairs of a named table in this one go."""


class _HeaderStore(_MapStore):
    def __init__(self, header: dict[str, Anything]) -> None:
        self._header = header

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        decoded = _anything(value)
        self._header[key[0]] = decoded if len(key) == 1 else OTHER

    def below(self, key: tuple[str, ...], *, array: bool) -> _Store:
        del array
        self._header[key[0]] = OTHER
        return _AnythingStore()


class _HostsStore(_MapStore):
    def __init__(self, hosts: dict[str, Section]) -> None:
        self._hosts = hosts

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        store = self._section(key[0])
        if len(key) > 1:
            store.assign(key[1:], value)
            return
        if value.kind != "inline table":
            raise MalformedSettings(f"a table is wanted, not: {value.kind}", key[0])
        for pair in value.pairs:
            store.assign(pair.key, pair.value)

    def below(self, key: tuple[str, ...], *, array: bool) -> _Store:
        store = self._section(key[0])
        if len(key) > 1:
            return store.table(key[1:], array=array)
        if array:
            raise MalformedSettings("an array of tables where one table belongs", key[0])
        return store

    def _section(self, name: str) -> _SectionStore:
        return _SectionStore(self._hosts.setdefault(name, Section()))


class _RootStore(_SectionStore):
    """The top of the file: a section, and beside it `server` and the table of hosts."""

    def __init__(self, file: HostsFile) -> None:
        super().__init__(file.root)
        self._file = file

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        name = to_lower(key[0])
        if name == "server":
            self._file.server = _string(value, key[1:])
        elif name == "host":
            if len(key) == 1:
                self._file.hosts.clear()  # an inline table replaces what it is assigned to
            _HostsStore(self._file.hosts).inline(key[1:], value)
        else:
            super().assign(key, value)

    def table(self, key: tuple[str, ...], *, array: bool) -> _Store:
        name = to_lower(key[0])
        if name == "server":
            raise MalformedSettings("a table where a value belongs", name)
        if name == "host":
            return _HostsStore(self._file.hosts).table(key[1:], array=array)
        return super().table(key, array=array)


class _AnythingStore(_Store):
    """A table in a field of any type: nothing of it is used, but Go reads it, and a bad number is an error."""

    def assign(self, key: tuple[str, ...], value: Value) -> None:
        del key
        _anything(value)


def _string(value: Value, rest: tuple[str, ...]) -> str:
    if rest or value.kind != "string":
        raise MalformedSettings(f"a string is wanted, not: {value.kind}")
    return value.text


def _bool(value: Value, rest: tuple[str, ...]) -> bool:
    if rest or value.kind != "bool":
        raise MalformedSettings(f"true or false is wanted, not: {value.kind}")
    return value.text == "true"


def _strings(value: Value, rest: tuple[str, ...]) -> list[str]:
    if rest or value.kind != "array":
        raise MalformedSettings(f"a list of strings is wanted, not: {value.kind}")
    return [_string(item, ()) for item in value.items]


_SCALAR_FIELDS: dict[str, Callable[[Value, tuple[str, ...]], object]] = {
    "capabilities": _strings,
    "skip_verify": _bool,
    "override_path": _bool,
    "dial_timeout": _string,
}


def _anything(value: Value) -> Anything:
    """A value for a field of any type. Raises MalformedSettings for a number or date that Go cannot hold."""
    match value.kind:
        case "string":
            return value.text
        case "bool":
            return value.text == "true"
        case "array":
            return [_anything(item) for item in value.items]
        case "inline table":
            for pair in value.pairs:
                _anything(pair.value)
        case "integer":
            _check_integer(value.text)
        case "float":
            if math.isinf(float(value.text.replace("_", ""))) and "inf" not in value.text:
                raise MalformedSettings("the number is too large")
        case "datetime":
            _check_datetime(value.text)
    return OTHER


def _check_integer(text: str) -> None:
    digits = text.replace("_", "")
    radix = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    significant = digits.lstrip("+-") if radix == 10 else digits[2:]
    too_long = len(significant.lstrip("0")) > 64  # int() refuses very long texts in base 10
    if too_long or not -INT64_MAX - 1 <= int(digits[:1] * digits.startswith("-") + significant, radix) <= INT64_MAX:
        raise MalformedSettings("the number does not fit in 64 bits")


_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_ZONE = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_MOMENT = re.compile(rf"{_TIME}|{_DATE}(?:[Tt ]{_TIME}{_ZONE}?)?")


def _check_datetime(text: str) -> None:
    """TOML 1.1: seconds may be left out."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise MalformedSettings("not a date or time")
    if match[1] is None:
        return
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = {2: 28 + leap, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
    if not (1 <= month <= 12 and 1 <= day <= longest):
        raise MalformedSettings("no such day")
