"""What the registry client is told of the process's surroundings: the proxies of the environment, the API server."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from webhook.core.goproxy import ProxyRules, host_and_port
from webhook.core.gourl import parse_url
from webhook.registry.options import RegistryOptions
from webhook.registry.reserved import Server

_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


def in_environment(
    options: RegistryOptions, environment: Mapping[str, str], api_server: str | None = None
) -> RegistryOptions:
    """The options with HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and with the API servers that are known: the one that
    kubelets tell each pod of, and `api_server`, the URL of the one that is asked (None: none is)."""
    servers = (*_in_cluster(environment), *_at(api_server or ""))
    return replace(options, proxies=ProxyRules.from_environment(environment), reserved=tuple(dict.fromkeys(servers)))


def _in_cluster(environment: Mapping[str, str]) -> Iterator[Server]:
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if host and port.isascii() and port.isdigit():
        yield host.strip("[]"), int(port)


def _at(url: str) -> Iterator[Server]:
    try:
        parsed = parse_url(url)
    except ValueError:
        return
    host, port = host_and_port(parsed)
    if host and parsed.scheme in _PORTS:
        yield host, int(port) if port else _PORTS[parsed.scheme]
