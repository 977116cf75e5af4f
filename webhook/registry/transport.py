"""httpx requests over httpcore's connections, so that the network backend is ours."""

from types import TracebackType
from typing import Self

import httpcore
import httpx

from webhook.core.errors import RegistryError
from webhook.core.goproxy import ProxyRules
from webhook.registry import tls
from webhook.registry.addresses import AddressPolicy
from webhook.registry.http11 import Connection
from webhook.registry.names import Resolver
from webhook.registry.network import GuardedBackend
from webhook.registry.pool import Pool
from webhook.registry.proxies import ANYWHERE, Proxy, proxy_of, public_name, refusal_of_name
from webhook.registry.reserved import Reserved, Server
from webhook.registry.tunnel import bracketed

# Idle connections: as many as a busy registry is asked with at once, for as long as servers commonly hold them.
_IDLE_CONNECTIONS = 64
_IDLE_SECONDS = 30.0

PUBLIC = "podgate.public"
"""The extension of a response that came through a proxy: whether the host that was asked for is public."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """One pool of connections with one TLS configuration and one rule for addresses. Reads no environment.

    It has no cookies and follows no redirect: a pool is shared by tenants.
    """

    def __init__(self, backend: GuardedBackend, configuration: tls.Tls, proxy: Proxy | None = None) -> None:
        self._proxied = proxy is not None
        self._pool = _pool(backend, configuration) if proxy is None else _pool_behind(proxy, backend, configuration)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpcore's exceptions, and RegistryError (blocked-address) of the backend."""
        if request.url.port == 0:  # it would be taken for none, and the scheme's own be asked
            raise httpcore.ConnectError("there is no such port")
        answer = await self._pool.handle_async_request(self._as_httpcore(request))
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        extensions = dict(answer.extensions)
        if self._proxied:  # the address of the connection is the proxy's
            extensions[PUBLIC] = public_name(request.url.host)
        return httpx.Response(answer.status, headers=answer.headers, stream=answer.stream, extensions=extensions)

    def _as_httpcore(self, request: httpx.Request) -> httpcore.Request:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        host = request.url.raw_host
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=bracketed(host) if self._proxied else host,  # httpcore writes it for the proxy as it stands here
            port=request.url.port,
            target=request.url.raw_path,
        )
        return httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()


def _pool(backend: GuardedBackend, configuration: tls.Tls) -> Pool:
    context = tls.context(configuration)
    # Without a limit: the client has one by host; a slow host must not starve the others.
    return Pool(lambda origin: Connection(origin, backend, context, _IDLE_SECONDS), _IDLE_CONNECTIONS)


def _pool_behind(proxy: Proxy, backend: GuardedBackend, configuration: tls.Tls) -> Pool:
    made = httpcore.AsyncHTTPProxy(
        proxy.url,
        proxy_auth=proxy.login,
        proxy_ssl_context=tls.context(tls.PLAIN) if proxy.scheme == "https" else None,
        ssl_context=tls.context(configuration),
        keepalive_expiry=_IDLE_SECONDS,
        network_backend=backend,
    )
    return Pool(made.create_connection, _IDLE_CONNECTIONS)


class Transports:
    """The transports of a client: one for each TLS configuration and proxy, and another for what public hosts lead to,
    since a pooled connection to a private address must not be found by a redirect that may not make one."""

    def __init__(
        self, policy: AddressPolicy, proxies: ProxyRules | None = None, reserved: tuple[Server, ...] = ()
    ) -> None:
        self._policy = policy
        self._proxies = proxies or ProxyRules()
        self._resolver = Resolver()
        self._reserved = Reserved(reserved, self._resolver)
        self._made: dict[tuple[tls.Tls, bool, Proxy | None], GuardedTransport] = {}

    def of(self, url: httpx.URL, configuration: tls.Tls, *, public_only: bool = False) -> httpx.AsyncBaseTransport:
        """The transport for a URL, made when first asked for. Raises RegistryError (tls, blocked-address)."""
        proxy = proxy_of(self._proxies, url)
        if proxy is not None:
            self._check_name(url, public_only=public_only)
        key = (configuration, public_only and proxy is None, proxy)
        if key not in self._made:
            self._made[key] = GuardedTransport(self._backend(proxy, public_only=public_only), configuration, proxy)
        return self._made[key]

    def _backend(self, proxy: Proxy | None, *, public_only: bool) -> GuardedBackend:
        if proxy is not None:
            return GuardedBackend(ANYWHERE, self._resolver)
        return GuardedBackend(self._policy, self._resolver, self._reserved, public_only=public_only)

    def _check_name(self, url: httpx.URL, *, public_only: bool) -> None:
        """What a proxy would connect to for us, as far as the name says it."""
        why = refusal_of_name(self._policy, url.host, public_only=public_only)
        if self._reserved.has_name(url.host, url.port or (443 if url.scheme == "https" else 80)):
            why = "the API server"
        if why is not None:
            raise RegistryError("blocked-address", f"{url.host} is not asked for through a proxy ({why})")

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
