"""What a credential provider plugin answers (CredentialProviderResponse).

The answer is a secret from end to end. No error says a word of it, not even the name of a field.

Source: k8s.io/kubernetes pkg/credentialprovider/plugin/plugin.go (provide, getCachedCredentials, ExecPlugin,
decodeResponse, whose decoder is strict); k8s.io/kubelet pkg/apis/credentialprovider/v1/types.go.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from webhook.core.dockerconfig import Login
from webhook.core.errors import BadCredentials
from webhook.core.goduration import parse_duration
from webhook.core.jsontree import InvalidJSON, Node, Number, Object, clean, parse

CacheKeyType = Literal["Image", "Registry", "Global"]

_CACHE_KEY_TYPES: Final[Mapping[str, CacheKeyType]] = {"Image": "Image", "Registry": "Registry", "Global": "Global"}
_FIELDS: Final = frozenset({"apiVersion", "kind", "cacheKeyType", "cacheDuration", "auth"})


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What a plugin answered. `cache_duration` in seconds; None: the provider's default counts."""

    cache_key_type: CacheKeyType
    cache_duration: float | None
    logins: tuple[Login, ...] = field(repr=False)

    def cache_key(self, image: str) -> str:
        """What the answer is kept under."""
        return cache_keys(image)[("Image", "Registry", "Global").index(self.cache_key_type)]


def cache_keys(image: str) -> tuple[str, str, str]:
    """Where an answer for an image may be kept, the narrowest first: its name, its registry, everything."""
    return image, image.partition("/")[0], "<global>"  # no name has these brackets


def read_provider_answer(body: bytes, api_version: str) -> ProviderAnswer:
    """What a plugin that was asked in that version wrote. Raises BadCredentials, whose text holds nothing of it.

    As strict as the kubelet: an unknown or repeated field, or another version than was asked in, spoils it all.
    """
    try:
        tree = parse(body)
    except InvalidJSON:
        raise BadCredentials("the answer is not JSON") from None
    members = _members(tree, _FIELDS)
    if _string(members.get("apiVersion")) != api_version:
        raise BadCredentials("the answer has another apiVersion than the question")
    if _string(members.get("kind")) != "CredentialProviderResponse":
        raise BadCredentials("the answer is no CredentialProviderResponse")
    kind = _CACHE_KEY_TYPES.get(_string(members.get("cacheKeyType")))
    if kind is None:
        raise BadCredentials("the answer has no valid cacheKeyType")
    return ProviderAnswer(kind, _cache_duration(members.get("cacheDuration")), _logins(members.get("auth")))


def _members(node: Node, known: Collection[str]) -> dict[str, Node]:
    """An object's members, none of them unknown or twice there."""
    if not isinstance(node, Object):
        raise BadCredentials("the answer has a field of a wrong type")
    members: dict[str, Node] = {}
    for key, value in node:
        if key in members or key not in known:
            raise BadCredentials("the answer has a field that is unknown, or stands twice")
        members[key] = value
    return members


def _string(node: Node) -> str:
    """A string; null leaves it empty, as in Go."""
    if node is None:
        return ""
    if not isinstance(node, str) or isinstance(node, Number):
        raise BadCredentials("the answer has a field of a wrong type")
    return clean(node)


def _cache_duration(node: Node) -> float | None:
    if node is None:
        return None
    text = _string(node)
    try:
        return parse_duration(text) / 1e9
    except ValueError:
        raise BadCredentials("the answer's cacheDuration is no duration") from None


def _logins(node: Node) -> tuple[Login, ...]:
    """The entries, sorted by key; a repeated key is refused."""
    if node is None:
        return ()
    if not isinstance(node, Object):
        raise BadCredentials("the answer has a field of a wrong type")
    found: dict[str, Login] = {}
    for key, value in node:
        if key in found:
            raise BadCredentials("the answer has a field that is unknown, or stands twice")
        entry = _members(value, {"username", "password"}) if value is not None else {}
        found[key] = Login(clean(key), _string(entry.get("username")), _string(entry.get("password")))
    return tuple(found[key] for key in sorted(found))
