"""What httpcore's connections through a proxy lack.

A tunnel whose TLS handshake fails, or is given up, stays in httpcore's pool for ever: its connection to the proxy still
waits for the end of the answer to CONNECT, and counts as busy. And a host that is an IPv6 address goes without brackets
into the target of CONNECT and into the URL that a proxy is asked for, which no proxy can read (RFC 3986 3.2.2).
"""

from typing import Final

import httpcore

_BRACKETS: Final = "[]"


class ProxyPool(httpcore.AsyncHTTPProxy):
    """httpcore's pool of connections through a proxy, out of which a connection that failed goes at once."""

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        """A connection for an origin, as httpcore makes it."""
        return _Connection(super().create_connection(origin))


class _Connection(httpcore.AsyncConnectionInterface):
    """A connection that is closed where its first request brings no answer."""

    def __init__(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._connection = connection
        self._failed = False
        self._answered = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        try:
            response = await self._connection.handle_async_request(request)
        except BaseException:  # a cancelled one above all
            if not self._answered:
                self._failed = True
                await self._connection.aclose()
            raise
        self._answered = True
        return response

    async def aclose(self) -> None:
        await self._connection.aclose()

    def info(self) -> str:
        return self._connection.info()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return self._connection.can_handle_request(origin)

    def is_available(self) -> bool:
        return not self._failed and self._connection.is_available()

    def has_expired(self) -> bool:
        return self._connection.has_expired()

    def is_idle(self) -> bool:
        return self._connection.is_idle()

    def is_closed(self) -> bool:
        return self._failed or self._connection.is_closed()


def bracketed(host: bytes) -> bytes:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return b"[%b]" % host if b":" in host else host


def bare(host: str) -> str:
    """A host as certificates name it and TLS asks for it: without brackets."""
    return host.strip(_BRACKETS)
