"""The form of golden/hosts: the endpoints for a registry, given a directory of hosts.toml files."""

from typing import Any

from webhook.core.errors import MalformedSettings
from webhook.core.hosts import HostConfig, registry_hosts

_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
_KEY = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"
_STANDS_FOR = {"PEM CERT": _CERTIFICATE, "PEM KEY": _KEY, "PEM BOTH": _CERTIFICATE + _KEY}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`hosts` for the registry `host`, or an `error`."""
    files = {path: _STANDS_FOR.get(text, text) for path, text in question["files"].items()}
    try:
        return {"hosts": [_endpoint(host) for host in registry_hosts(files, question["host"])]}
    except MalformedSettings as error:
        return {"hosts": [], "error": str(error)}


def _endpoint(host: HostConfig) -> dict[str, Any]:
    return {
        "scheme": host.scheme,
        "host": _written(host.host),
        "path": _written(host.path),
        "capabilities": list(host.capabilities),
        "skip_verify": host.skip_verify,
        "http_fallback": host.http_fallback,
        "ca": sorted(set(host.ca)),
        "client": [certificate for certificate, _ in host.client],
        "header": {name: list(values) for name, values in host.header},
    }


def _written(text: str) -> str:
    """A string of Go as encoding/json writes it: each byte that is no UTF-8 is U+FFFD."""
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)
