"""The kubelet's configuration of credential provider plugins (CredentialProviderConfig).

A node gets its credentials for ECR, Artifact Registry or ACR from such plugins, and nothing in the cluster's objects
says so: whoever wants to see what the node sees has to ask the same plugins in the same way.

Source: k8s.io/kubernetes pkg/credentialprovider/plugin, config.go (validateCredentialProviderConfig), plugin.go
(isImageAllowed, encodeRequest).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from webhook.core.errors import MalformedSettings
from webhook.core.goduration import parse_duration
from webhook.core.keyring import is_pattern, pattern_matches

# The older versions have the same fields.
_CONFIG_VERSIONS: Final = {f"kubelet.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1")}
_EXEC_VERSIONS: Final = {f"credentialprovider.kubelet.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1")}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provider:
    """One plugin. `name` is its program; `environment` all variables that it is given; `default_cache_duration` in
    seconds, 0: what it answers is not kept unless it says so itself."""

    name: str
    match_images: tuple[str, ...]
    default_cache_duration: float
    api_version: str
    args: tuple[str, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def provides_for(self, image: str) -> bool:
        """Whether the plugin is asked for an image (a repository's name, without tag and digest)."""
        return any(pattern_matches(pattern, image) for pattern in self.match_images)

    def request(self, image: str) -> bytes:
        """What the plugin reads on standard input."""
        document = {"apiVersion": self.api_version, "kind": "CredentialProviderRequest", "image": image}
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def read_provider_config(tree: Mapping[str, Any], where: str) -> tuple[Provider, ...]:
    """The plugins of a CredentialProviderConfig, in order. Raises MalformedSettings with the path of the field.

    Unknown fields are refused, as the kubelet does; tokenAttributes too, which it knows: such a plugin would need a
    token of every pod's ServiceAccount.
    """
    root = _Fields(tree, where)
    if root.text("apiVersion") not in _CONFIG_VERSIONS:
        raise MalformedSettings("must be kubelet.config.k8s.io/v1", root.at("apiVersion"))
    if root.text("kind") != "CredentialProviderConfig":
        raise MalformedSettings("must be CredentialProviderConfig", root.at("kind"))
    entries = root.list("providers", _Fields)
    root.end()
    if not entries:
        raise MalformedSettings("at least one is needed", root.at("providers"))
    providers = [_provider(entry) for entry in entries]
    names = [provider.name for provider in providers]
    for number, entry in enumerate(entries):
        if names[number] in names[:number]:
            raise MalformedSettings("stands twice", entry.at("name"))
    return tuple(providers)


class _Fields:
    """A mapping whose fields are taken one by one; what is left over in the end was unknown."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise MalformedSettings("must be a mapping of keys", where)
        self._left = dict(value)
        self._where = where

    def at(self, name: str) -> str:
        return f"{self._where}{'.' if self._where.endswith(']') else ': '}{name}"

    def take(self, name: str) -> object:
        return self._left.pop(name, None)

    def text(self, name: str) -> str:
        value = self.take(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise MalformedSettings("must be a string", self.at(name))
        return value

    def list(self, name: str, make: Callable[[object, str], T]) -> Sequence[T]:
        value = self.take(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise MalformedSettings("must be a list", self.at(name))
        return [make(item, f"{self.at(name)}[{number}]") for number, item in enumerate(value)]

    def end(self) -> None:
        for name in self._left:
            raise MalformedSettings("unknown key", self.at(str(name)))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise MalformedSettings("must be a string", where)
    return value


def _variable(value: object, where: str) -> tuple[str, str]:
    fields = _Fields(value, where)
    name, text = fields.text("name"), fields.text("value")
    fields.end()
    if not name or "=" in name or "\0" in name + text:
        raise MalformedSettings("no name that a variable can have", fields.at("name"))
    return name, text


def _provider(fields: _Fields) -> Provider:
    if fields.take("tokenAttributes") is not None:
        problem = "not supported: podgate has no tokens of ServiceAccounts to hand out"
        raise MalformedSettings(problem, fields.at("tokenAttributes"))
    provider = Provider(
        name=fields.text("name"),
        match_images=tuple(fields.list("matchImages", _text)),
        default_cache_duration=_default_duration(fields),
        api_version=fields.text("apiVersion"),
        args=tuple(fields.list("args", _text)),
        environment=dict(fields.list("env", _variable)),  # of a repeated name the last counts, as in os/exec
    )
    fields.end()
    _check(provider, fields)
    return provider


def _check(provider: Provider, fields: _Fields) -> None:
    if not provider.name or provider.name in {".", ".."} or any(each in provider.name for each in "/ \0"):
        raise MalformedSettings("must be the name of a file in binDir", fields.at("name"))
    if provider.api_version not in _EXEC_VERSIONS:
        raise MalformedSettings("must be credentialprovider.kubelet.k8s.io/v1", fields.at("apiVersion"))
    if not provider.match_images:
        raise MalformedSettings("at least one is needed", fields.at("matchImages"))
    for number, pattern in enumerate(provider.match_images):
        if not is_pattern(pattern):
            raise MalformedSettings("not a host with port and path", fields.at(f"matchImages[{number}]"))
    if any("\0" in argument for argument in provider.args):
        raise MalformedSettings("no argument can have a NUL", fields.at("args"))


def _default_duration(fields: _Fields) -> float:
    name = "defaultCacheDuration"
    text = fields.text(name)
    try:
        seconds = parse_duration(text) / 1e9
    except ValueError:
        raise MalformedSettings("must be a duration, such as 12h", fields.at(name)) from None
    if seconds < 0:
        raise MalformedSettings("must not be negative", fields.at(name))
    return seconds
