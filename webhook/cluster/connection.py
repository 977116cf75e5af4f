"""The way to the API server: where it is, who asks, and what its faults are called.

Of the kubernetes package only ApiClient, Configuration and the loaders of kubeconfig and in-cluster credentials are
used, and every answer is raw JSON. The package (37.0) loads its generated model classes when one is first named, so
nothing here, and nothing that serve imports, may name one: see docs/adr/0001-own-reflector.md.
"""

import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from webhook import __name__ as _agent
from webhook.cluster.client import ApiClient, ConfigException, Configuration
from webhook.cluster.credentials import Load, find_loader, one_line
from webhook.core.errors import ClusterUnavailable

Query = Sequence[tuple[str, str]]

_MANAGER: Query = (("fieldManager", "podgate"),)
"""Under which name the API server notes whose the fields are that a request has written."""

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
"""For one answer that is not a watch. A page of 100 nodes takes a healthy API server some ten milliseconds."""


class ListExpired(ClusterUnavailable):
    """A list in pages took longer than the API server keeps what it was (410). `token` goes on from where it was, with
    what is stored by now; empty where the server gives none.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
    """

    def __init__(self, problem: str, token: str) -> None:
        super().__init__(problem, 410)
        self.token = token


@dataclass(frozen=True, slots=True)
class _Call:
    """A request: what is asked for, and how long it may take. `body`: an object, or a JSON patch."""

    path: str
    query: Query
    limits: aiohttp.ClientTimeout
    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    body: dict[str, Any] | list[dict[str, Any]] | None = None

    @property
    def expected(self) -> int:
        """The status of success."""
        return 201 if self.method == "POST" else 200

    @property
    def headers(self) -> dict[str, str]:
        patch = {"Content-Type": "application/json-patch+json"} if self.method == "PATCH" else {}
        return {"Accept": "application/json", **patch}


async def connect(kubeconfig: str | None = None, context: str | None = None) -> "Connection":
    """Find the cluster, as kubectl does: the given kubeconfig, else $KUBECONFIG, else ~/.kube/config, else in-cluster.

    `kubeconfig` may name several files, as $KUBECONFIG does. `context` None: the current one. Nothing is asked of the
    API server yet. Raises ClusterUnavailable where there is no configuration, or none of this context.
    """
    return await open_connection(find_loader(kubeconfig, context))


async def open_connection(load: Load) -> "Connection":
    """Take the credentials that `load` finds. Raises ClusterUnavailable where they cannot be used."""
    configuration = Configuration()
    # Python 3.13 refuses certificates that Go accepts and clusters have (a CA without a key identifier, for one).
    # Chain, name and dates are checked all the same.
    configuration.disable_strict_ssl_verification = True
    await load(configuration)
    try:
        client = ApiClient(configuration)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ClusterUnavailable(
            f"the certificates for {configuration.host} cannot be used: {one_line(error)}"
        ) from None
    client.user_agent = _agent
    return Connection(client, load)


class Connection:
    """Requests to one API server, with JSON as it comes. Every fault is a ClusterUnavailable."""

    def __init__(self, client: ApiClient, load: Load) -> None:
        self._client = client
        self._load = load

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def session(self) -> aiohttp.ClientSession:
        """A session of the caller's own, with the trust of this connection and credentials found anew: for kopf.

        Raises ClusterUnavailable where no credentials can be had.
        """
        await self._load(self._client.configuration)
        _method, _url, headers, _body, _post = await self._client.param_serialize(
            "GET", "/", auth_settings=["BearerToken"]
        )
        rest = self._client.rest_client
        # A connector of its own: kopf closes the session while others go on.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=rest.ssl_context), headers=headers, proxy=rest.proxy
        )

    async def get(self, path: str, kind: str, query: Query = (), *, seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
        """Get one object or list, waiting `seconds` at most. `kind`: of what an API server gives there; empty where it
        is not known beforehand.

        What comes with 200 and is of another kind, or of none, is a fault as well: a proxy or a login page that speaks
        in the API server's place says nothing of the cluster, and least of all that it is empty.
        """
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        async with self._request(_Call(path, query, limits)) as response:
            document = _object(await response.read())
            given = document.get("kind")
            if not (isinstance(given, str) and given == (kind or given) and given not in ("", "Status")):
                wanted = "list" if kind.endswith("List") else kind or "object"
                raise ClusterUnavailable(f"{self.host} answers {path} with something that is no {wanted}")
            return document

    async def create(self, path: str, body: dict[str, Any], *, seconds: float = _ANSWER_SECONDS) -> None:
        """Create an object, waiting `seconds` at most. It is sent once: whether it got there is not known of a fault
        without a status."""
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        async with self._request(_Call(path, (), limits, "POST", body)):
            pass  # what it has become is of no interest

    async def replace(self, path: str, body: dict[str, Any], *, seconds: float = _ANSWER_SECONDS) -> None:
        """Put an object in the place of one, waiting `seconds` at most: 409 where its resourceVersion is not that of
        the one that is there."""
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        async with self._request(_Call(path, _MANAGER, limits, "PUT", body)):
            pass  # as above

    async def patch(self, path: str, operations: list[dict[str, Any]], *, seconds: float = _ANSWER_SECONDS) -> None:
        """Change an object by a JSON patch (RFC 6902), waiting `seconds` at most: 422 where one of its tests fails."""
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)
        async with self._request(_Call(path, _MANAGER, limits, "PATCH", operations)):
            pass  # as above

    @asynccontextmanager
    async def lines(self, path: str, query: Query, *, quiet: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of JSON lines. A stream that is silent for `quiet` seconds counts as broken."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=quiet)
        async with self._request(_Call(path, query, limits)) as response:
            yield _split(response.content)

    @asynccontextmanager
    async def _request(self, call: _Call) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            response = await self._send(call)
            if response.status == 401:
                # A token of a kubeconfig's plugin has expired: ask the plugin again, once.
                response.release()
                await self._load(self._client.configuration)
                response = await self._send(call)
            async with response:
                if response.status != call.expected:
                    raise await self._refusal(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, ConfigException) as error:
            raise ClusterUnavailable(f"{self.host}: {_fault(error)}") from error

    async def _send(self, call: _Call) -> aiohttp.ClientResponse:
        method, url, headers, body, _post = await self._client.param_serialize(
            call.method,
            call.path,
            query_params=list(call.query),
            header_params=call.headers,
            body=call.body,
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(method, url, headers, body, _request_timeout=call.limits)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _refusal(self, response: aiohttp.ClientResponse) -> ClusterUnavailable:
        status = response.status
        if status == 401:
            problem = "does not accept the credentials (401); they may have expired: log in again"
        else:
            words, token = await _status(response)
            problem = f"answers {status}: {words}"
            if status == 410:
                return ListExpired(f"{self.host} {problem}", token)
        return ClusterUnavailable(f"{self.host} {problem}", status, _retry_after(response))


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object; an empty one where the content is anything else."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # a page of HTML, say
        return {}
    return document if isinstance(document, dict) else {}


async def _split(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The complete lines of a stream; what a broken connection leaves of a last one is dropped.

    Not StreamReader.readline, which refuses lines longer than its buffer. A line is one object of etcd, so it is
    bounded by what etcd takes (1.5 MiB, times what JSON adds).
    """
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield b"".join((*parts, line))
            parts.clear()
        if rest:
            parts.append(rest)


async def _status(response: aiohttp.ClientResponse) -> tuple[str, str]:
    """What the server says of a fault: the message of its Status, which names the missing permission, and the token by
    which a list goes on all the same, empty where there is none."""
    message, token = None, ""
    try:
        status = json.loads(await response.read())
        message = status["message"]
        token = str((status.get("metadata") or {}).get("continue") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        message = message or response.reason
    return one_line(message) or "no reason given", token


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _of_tls(error: BaseException) -> str:
    """What OpenSSL found, without the classes and numbers around it."""
    inner = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        inner = error.os_error
    return one_line(getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or error)


def _fault(error: BaseException) -> str:
    """A transport's error in the words of somebody who looks for a cause."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"no trust in its certificate, or no TLS: {_of_tls(error)}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        # Where several addresses were tried, asyncio has words of its own, and a number that is the system's.
        system = os.strerror(number) if number and not isinstance(error.os_error, socket.gaierror) else ""
        return f"cannot be reached: {system or one_line(error.os_error.strerror or error)}"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return "the connection broke"
    return f"{type(error).__name__}: {one_line(error)}"
