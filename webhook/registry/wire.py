"""One request as it goes over the wire, and what came back: redirects, limits, time."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import httpx

from webhook.core.errors import ErrorCode, Exchange, RegistryError
from webhook.core.trace import Exchanged
from webhook.registry.addresses import is_public
from webhook.registry.body import read_document, read_words
from webhook.registry.breaker import Attempt, Breakers
from webhook.registry.faults import printable_body, printable_url, translated
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.patience import retry_after
from webhook.registry.redaction import redacted
from webhook.registry.tls import PLAIN, Tls
from webhook.registry.transport import PUBLIC, Transports
from webhook.registry.turns import Turns

_log = logging.getLogger("podgate.registry")

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_MOST_LARGE: Final = 4
_LARGE_PER_HOST: Final = 2
"""Documents that are not small (body.py) and are read at a time, in all and from one host: 4 MiB each, a config 8, and
for a moment twice as much."""
_AGENT: Final = "podgate"
_UNPARSED = re.compile(r"//[^/]*@")  # user information of a URL that may be none


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET or HEAD. `limit`: bytes of the decoded body. `header`: what hosts.toml adds for this host. `authorization`:
    a secret, or empty. `dial_timeout`: seconds for the connection, None: only requestTimeout counts. `secrets`: what
    must not be quoted from an error's body, beside authorization and header. `chosen`: the host comes from the
    reference or from settings, not from an answer. `public_only`: a public host sent us here."""

    url: str
    accept: str
    limit: int
    tls: Tls = PLAIN
    header: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str = field(default="", repr=False)
    dial_timeout: float | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    chosen: bool = True
    public_only: bool = False
    method: Literal["GET", "HEAD", "POST"] = "GET"
    form: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back in the end. `challenges`: the WWW-Authenticate lines, none where the answer is another host's than
    the one that was asked. `body`: whole where the status is 200, else its beginning. `public`: whether the host that
    was asked first has a public address. `url`: fit for a log. `retry_after`: seconds, None where the host names none.
    `link`: the Link header, empty where the answer is another host's.
    """

    status: int
    media_type: str
    digest_hint: str
    body: bytes = field(repr=False)
    url: str
    challenges: tuple[str, ...] = field(default=(), repr=False)
    public: bool = False
    retry_after: float | None = None
    link: str = ""

    def fault(self, code: ErrorCode, detail: str, *, retryable: bool = False) -> RegistryError:
        """A RegistryError of this exchange, which quotes an error's body alone: any other may be a token, or what only
        its asker may see."""
        words = printable_body(self.body) if self.status >= 400 else ""
        exchange = Exchange(self.url, self.status, words, self.retry_after)
        return RegistryError(code, detail, exchange, retryable=retryable)


@dataclass(frozen=True, slots=True)
class _Way:
    """One hop: where to, and whether it is still the host that was asked first (`home`), so that secrets go along.
    `shown`: the URL as a log has it. `public`: whether the host that was asked first has a public address, None: this
    is the one."""

    url: httpx.URL = field(repr=False)  # signed URLs are secrets
    shown: str
    home: bool
    public_only: bool
    public: bool | None = None


@dataclass(frozen=True, slots=True)
class _Onward:
    """A redirect: where to, and whether the host that sends us there has a public address."""

    url: httpx.URL = field(repr=False)
    public: bool


class Wire:
    """Sends requests, in turn and as long as the hosts answer. A request that failed is made again by Rounds."""

    def __init__(
        self, transports: Transports, options: RegistryOptions, hooks: Hooks, breakers: Breakers | None = None
    ) -> None:
        """`breakers`: those of another Wire, whose experience counts here too."""
        self._transports = transports
        self._options = options
        self._hooks = hooks
        self._turns = Turns(options.concurrency_per_host)
        self._large = Turns(_LARGE_PER_HOST, _MOST_LARGE)
        self._breakers = breakers or Breakers(hooks)

    async def get(self, ask: Ask) -> Reply:
        """The answer, after redirects, within requestTimeout. Raises RegistryError only.

        The wait for its turn has as long again and does not count: a host must not be found slow for our own queue.
        """
        started = time.perf_counter()
        outcome, host = "cancelled", ""
        try:
            with translated(_UNPARSED.sub("//", ask.url.partition("?")[0])):
                url = httpx.URL(ask.url)
                host = authority(url)
                async with self._turns.of(host, self._ends()):
                    reply = await self._follow(ask, url, self._ends())
            outcome = str(reply.status)
        except RegistryError as error:
            outcome = error.code
            raise
        finally:
            self._hooks.on_request(host, ask.method, outcome, time.perf_counter() - started)
        return reply

    def _ends(self) -> float:
        """When requestTimeout is up for what begins now, as a time of the loop's clock."""
        return asyncio.get_running_loop().time() + self._options.request_timeout

    async def _follow(self, ask: Ask, first: httpx.URL, ends: float) -> Reply:
        way = _Way(first, printable_url(first), home=True, public_only=ask.public_only)
        for _ in range(_MOST_REDIRECTS + 1):
            if not (ask.chosen and same_origin(way.url, first)) and not self._options.may_ask(authority(way.url)):
                raise RegistryError("blocked-host", "allowedHosts leaves it out", Exchange(way.shown))
            met = await self._hop(ask, way, ends)
            if isinstance(met, Reply):
                return met
            way = _Way(
                met.url,
                _shown(ask, first, met.url),
                home=way.home and keeps_secrets(first, met.url),  # who was away once does not come home with secrets
                public_only=way.public_only or met.public,
                public=met.public if way.public is None else way.public,
            )
        raise RegistryError("unavailable", f"more than {_MOST_REDIRECTS} redirects", Exchange(printable_url(first)))

    async def _hop(self, ask: Ask, way: _Way, ends: float) -> Reply | _Onward:
        """One request and its answer, by a time of the loop's clock."""
        origin, url = f"{way.url.scheme}://{authority(way.url)}", way.shown
        with self._breakers.attempt(origin) as attempt, self._told(ask.method, url, attempt), translated(url):
            async with asyncio.timeout_at(ends):
                response = await self._send(ask, way)
                try:
                    attempt.status = response.status_code
                    location = response.headers.get("Location")
                    if response.status_code not in _REDIRECTS or location is None or ask.form:
                        return await self._reply(ask, response, way, ends)
                    await read_words(response)  # so that the connection can be used again
                    return _Onward(_target(way.url, location, url), _public(response))
                finally:
                    await response.aclose()

    @asynccontextmanager
    async def _room(self, host: str, ends: float) -> AsyncIterator[None]:
        """Around the reading of a document that is not small. Waits for half of the time that is left at most, so that
        it can still be read; that there is no room is no fault of the host's."""
        now = asyncio.get_running_loop().time()
        async with AsyncExitStack() as taken:
            try:
                await taken.enter_async_context(self._large.of(host, now + (ends - now) / 2))
            except TimeoutError:
                raise RegistryError("timeout", "too many other large documents are being read") from None
            yield

    @contextmanager
    def _told(self, method: str, url: str, attempt: Attempt) -> Iterator[None]:
        """Tells of one request when it has ended; of one that was given up nobody wants to know."""
        started = time.perf_counter()
        code: ErrorCode | None = None
        try:
            yield
        except RegistryError as error:
            code = error.code
            raise
        finally:
            if code is not None or attempt.status is not None:
                seconds = time.perf_counter() - started
                self._hooks.on_exchange(Exchanged(method, url, attempt.status, code, seconds))

    async def _send(self, ask: Ask, way: _Way) -> httpx.Response:
        """Away from home nothing goes along that only the first host should see."""
        # A registry that encodes all the same is understood, but the digest is over the plain bytes.
        ours = {"Accept": ask.accept, "Accept-Encoding": "identity", "User-Agent": _AGENT}
        if way.home and ask.authorization:
            ours["Authorization"] = ask.authorization
        replaced = {name.lower() for name in ours}
        theirs = [pair for pair in ask.header if pair[0].lower() not in replaced] if way.home else []
        # Reads and writes have the time of the whole; the connection's is shared out among the addresses.
        seconds = self._options.request_timeout
        if way.home and ask.dial_timeout is not None:
            seconds = min(seconds, ask.dial_timeout)
        headers = [*theirs, *ours.items()]
        if ask.form:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        times = {"timeout": {"connect": seconds}}
        request = httpx.Request(ask.method, way.url, headers=headers, content=ask.form or None, extensions=times)
        _log.debug("%s %s", ask.method, way.shown)
        configuration = ask.tls if way.home else ask.tls.abroad
        transport = self._transports.of(way.url, configuration, public_only=way.public_only)
        return await transport.handle_async_request(request)

    async def _reply(self, ask: Ask, response: httpx.Response, way: _Way, ends: float) -> Reply:
        headers = response.headers
        if ask.method == "HEAD":
            body = b""
        elif response.status_code == 200:
            room = partial(self._room, authority(way.url), ends)
            body = await read_document(response, ask.limit, room)
        else:
            body = redacted(await read_words(response), _secrets(ask))
        lines = [value for name, value in headers.raw if name.lower() == b"www-authenticate"] if way.home else []
        return Reply(
            status=response.status_code,
            media_type=media_type(headers),
            digest_hint=headers.get("Docker-Content-Digest", ""),
            body=body,
            url=way.shown,
            challenges=tuple(line.decode("utf-8", "surrogateescape") for line in lines),
            public=_public(response) if way.public is None else way.public,
            retry_after=retry_after(headers.get("Retry-After", ""), self._hooks.wall()),
            link=headers.get("Link", "") if way.home else "",
        )


def media_type(headers: Mapping[str, str]) -> str:
    """The Content-Type without its parameters, in lower case; empty where there is none."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def authority(url: httpx.URL) -> str:
    """host or host:port, the port only where it is not the scheme's own; IPv6 in brackets."""
    return url.netloc.decode("ascii")


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Same scheme, host and port (RFC 6454 section 5)."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def keeps_secrets(first: httpx.URL, url: httpx.URL) -> bool:
    """Whether the first host's Authorization may go along: to the same origin, or from http to https on the default
    ports of one host. Another port is another service."""
    upgraded = (first.scheme, url.scheme) == ("http", "https") and first.port is None and url.port is None
    return same_origin(first, url) or (upgraded and first.host == url.host)


def _secrets(ask: Ask) -> list[str]:
    """What must not be quoted from an error's body: the secrets of the request."""
    return [ask.authorization.partition(" ")[2], *ask.secrets, *(value for _, value in ask.header)]


def _shown(ask: Ask, first: httpx.URL, url: httpx.URL) -> str:
    """A URL that a registry sends us to, for a log: only where it is, if the registry was shown a secret. It may have
    put that into it, in whatever coding."""
    if url == first or not any(_secrets(ask)):
        return printable_url(url)
    return f"{url.scheme}://{authority(url)}/..."


def _target(url: httpx.URL, location: str, shown: str) -> httpx.URL:
    """Where a redirect leads to; `shown` is how `url`, from where it does, stands in a log."""
    exchange = Exchange(shown)
    try:
        target = url.join(location)
    except ValueError as error:  # Python's urljoin(), of what httpx takes for a URL
        raise RegistryError("malformed", "a redirect to what is no URL", exchange) from error
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise RegistryError("malformed", "a redirect to what is no http or https address", exchange)
    if (url.scheme, target.scheme) == ("https", "http"):
        raise RegistryError("tls", "a redirect from https to http", exchange)
    return target.copy_with(fragment=None)


def _public(response: httpx.Response) -> bool:
    """Whether what answered has a public address; behind a proxy its name decides."""
    by_name = response.extensions.get(PUBLIC)
    return is_public(_peer(response)) if by_name is None else bool(by_name)


def _peer(response: httpx.Response) -> str:
    """The address that answered; empty where the connection cannot tell."""
    stream = response.extensions.get("network_stream")
    address = stream.get_extra_info("server_addr") if stream is not None else None
    return str(address[0]) if address else ""
