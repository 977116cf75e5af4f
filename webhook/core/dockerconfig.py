"""Docker configurations, as the kubelet reads them: the content of .dockerconfigjson and .dockercfg.

Errors name the place and what kind of thing is wrong, never a word of the content: it is all secret, the registries'
names included.

Source: k8s.io/kubernetes pkg/credentialprovider/config.go (DockerConfigJSON, DockerConfigEntry.UnmarshalJSON,
decodeDockerConfigFieldAuth).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from webhook.core.errors import BadCredentials
from webhook.core.gojson import STRING, Custom, Map, Struct, base64_std, decode_node, decode_rest
from webhook.core.jsontree import InvalidJSON, Node, Problem


@dataclass(frozen=True, slots=True)
class Login:
    """One entry: a registry as the entry spells it, user name, password; bytes beyond UTF-8 are escaped (PEP 383)."""

    registry: str = field(repr=False)
    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(slots=True)
class _Entry:
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)


@dataclass(slots=True)
class _Document:
    auths: dict[str, _Entry] | None = field(default=None, repr=False)
    headers: dict[str, str] | None = field(default=None, repr=False)


_ENTRY: Final = Struct(
    _Entry,
    {name: (name, STRING) for name in ("username", "password", "email", "auth")},
)


def _read_entry(node: Node, _: _Entry) -> _Entry:
    """What the entry says; `auth` wins over the fields, and is read even where nothing else of it is wanted."""
    entry, error = decode_node(node, _ENTRY, _Entry())
    if error is not None:
        raise error
    if entry.auth:
        entry.username, entry.password = _decode_auth(entry.auth)
    return entry


def _decode_auth(text: str) -> tuple[str, str]:
    """User name and password of base64(username:password). Raises ValueError.

    Padding decides the alphabet: with it, it must be right; without it, there must be none at all.
    """
    text = text.replace("\r", "").replace("\n", "")  # Go's decoder skips line breaks wherever they stand
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    username, colon, password = base64_std(text).decode("utf-8", "surrogateescape").partition(":")
    if not colon:
        raise ValueError("no colon")
    return username, password


_ENTRIES: Final[Map[_Entry]] = Map(Custom(_Entry, _read_entry))
_DOCUMENT: Final = Struct(_Document, {"auths": ("auths", _ENTRIES), "HttpHeaders": ("headers", Map(STRING))})
_PROBLEMS: Final[Mapping[Problem, str]] = {
    "syntax": "it is not JSON",
    "type": "a field has a wrong type",
    "value": "an auth field is not the base64 of user:password",
}


def read_dockerconfigjson(text: bytes, where: str) -> tuple[Login, ...]:
    """The entries below `auths`, sorted by registry. Raises BadCredentials with `where` as its path.

    HttpHeaders are read only to be refused where they are malformed; whatever else there is, is ignored.
    """
    document, error = decode_rest(text, _DOCUMENT)
    return _logins(document.auths, error, where)


def read_dockercfg(text: bytes, where: str) -> tuple[Login, ...]:
    """The same of the older form, which is the entries alone."""
    entries, error = decode_rest(text, _ENTRIES)
    return _logins(entries, error, where)


def _logins(entries: Mapping[str, _Entry] | None, error: InvalidJSON | None, where: str) -> tuple[Login, ...]:
    """One bad entry spoils them all. The error is a new one: that of the JSON knows the content."""
    if error is not None:
        raise BadCredentials(_PROBLEMS[error.kind], where)
    found = entries or {}
    return tuple(Login(name, found[name].username, found[name].password) for name in sorted(found))
