"""httpx requests over httpcore's connection pool, so that the network backend is ours."""

from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Self

import httpcore
import httpx

from webhook.registry import tls
from webhook.registry.addresses import AddressPolicy
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

    def __init__(self, policy: AddressPolicy, configuration: tls.Tls, *, public_only: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls.context(configuration),
            max_connections=None,  # the client limits requests by host; a slow host must not starve the others
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=GuardedBackend(policy, public_only=public_only),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpcore's exceptions, and RegistryError (blocked-address) of the backend."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, AsyncIterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()


class Transports:
    """The transports of a client: one for each TLS configuration, and another for what public hosts lead to, since a
    pooled connection to a private address must not be found by a redirect that may not make one."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._made: dict[tuple[tls.Tls, bool], GuardedTransport] = {}

    def of(self, configuration: tls.Tls, *, public_only: bool = False) -> httpx.AsyncBaseTransport:
        """The transport, made when first asked for. Raises RegistryError (tls)."""
        key = (configuration, public_only)
        if key not in self._made:
            self._made[key] = GuardedTransport(self._policy, configuration, public_only=public_only)
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
