"""Proxies: which one a request goes through, and what may be asked for through it.

Behind a proxy the address that is connected to is the proxy's, which the operator has chosen: it is exempt from the
rules. What it resolves a name to cannot be seen, so names and literal addresses are checked instead.
"""

import socket
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final

import httpcore
import httpx

from webhook.core.errors import RegistryError
from webhook.core.goproxy import ProxyRules, host_and_port
from webhook.core.gourl import Url, parse_url
from webhook.core.wording import NO_ADDRESS
from webhook.registry.addresses import AddressPolicy, is_public

ANYWHERE: Final = AddressPolicy(allowed=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
"""For the connection to the proxy itself."""

_METADATA: Final = frozenset(
    {
        *("metadata.google.internal", "metadata.goog", "instance-data.ec2.internal", "metadata.tencentyun.com"),
        *("metadata", "instance-data"),  # Google's and Amazon's, as machines of theirs find them in their own domain
    }
)
"""Names of metadata services: where a proxy resolves them, the address that they mean is not seen."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks HTTP, by TLS or not. `login`: user and password of its URL, None where it has none."""

    scheme: str
    host: str
    port: int
    login: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> httpcore.URL:
        """Where it is, without the login."""
        return httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target="/")


def proxy_of(rules: ProxyRules, url: httpx.URL) -> Proxy | None:
    """The proxy for a request; None where it goes directly. Raises RegistryError for a proxy that cannot be used: to
    go directly instead is not what the operator has asked for."""
    try:
        chosen = _chosen(rules, url.scheme, url.netloc)
    except ValueError as error:
        raise RegistryError("malformed", "not an address that can be asked", told=NO_ADDRESS) from error
    return None if chosen is None else _usable(chosen)


@lru_cache(maxsize=1024)
def _chosen(rules: ProxyRules, scheme: str, authority: bytes) -> Url | None:
    """The rules look at no more of a URL, which is read for each request else. Raises ValueError."""
    return rules.proxy_for(parse_url(f"{scheme}://{authority.decode('ascii')}/"))


def _usable(url: Url) -> Proxy:
    host, port = host_and_port(url)
    if url.scheme not in _PORTS or not host:
        raise RegistryError("unavailable", "the proxy of the environment is no http or https proxy")
    number = int(port) if port else _PORTS[url.scheme]
    login = None
    if url.user is not None:
        name, password = url.user
        login = (_bytes(name), _bytes(password or ""))
    return Proxy(url.scheme, host, number, login)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def refusal_of_name(policy: AddressPolicy, host: str, *, public_only: bool) -> str | None:
    """Why a host may not be asked for through a proxy, for the log; None where it may."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3: loopback, whoever resolves it
        return policy.refusal("127.0.0.1", public_only=public_only)
    if name in _METADATA:
        return policy.refusal("169.254.169.254", public_only=public_only)
    literal = _literal(name)
    return None if literal is None else policy.refusal(literal, public_only=public_only)


def public_name(host: str) -> bool:
    """Whether what a proxy leads to counts as public: whatever is no private address by its very name."""
    literal = _literal(host.lower().rstrip("."))
    return literal is None or is_public(literal)


def _literal(name: str) -> str | None:
    """The address that a name spells, in any of the spellings that resolvers take (0x7f.1, 2130706433)."""
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        return str(IPv4Address(socket.inet_aton(name)))
    except (OSError, ValueError):  # ValueError: a character outside ASCII, or none at all
        return None
