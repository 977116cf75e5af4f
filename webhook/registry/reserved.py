"""Servers that are no registries, whatever a pod says: the cluster's API server, and podgate itself.

From inside a cluster they are private addresses like any other, and whoever may create pods could have them asked.
"""

import asyncio
import re
import socket
from ipaddress import IPv6Address, ip_address
from typing import Final

from webhook.registry.names import Resolver

_FRESH_SECONDS: Final = 60.0
# What the API server is called inside a cluster; through a proxy only names can be seen.
_IN_CLUSTER = re.compile(r"kubernetes(\.default(\.svc(\..*)?)?)?\.?", re.IGNORECASE)

Server = tuple[str, int]
"""A host, as a name or an address without brackets, and a port. Empty host: every address of this machine."""


class Reserved:
    """Hosts and ports that are not connected to. For one event loop."""

    def __init__(self, servers: tuple[Server, ...], resolver: Resolver) -> None:
        self._servers = tuple(server for server in servers if server[0])
        self._own_ports = frozenset(port for host, port in servers if not host)
        self._resolver = resolver
        self._known: dict[Server, tuple[frozenset[str], float]] = {}

    def has_name(self, host: str, port: int) -> bool:
        """Whether a name is one of theirs."""
        return bool(_IN_CLUSTER.fullmatch(host)) or any(
            port == number and _plain(host) == _plain(name) for name, number in self._servers
        )

    async def has_address(self, address: str, port: int) -> bool:
        """Whether an address, as a resolver gives it, is one of theirs. Asks for what a name means now and then."""
        if port in self._own_ports and _is_here(address):
            return True
        found = [await self._addresses(server) for server in self._servers if server[1] == port]
        return any(_plain(address) in each for each in found)

    async def _addresses(self, server: Server) -> frozenset[str]:
        now = asyncio.get_running_loop().time()
        addresses, until = self._known.get(server, (frozenset[str](), 0.0))
        if until > now:
            return addresses
        try:
            async with asyncio.timeout(1):  # a name server that is down must not hold up what it has no say in
                addresses = frozenset(map(_plain, await self._resolver.addresses(*server)))
        except (OSError, UnicodeError):
            pass  # what it meant before still counts; TimeoutError is an OSError
        self._known[server] = (addresses, now + _FRESH_SECONDS)
        return addresses


def _is_here(address: str) -> bool:
    """Whether an address is this machine's own: only such a one can be bound to. Nothing is sent for it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _plain(text: str) -> str:
    """An address in one spelling, IPv4 in IPv6 as IPv4; a name in lower case without the dot of the root."""
    try:
        address = ip_address(text)
    except ValueError:
        return text.lower().rstrip(".")
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)
