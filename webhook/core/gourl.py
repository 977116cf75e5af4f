"""URLs as Go's net/url reads and writes them, and paths as Go's path cleans them.

containerd reads the endpoints of a hosts.toml with url.Parse and path.Clean, and both differ from urllib.parse and
posixpath where it counts: what may stand in a host or port, what counts as a scheme, what is unescaped into the path
and how it is escaped again. Go's strings are bytes; here an escape that gives no UTF-8 becomes lone surrogates, as
with the error handler `surrogateescape`. Source: Go 1.26, net/url and path.
"""

import re
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

Part = Literal["path", "host", "zone", "user", "fragment"]
"""The part of a URL that is escaped or unescaped: each lets other characters stand for themselves."""

_UNRESERVED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
_HOST = frozenset((_UNRESERVED + "!$&'()*+,;=:[]<>\"").encode())
_PLAIN: dict[Part, frozenset[int]] = {
    "path": frozenset((_UNRESERVED + "$&+,/:;=@").encode()),
    "host": _HOST,
    "zone": _HOST,
    "user": frozenset((_UNRESERVED + "$&+,;=").encode()),
    "fragment": frozenset((_UNRESERVED + "$&+,/:;=?@!()*").encode()),
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+)?:")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_PORT = re.compile(r"(?::[0-9]*+)?")
_USERINFO = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*+")
_VALID_ENCODED: dict[Part, frozenset[int]] = {part: plain | set(b"!$&'()*+,;=:@[]%") for part, plain in _PLAIN.items()}


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL, with the fields of Go's url.URL. `host` has its port; `path` and `fragment` are unescaped, their
    raw forms kept only where escaping again would not give them; `user` is None where there is no "@", and a secret."""

    scheme: str = ""
    opaque: str = ""
    user: tuple[str, str | None] | None = field(default=None, repr=False)
    host: str = ""
    path: str = ""
    raw_path: str = ""
    omit_host: bool = False
    query: str = field(default="", repr=False)  # signed URLs are secrets
    force_query: bool = False
    fragment: str = ""
    raw_fragment: str = ""

    def __str__(self) -> str:
        """The URL written out (URL.String): not always what was parsed, but never less escaped than it must be."""
        start = self.scheme + ":" if self.scheme else ""
        if self.opaque:
            start += self.opaque
        else:
            start += self._authority()
            path = _escaped_again(self.path, self.raw_path, "path")
            if path and path[0] != "/" and self.host:
                start += "/"
            if not start and ":" in path.partition("/")[0]:
                start = "./"  # or the first segment would read as a scheme
            start += path
        if self.force_query or self.query:
            start += "?" + self.query
        if self.fragment:
            start += "#" + _escaped_again(self.fragment, self.raw_fragment, "fragment")
        return start

    def _authority(self) -> str:
        if not (self.scheme or self.host or self.user) or (self.omit_host and not self.host and self.user is None):
            return ""
        text = "//" if self.host or self.path or self.user is not None else ""
        if self.user is not None:
            name, password = self.user
            text += escape(name, "user") + ("" if password is None else ":" + escape(password, "user")) + "@"
        return text + escape(self.host, "host")


def parse_url(text: str) -> Url:
    """A URL or a relative reference (url.Parse). Raises ValueError where Go gives an error."""
    before, _, fragment = text.partition("#")
    if _CONTROL.search(before):
        raise ValueError("invalid control character in URL")
    raw_fragment = _raw_where_needed(fragment, "fragment")
    plain = Url(fragment=unescape(fragment, "fragment"), raw_fragment=raw_fragment)
    if before == "*":
        return replace(plain, path="*")
    scheme, rest = _split_scheme(before)
    force_query = rest.endswith("?") and rest.count("?") == 1
    rest, _, query = rest.partition("?")
    plain = replace(plain, scheme=scheme, query=query, force_query=force_query)
    if not rest.startswith("/"):
        if scheme:
            return replace(plain, opaque=rest)
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    user, host, omit_host = None, "", False
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        user, host = _parse_authority(scheme, authority)
    elif scheme and rest.startswith("/"):
        omit_host = True
    return replace(
        plain,
        user=user,
        host=host,
        omit_host=omit_host,
        path=unescape(rest, "path"),
        raw_path=_raw_where_needed(rest, "path"),
    )


def escape(text: str, part: Part) -> str:
    """Everything that the part does not allow as %XX, in capitals."""
    plain = _PLAIN[part]
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in _encode(text))


def unescape(text: str, part: Part) -> str:
    """%XX undone. Raises ValueError for a broken escape and, in a host, for what may not be escaped or stand there."""
    data = _encode(text)
    strict = part in {"host", "zone"}
    if strict and any(byte < 0x80 and byte not in _HOST and byte != 0x25 for byte in data):
        raise ValueError("invalid character in host name")
    if b"%" not in data:
        return text

    def undo(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            raise ValueError("invalid URL escape")
        value = int(match[1], 16)
        if part == "host" and value < 0x80 and value != 0x25:
            raise ValueError("an ASCII character may not be escaped in a host")
        if part == "zone" and value not in {0x20, 0x25} and value not in _HOST:
            raise ValueError("this character may not be escaped in a zone")
        return bytes([value])

    return _decode(_ESCAPE.sub(undo, data))


def clean_path(path: str) -> str:
    """The shortest path that means the same by its text alone (path.Clean): "." for nothing, one slash for many, no
    dots; unlike posixpath.normpath, two leading slashes are one."""
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts and parts[-1] != "..":
                parts.pop()
            elif not rooted:
                parts.append("..")
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) if rooted else "/".join(parts) or "."


def split_host_port(text: str) -> tuple[str, str] | None:
    """Host without brackets, and port (net.SplitHostPort); None where Go gives an error, a missing port among them."""
    head, colon, port = text.rpartition(":")
    if not colon:
        return None
    if text.startswith("["):
        inner, bracket, after = text[1:].partition("]")
        well_formed = bracket and after == ":" + port and not set(port) & set("[]") and "[" not in inner
        return (inner, port) if well_formed else None
    return None if set(head) & set(":[]") or set(port) & set("[]") else (head, port)


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.match(text)
    if match is None:
        return "", text
    if match[1] is None:
        raise ValueError("missing protocol scheme")
    return match[1].lower(), text[match.end() :]


def _parse_authority(scheme: str, authority: str) -> tuple[tuple[str, str | None] | None, str]:
    userinfo, at, host = authority.rpartition("@")
    host = _parse_host(scheme, host)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise ValueError("invalid userinfo")
    name, colon, password = userinfo.partition(":")
    return (unescape(name, "user"), unescape(password, "user") if colon else None), host


def _parse_host(scheme: str, host: str) -> str:
    """Host and port, the host unescaped. Only an IPv6 address may be in brackets; a port has digits alone."""
    bracket = host.rfind("[")
    if bracket > 0:
        raise ValueError("invalid IP-literal")
    if bracket == 0:
        literal, closing, port = host[1:].rpartition("]")
        if not closing:
            raise ValueError("missing ']' in host")
        _check_port(port)
        return f"[{_parse_literal(literal)}]{port}"
    colon = host.find(":") if scheme in {"http", "https"} else host.rfind(":")
    if colon >= 0:
        _check_port(host[colon:])
    return unescape(host, "host")


def _parse_literal(literal: str) -> str:
    """An IPv6 address with or without a zone; the zone stands behind %25."""
    zone_at = literal.find("%25")
    if zone_at < 0:
        text = unescape(literal, "host")
    else:
        text = unescape(literal[:zone_at], "host") + unescape(literal[zone_at:], "zone")
    address, percent, zone = text.partition("%")
    if percent and not zone:
        raise ValueError("the zone of an IPv6 address is empty")
    try:
        IPv6Address(address)
    except AddressValueError as error:
        raise ValueError("invalid host: not an IPv6 address") from error
    return text


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise ValueError("invalid port after host")


def _raw_where_needed(text: str, part: Part) -> str:
    return "" if escape(unescape(text, part), part) == text else text


def _escaped_again(text: str, raw: str, part: Part) -> str:
    """The raw form where it is a way to write the text, else a fresh one (EscapedPath, EscapedFragment)."""
    if raw and all(byte in _VALID_ENCODED[part] for byte in _encode(raw)) and unescape(raw, part) == text:
        return raw
    return "*" if part == "path" and text == "*" else escape(text, part)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
