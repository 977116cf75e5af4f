"""httpx requests over httpcore's connection pool, so that the network backend is ours."""

from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Self

import httpcore
import httpx

from webhook.registry import tls
from webhook.registry.addresses import AddressPolicy
from webhook.registry.names import Resolver
from webhook.registry.network import GuardedBackend

# Idle connections: as many as a busy registry is asked with at once, for as long as servers commonly hold them.
_IDLE_CONNECTIONS = 64
_IDLE_SECONDS = 30.0


class _Body(httpx.AsyncByteStream):
    """httpcore's stream under httpx's name."""

    def __init__(self, parts: AsyncIterable[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part

    async def aclose(self) -> None:
        close = getattr(self._parts, "aclose", None)  # httpcore's streams have it, its type does not say so
        if close is not None:
            await close()


class GuardedTransport(httpx.AsyncBaseTransport):
    """One pool of connections with one TLS configuration and one rule for addresses. Reads no environment.

    It has no cookies and follows no redirect: a pool is shared by tenants. Proxies take their place here, as pools of
    httpcore.AsyncHTTPProxy with the same backend.
    """

    def __init__(self, backend: GuardedBackend, configuration: tls.Tls) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls.context(configuration),
            max_connections=None,  # the client limits requests by host; a slow host must not starve the others
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpcore's exceptions, and RegistryError (blocked-address) of the backend.

        A server may close an idle connection at the moment at which it is used again: that says nothing about the
        server, so a request that got no answer on an old connection is sent once more, as Go does it.
        """
        connection = _Connection()
        try:
            answer = await self._pool.handle_async_request(_as_httpcore(request, connection))
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            if connection.new or request.method not in ("GET", "HEAD"):
                raise
            answer = await self._pool.handle_async_request(_as_httpcore(request, connection))
        assert isinstance(answer.stream, AsyncIterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()


class _Connection:
    """Told by httpcore's trace what becomes of a request: whether a connection was made for it."""

    def __init__(self) -> None:
        self.new = False

    async def trace(self, event: str, _: object) -> None:
        self.new = self.new or event.startswith("connection.connect_tcp")


def _as_httpcore(request: httpx.Request, connection: _Connection) -> httpcore.Request:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    return httpcore.Request(
        method=request.method,
        url=url,
        headers=request.headers.raw,
        content=request.stream,
        extensions={**request.extensions, "trace": connection.trace},
    )


class Transports:
    """The transports of a client: one for each TLS configuration, and another for what public hosts lead to, since a
    pooled connection to a private address must not be found by a redirect that may not make one."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = Resolver()
        self._made: dict[tuple[tls.Tls, bool], GuardedTransport] = {}

    def of(self, configuration: tls.Tls, *, public_only: bool = False) -> httpx.AsyncBaseTransport:
        """The transport, made when first asked for. Raises RegistryError (tls)."""
        key = (configuration, public_only)
        if key not in self._made:
            backend = GuardedBackend(self._policy, self._resolver, public_only=public_only)
            self._made[key] = GuardedTransport(backend, configuration)
        return self._made[key]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections of all of them."""
        made, self._made = self._made, {}
        for transport in made.values():
            await transport.aclose()
