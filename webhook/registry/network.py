"""Connecting: names are resolved here, and only an address that was looked at is connected to.

A check before the client resolves by itself proves nothing: the name may mean something else a moment later (DNS
rebinding). So the backend resolves, filters, and hands literal addresses to the network.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from webhook.core.errors import RegistryError
from webhook.registry.addresses import AddressPolicy
from webhook.registry.interim import Interim
from webhook.registry.names import Resolver
from webhook.registry.reserved import Reserved
from webhook.registry.stream import connect
from webhook.registry.tunnel import bare

_log = logging.getLogger("podgate.registry")

# httpcore writes headers, and so signed URLs and cookies, to these at DEBUG: no secret goes to a log at any level.
for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").setLevel(logging.INFO)

SocketOption = httpcore.SOCKET_OPTION


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network, with the policy's word on every address.

    `reserved`: servers that are not connected to, None: there are none. `public_only`: this backend serves redirects
    and realms of hosts that are themselves public.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        reserved: Reserved | None = None,
        *,
        public_only: bool = False,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._reserved = reserved
        self._public_only = public_only

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises RegistryError blocked-address where no address of the host may be connected to."""
        if not 0 < port < 1 << 16:  # URLs may have any number there
            raise httpcore.ConnectError("there is no such port")
        loop = asyncio.get_running_loop()
        ends = None if timeout is None else loop.time() + timeout
        addresses = await self._permitted(host, port, await self._resolve(host, port, timeout))
        failure: Exception | None = None
        for number, address in enumerate(addresses):
            # Each address gets its share of the time left, so that a dead first one does not eat the whole of it.
            share = None if ends is None else max(0.0, ends - loop.time()) / (len(addresses) - number)
            try:
                return _Stream(await connect(address, port, share, local_address, socket_options or ()))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        try:
            raise failure or httpcore.ConnectError("the name has no address")
        finally:
            del failure  # its trace holds this frame, and would be held by it

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 -- the interface is httpcore's
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 -- the same
        socket_options: Iterable[SocketOption] | None = None,  # noqa: ARG002 -- the same
    ) -> httpcore.AsyncNetworkStream:
        """Registries are not reached by sockets of this machine."""
        raise RegistryError("blocked-address", "a unix socket is no registry")

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's interface."""
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int, timeout: float | None) -> list[str]:  # noqa: ASYNC109 -- as above
        """The host's addresses. Raises httpcore's ConnectError and ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                return await self._resolver.addresses(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error

    async def _permitted(self, host: str, port: int, addresses: list[str]) -> list[str]:
        refusals = {address: self._policy.refusal(address, public_only=self._public_only) for address in addresses}
        if self._reserved is not None:
            for address in addresses:
                if await self._reserved.has_address(address, port):
                    refusals[address] = "reserved"
        for address, why in refusals.items():
            if why is not None:
                _log.info("address refused: host=%s address=%s: %s", host, address, why)
        permitted = [address for address, why in refusals.items() if why is None]
        if addresses and not permitted:
            words = ", ".join(f"{address}: {why}" for address, why in refusals.items())
            raise RegistryError("blocked-address", f"{host} is not connected to ({words})")
        return permitted


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed where its TLS handshake is given up: httpcore leaves it open when cancelled. What it
    reads has few answers before the answer."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._interim = Interim()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's
        data = await self._stream.read(max_bytes, timeout)
        self._interim.received(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- httpcore's
        self._interim.sent()
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        name = None if server_hostname is None else bare(server_hostname)
        return _Stream(await self._stream.start_tls(ssl_context, name, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 -- the interface is httpcore's
        return self._stream.get_extra_info(info)
