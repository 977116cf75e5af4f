"""What goes wrong on the way to a registry, in the words of RegistryError.

    httpx, httpcore, ssl, OSError, asyncio ── translated() ──> RegistryError

Nothing else in this package knows a foreign exception. The texts are for the log: they may name addresses, but never a
header, a query or a secret.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore
import httpx

from webhook.core.errors import ErrorCode, Exchange, RegistryError
from webhook.core.wording import NO_ADDRESS

_BODY_KEPT = 512  # characters of an answer that a log line can bear

_TIMEOUTS = (TimeoutError, httpx.TimeoutException, httpcore.TimeoutException)
_PROTOCOL = (httpx.ProtocolError, httpcore.ProtocolError, httpx.DecodingError)
_NETWORK = (httpx.NetworkError, httpcore.NetworkError, httpx.ProxyError, httpcore.ProxyError, OSError)
_ADDRESS = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpcore.UnsupportedProtocol, UnicodeError)
_REST = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.CookieConflict,
    httpcore.ConnectionNotAvailable,
)
FOREIGN: tuple[type[Exception], ...] = (*_TIMEOUTS, *_PROTOCOL, *_NETWORK, *_ADDRESS, *_REST)
"""The families of foreign exceptions that are translated."""

# A name server's word that there is no such name: asking it again at once gives the same.
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# A connection that ends within TLS says nothing of certificates: a balancer with nobody behind it closes them so. And
# that TLS has to read on is no fault at all: asyncio goes by it, and a fault may come upon it.
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_NOT_OF_TLS = (*_CUT_OFF, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# What OpenSSL says of an answer that is no TLS: its version decides which.
_NOT_TLS = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Every foreign exception leaves as a RegistryError; `url` is fit for a log (see `printable_url`)."""
    try:
        yield
    except FOREIGN as error:
        if isinstance(error, httpx.LocalProtocolError | httpcore.LocalProtocolError):
            raise translate(error, url) from None  # its text quotes headers
        raise translate(error, url) from error


def translate(error: Exception, url: str) -> RegistryError:
    """The RegistryError of a foreign exception."""
    exchange = Exchange(url=url)
    name = type(error).__name__
    if isinstance(error, _TIMEOUTS):
        return RegistryError("timeout", f"no answer in time ({name})", exchange, retryable=True)
    if isinstance(error, _ADDRESS):
        return RegistryError("malformed", f"not an address that can be asked ({name})", exchange, told=NO_ADDRESS)
    of_tls = next((c for c in _causes(error) if isinstance(c, ssl.SSLError) and not isinstance(c, _NOT_OF_TLS)), None)
    if of_tls is not None:
        words = getattr(of_tls, "verify_message", "") or getattr(of_tls, "reason", None) or type(of_tls).__name__
        return RegistryError("tls", f"TLS: {words}", exchange)
    if isinstance(error, _PROTOCOL):
        return RegistryError("unavailable", f"the answer is not HTTP, or breaks off ({name})", exchange, retryable=True)
    unknown = any(isinstance(c, socket.gaierror) and c.errno in _NO_SUCH_NAME for c in _causes(error))
    system = next((c for c in _causes(error) if isinstance(c, OSError) and c.strerror), None)
    words = f"{name}: {_words_of(system)}" if isinstance(system, OSError) else name
    if isinstance(error, httpx.ProxyError | httpcore.ProxyError) and str(error)[:3].isdigit():
        words = f"the proxy answers {str(error)[:3]}"
    return RegistryError("unavailable", f"no connection ({words})", exchange, retryable=not unknown)


def _words_of(error: OSError) -> str:
    """What the system calls it. asyncio has words of its own for a connection that fails, and the system's number."""
    if error.errno and error.errno > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


def speaks_no_tls(error: RegistryError) -> bool:
    """Whether a fault means that the other side answered a TLS handshake in the clear."""
    return any(
        isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in _NOT_TLS for cause in _causes(error)
    )


def never_connected(error: RegistryError) -> bool:
    """Whether a fault means that there was no connection at all."""
    kinds = (httpcore.ConnectError, httpcore.ConnectTimeout)
    causes = list(_causes(error))
    return any(isinstance(c, kinds) for c in causes) and not any(isinstance(c, ssl.SSLError) for c in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(16):  # far deeper than any library nests, and a cycle ends
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def again(error: RegistryError) -> RegistryError:
    """The same fault as a new exception, without a trace: one that is raised for many would collect the traces of all,
    and one that is held by a frame of its own trace would stay, with whatever all frames hold, until Python looks for
    cycles."""
    return RegistryError(error.code, error.detail, error.exchange, retryable=error.retryable, told=error.told)


def of_status(status: int) -> tuple[ErrorCode, bool]:
    """The code of an HTTP status that is not 200, and whether the same request may succeed soon."""
    named: dict[int, ErrorCode] = {
        401: "unauthorized",
        402: "denied",
        403: "denied",
        404: "not-found",
        406: "unsupported",
        408: "timeout",
        410: "not-found",
        413: "too-large",
        429: "rate-limited",
        451: "denied",
    }
    if status in named:
        return named[status], status in (408, 429)
    if status < 400:
        return "malformed", False  # a 2xx or 3xx without the document that was asked for
    return "unavailable", status in (500, 502, 503, 504)


def printable_url(url: httpx.URL) -> str:
    """A URL for the log: neither query (signed URLs are secrets) nor user information nor fragment."""
    text = str(url)
    if "@" not in text and "#" not in text:  # nearly always; to take a URL apart takes as long as to send it
        return text.partition("?")[0]
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def printable_body(body: bytes) -> str:
    """The beginning of an answer for the log, without control characters."""
    text = body.decode("utf-8", "replace")[:_BODY_KEPT]
    return "".join(character if character.isprintable() else " " for character in text)
