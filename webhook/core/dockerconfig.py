"""Docker configurations: the content of .dockerconfigjson and .dockercfg as the kubelet reads it, and a config.json as
the docker command line does.

The kubelet knows user names and passwords alone; tokens and helper programs count in a configuration of podgate's own.

Errors name the place and what kind of thing is wrong, never a word of the content: it is all secret, the registries'
names included.

Source: k8s.io/kubernetes pkg/credentialprovider/config.go (DockerConfigJSON, DockerConfigEntry.UnmarshalJSON,
decodeDockerConfigFieldAuth); github.com/docker/cli cli/config/configfile/file.go and types/authconfig.go.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from webhook.core.errors import BadCredentials
from webhook.core.gojson import ANYTHING, STRING, Custom, Field, Map, Struct, base64_std, decode_node, decode_rest
from webhook.core.jsontree import InvalidJSON, Node, Problem


@dataclass(frozen=True, slots=True)
class Login:
    """One entry: a registry as the entry spells it, user name, password; bytes beyond UTF-8 are escaped (PEP 383).

    `identity_token` is what a token server gives tokens for (an OAuth2 refresh token), `registry_token` what the
    registry itself is shown; both empty in what the kubelet reads.
    """

    registry: str = field(repr=False)
    username: str = field(repr=False)
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """A config.json. `helpers`: names of helper programs by server, `store`: the one for all other servers, empty:
    none (docker-credential-NAME)."""

    logins: tuple[Login, ...] = field(default=(), repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""


@dataclass(slots=True)
class _Entry:
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


@dataclass(slots=True)
class _Document:
    auths: dict[str, _Entry] | None = field(default=None, repr=False)
    headers: dict[str, str] | None = field(default=None, repr=False)
    helpers: dict[str, str] | None = None
    store: str = ""


@dataclass(slots=True)
class _Loose:
    """A document whose entries have not been read."""

    auths: dict[str, Node] | None = field(default=None, repr=False)
    helpers: dict[str, str] | None = None
    store: str = ""


_FIELDS: Final = {name: (name, STRING) for name in ("username", "password", "email", "auth")}
_ENTRY: Final = Struct(_Entry, _FIELDS)
_DOCKER_ENTRY: Final = Struct(
    _Entry,
    {**_FIELDS, "identitytoken": ("identity_token", STRING), "registrytoken": ("registry_token", STRING)},
)


def _reader(form: Struct[_Entry]) -> Custom[_Entry]:
    """An entry of that form."""
    return Custom(_Entry, lambda node, _: _read_entry(node, form))


def _read_entry(node: Node, form: Struct[_Entry]) -> _Entry:
    """`auth` wins over the fields, and is read even where nothing else of it is wanted. Raises ValueError."""
    entry, error = decode_node(node, form, _Entry())
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


_HELPERS: Final[Mapping[str, Field]] = {"credsStore": ("store", STRING), "credHelpers": ("helpers", Map(STRING))}
_ENTRIES: Final[Map[_Entry]] = Map(_reader(_ENTRY))
_DOCUMENT: Final = Struct(_Document, {"auths": ("auths", _ENTRIES), "HttpHeaders": ("headers", Map(STRING))})
_DOCKER_DOCUMENT: Final = Struct(
    _Document,
    {
        "auths": ("auths", Map(_reader(_DOCKER_ENTRY))),
        "HttpHeaders": ("headers", Map(STRING)),
        **_HELPERS,
    },
)
_LOOSE_DOCUMENT: Final = Struct(_Loose, {"auths": ("auths", Map(ANYTHING)), **_HELPERS})
_PROBLEMS: Final[Mapping[Problem, str]] = {
    "syntax": "it is not JSON",
    "type": "a field has a wrong type",
    "value": "an auth field is not the base64 of user:password",
}


_UNSPEAKABLE: Final = "a registrytoken that no header can carry"


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


def read_docker_config(text: bytes, where: str) -> DockerConfig:
    """A config.json with tokens and helpers. Raises BadCredentials.

    Entries that say nothing are left out: docker writes them beside a credential store, to know where it has logged in.
    """
    document, error = decode_rest(text, _DOCKER_DOCUMENT)
    entries = list(_sorted(document.auths, error, where))
    if any(map(_unspeakable, (entry for _, entry in entries))):
        raise BadCredentials(_UNSPEAKABLE, where)
    return DockerConfig(_docker_logins(entries), document.helpers or {}, document.store)


def read_users_config(text: bytes, where: str) -> tuple[DockerConfig, tuple[str, ...]]:
    """A user's config.json, and a line for each entry that cannot be read: those do not count, and the others do.

    docker warns and goes on with what it has read until then, which is another part each time, since Go's maps have no
    order. An empty file is none (configfile/file.go, LoadFromReader).

    Raises BadCredentials where all of it cannot be read.
    """
    if not text.strip():
        return DockerConfig(), ()
    document, error = decode_rest(text, _LOOSE_DOCUMENT)
    if error is not None:
        raise BadCredentials(_PROBLEMS[error.kind], where)
    entries: list[tuple[str, _Entry]] = []
    doubts: list[str] = []
    for number, (name, node) in enumerate((document.auths or {}).items(), start=1):
        try:
            entry = _read_entry(node, _DOCKER_ENTRY)
        except ValueError as wrong:
            problem = _PROBLEMS[wrong.kind if isinstance(wrong, InvalidJSON) else "value"]
        else:
            problem = _UNSPEAKABLE if _unspeakable(entry) else ""
        if problem:
            doubts.append(f"{where}: entry {number} of auths does not count: {problem}")
        else:
            entries.append((name, entry))
    logins = _docker_logins(sorted(entries, key=itemgetter(0)))
    return DockerConfig(logins, document.helpers or {}, document.store), tuple(doubts)


def _docker_logins(entries: Iterable[tuple[str, _Entry]]) -> tuple[Login, ...]:
    return tuple(
        Login(name, entry.username, entry.password.strip("\0"), entry.identity_token, entry.registry_token)
        for name, entry in entries
        if entry.username or entry.password or entry.identity_token or entry.registry_token
    )


def _unspeakable(entry: _Entry) -> bool:
    return re.search(r"[^!-~]", entry.registry_token) is not None


def _logins(entries: Mapping[str, _Entry] | None, error: InvalidJSON | None, where: str) -> tuple[Login, ...]:
    return tuple(Login(name, entry.username, entry.password) for name, entry in _sorted(entries, error, where))


def _sorted(
    entries: Mapping[str, _Entry] | None, error: InvalidJSON | None, where: str
) -> Iterator[tuple[str, _Entry]]:
    """One bad entry spoils them all. The error is a new one: that of the JSON knows the content."""
    if error is not None:
        raise BadCredentials(_PROBLEMS[error.kind], where)
    return iter(sorted((entries or {}).items()))
