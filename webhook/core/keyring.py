"""The kubelet's keyring: which credentials of which pull secrets are tried for an image, and in what order.

What a node would try decides whether it can pull, so every quirk counts: keys lose their scheme and a leading /v1 or
/v2, paths are compared by plain prefix, a star stands within one label of the host, and keys are tried in reverse order
of their text, which puts longer paths first and stars last.

Texts are str. A base64 `auth` may hold bytes that are not UTF-8: they are kept by surrogateescape (PEP 383), so that
`Credential.basic` is exact. JSON strings cannot hold such bytes: Go reads them as U+FFFD.

Source: k8s.io/kubernetes pkg/credentialprovider, keyring.go (Add, Lookup, URLsMatch), config.go
(DockerConfigEntry.UnmarshalJSON), secrets/secrets.go (MakeDockerKeyring).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.core.dockerconfig import Login, read_docker_config, read_dockercfg, read_dockerconfigjson
from webhook.core.goglob import glob_matches
from webhook.core.gourl import parse_url, split_host_port

# A secret's type, and the key whose content counts: with any other type a secret has no credentials.
_FORMS: Final = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson", read_dockerconfigjson),
    "kubernetes.io/dockercfg": (".dockercfg", read_dockercfg),
}
_DEFAULT_REGISTRY: Final = "index.docker.io"


@dataclass(frozen=True, slots=True)
class PullSecret:
    """A Secret as far as pulling goes. `data` is the decoded content of the one key that its type makes count."""

    namespace: str
    name: str
    type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """A way to log in to a registry. `source` names where it came from (a secret's name), never its content.

    An entry without a user name is a credential too: the kubelet offers it to the runtime, and does not go on to pull
    anonymously by itself. The tokens (see dockerconfig.Login) are only in credentials of podgate's own.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str = ""
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """base64(username:password), as an Authorization header of the scheme Basic has it. A secret."""
        return base64.b64encode(_octets(f"{self.username}:{self.password}")).decode("ascii")

    @property
    def nobody(self) -> bool:
        """Whether it names nobody, neither a user nor a token."""
        return not (self.username or self.identity_token or self.registry_token)

    @property
    def anonymous(self) -> bool:
        """Whether containerd pulls anonymously with it: it goes by the user name (CRI, ParseAuth) and logs in only with
        a password (authorizer.go, doBearerAuth)."""
        return not (self.username and self.password) and not self.identity_token and not self.registry_token

    def key(self, secret_salt: bytes) -> str:
        """What caches know the credential by: HMAC-SHA256 under a salt that the process made up, in hexadecimal.

        Equal where user name, password and tokens are, wherever they came from. The length in front of each keeps a:bc
        from being ab:c.
        """
        parts = map(_octets, (self.username, self.password, self.identity_token, self.registry_token))
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.new(secret_salt, text, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where credentials count, or what they are wanted for: the labels of a host, its port, a path."""

    labels: tuple[str, ...]
    port: str
    path: str

    def covers(self, target: "_Place") -> bool:
        """keyring.go, URLsMatch; the labels of the place may be patterns."""
        return (
            self.port == target.port
            and len(self.labels) == len(target.labels)
            and target.path.startswith(self.path)
            and all(map(glob_matches, self.labels, target.labels))
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """All credentials of one key. `place` None: the key is no URL, and only the default registry can mean it."""

    key: str
    place: _Place | None
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class Keyring:
    """Credentials by key, in the order in which keys are tried."""

    _entries: tuple[_Entry, ...] = field(default=(), repr=False)

    @classmethod
    def from_secrets(cls, secrets: Sequence[PullSecret]) -> "Keyring":
        """The keyring of a pod's pull secrets, in the pod's order.

        Secrets of other types, and empty ones, are passed over. Entries of one secret go in sorted by key, where the
        kubelet has the order of a Go map. Raises BadCredentials for the first secret that cannot be read: one bad entry
        stops the pull, whatever image it is for.
        """
        logins: list[tuple[Login, str]] = []
        for secret in secrets:
            if secret.type in _FORMS and secret.data:
                data_key, read = _FORMS[secret.type]
                source = f"{secret.namespace}/{secret.name}"
                logins += [(login, source) for login in read(secret.data, f"secret {source}, key {data_key}")]
        return cls(_indexed(logins))

    @classmethod
    def from_docker_config(cls, text: bytes, source: str) -> "Keyring":
        """The keyring of a docker configuration (config.json) of podgate's own, tokens included, helpers not.

        `source` names the file in errors and credentials. Raises BadCredentials.
        """
        return cls.from_logins((login, source) for login in read_docker_config(text, source).logins)

    @classmethod
    def from_logins(cls, logins: Iterable[tuple[Login, str]]) -> "Keyring":
        """The keyring of logins that came from elsewhere, each with its source. What is no URL is left out."""
        return cls(_indexed(logins))

    def lookup(self, repository_name: str) -> tuple[Credential, ...]:
        """The credentials to try for a repository, in order; empty: the pull is anonymous.

        repository_name: the normalised name without tag and digest, such as docker.io/library/nginx. Entries for
        index.docker.io count for Docker Hub's images only where no key matches.
        """
        target = _place(repository_name)
        if target is not None:
            matching = [entry for entry in self._entries if entry.place is not None and entry.place.covers(target)]
            if matching:
                return tuple(credential for entry in matching for credential in entry.credentials)
        if _on_default_registry(repository_name):
            return next((entry.credentials for entry in self._entries if entry.key == _DEFAULT_REGISTRY), ())
        return ()


def is_pattern(text: str) -> bool:
    """Whether a text can say which images something is for: a host, whose labels may be globs, with port and path."""
    return _place(text) is not None


def pattern_matches(pattern: str, repository_name: str) -> bool:
    """Whether a pattern, such as *.reg.example/team, covers a repository (keyring.go, URLsMatchStr). Raises nothing."""
    place, target = _place(pattern), _place(repository_name)
    return place is not None and target is not None and place.covers(target)


def _indexed(logins: Iterable[tuple[Login, str]]) -> tuple[_Entry, ...]:
    """keyring.go, Add: entries whose name is no URL are dropped; the others fall on their key."""
    by_key: dict[str, list[Credential]] = {}
    for login, source in logins:
        key = _key(login.registry)
        if key is not None:
            by_key.setdefault(key, []).append(
                Credential(login.username, login.password, source, login.identity_token, login.registry_token)
            )
    return tuple(_Entry(key, _place(key), tuple(by_key[key])) for key in _reversed(by_key))


def _reversed(by_key: Mapping[str, object]) -> list[str]:
    return sorted(by_key, key=_octets, reverse=True)


def _key(registry: str) -> str | None:
    """An entry's name without scheme and API version; None where it is no URL."""
    if not registry.startswith(("https://", "http://")):
        registry = f"https://{registry}"
    try:
        url = parse_url(registry)
    except ValueError:
        return None
    path = url.path[3:] if url.path.startswith(("/v2/", "/v1/")) else url.path
    return url.host if path == "/" else url.host + path


def _place(name: str) -> _Place | None:
    """A host and path without a scheme, taken apart; None where it is no URL.

    A key comes here with its escapes undone and has them undone once more, as in Go.
    """
    try:
        url = parse_url(f"https://{name}")
    except ValueError:
        return None
    host, port = split_host_port(url.host) or (url.host, "")
    return _Place(tuple(host.split(".")), port, url.path)


def _on_default_registry(name: str) -> bool:
    """keyring.go, isDefaultRegistryMatch."""
    first, slash, _ = name.partition("/")
    if not first:
        return False
    return not slash or first in {"docker.io", _DEFAULT_REGISTRY} or not ("." in first or ":" in first)


def _octets(text: str) -> bytes:
    """A text as Go has it; Go also sorts by bytes."""
    return text.encode("utf-8", "surrogateescape")
