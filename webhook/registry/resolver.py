"""Images of registries: the port that the service asks, put together from its parts.

One look-up goes: cache, flight (one request however many ask), then for each login each endpoint (rounds.py). The
order of the loops is the node's: the kubelet goes from credential to credential, containerd from host to host within.
What cannot be asked for because a registry is down is answered by what it said before, if that is known, as `stale`.
"""

import asyncio
import logging
import math
import secrets
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, Literal, Self

from webhook.core.errors import BadCredentials, ErrorCode, RegistryError
from webhook.core.keyring import Keyring
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.ports import Access, Image
from webhook.registry.auth import REFUSALS
from webhook.registry.breaker import Breakers
from webhook.registry.cache import Cache, Key, misannounced
from webhook.registry.client import Earlier, RegistryClient
from webhook.registry.credentials import ANONYMOUS, OPEN, Login, logins
from webhook.registry.faults import again
from webhook.registry.flight import Flights
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.places import Places
from webhook.registry.rounds import Rounds
from webhook.registry.tags import TagList, TagLists
from webhook.registry.transport import Transports
from webhook.registry.wire import Wire

_log = logging.getLogger("podgate.registry")

# What is true for a while. An overload or outage is over when it is over, and says nothing about the image.
_REMEMBERED: Final = REFUSALS | {"too-large", "digest-mismatch", "malformed", "unsupported"}
# What an answer of yesterday may stand in for. A refusal, or an answer that is wrong, is one of today.
_DOWN: Final = frozenset({"unavailable", "timeout", "rate-limited"})
# Who has an old answer to fall back on gives up waiting so many seconds before his deadline: the rest is for a verdict.
_TO_CONCLUDE: Final = 0.25
# Of several refusals the one is reported that somebody can do something about.
_TELLING: Final[tuple[ErrorCode, ...]] = ("denied", "unauthorized", "not-found")


@dataclass(frozen=True, slots=True)
class _Found:
    """`stale`: it stands in for what a registry that is down would say."""

    document: Document
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Legacy:
    """What one client leaves to the next: what it remembers and under which options that was seen. With the salt goes
    whose it is: caches know viewers by it, and the next client shows nobody more than this one did."""

    options: RegistryOptions = field(repr=False)
    breakers: Breakers = field(repr=False)
    salt: bytes = field(repr=False)
    cache: Cache = field(repr=False)


class RegistryImages:
    """ports.Images over HTTP. To be closed: an async context manager, or `aclose`.

    Whatever goes wrong leaves as RegistryError, or BadCredentials where a pull secret cannot be read.
    """

    def __init__(
        self,
        options: RegistryOptions | None = None,
        hooks: Hooks | None = None,
        legacy: "Legacy | None" = None,
    ) -> None:
        """`legacy`: of a client under other options, which goes on with what it has begun. Which hosts do not answer is
        taken over, and what it remembers where registries look the same under both; tokens, connections and failures
        are not."""
        self._options = options or RegistryOptions()
        hooks = hooks or Hooks()
        self._transports = Transports(self._options.addresses, self._options.proxies, self._options.reserved)
        self._breakers = legacy.breakers if legacy is not None else Breakers(hooks)
        wire = Wire(self._transports, self._options, hooks, self._breakers)
        self._client = RegistryClient(wire, self._options, hooks)
        self._places = Places(self._options.hosts_dir, hooks)
        self._rounds = Rounds(self._client, self._places, self._options, hooks)
        self._tags = TagLists(self._client, self._places)
        self._cache = Cache(self._options.cache_bytes, hooks)
        self._hooks = hooks
        self._flights: Flights[Document] = Flights(hooks.context)
        # Credentials are known to caches by an HMAC under this: keys in a core dump or a log give nothing away.
        self._salt = secrets.token_bytes(32)
        if legacy is not None and self._options.sees_as(legacy.options):
            self._salt = legacy.salt
            self._cache.inherit(legacy.cache, self._options.tag_ttl)

    async def prepare(self) -> None:
        """Reads what the first request would have to wait for. Raises nothing: what is wrong is told to who asks."""
        with suppress(RegistryError):
            await self._places.prepare()

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root document of a reference: by its digest where it has one, else by its tag (default: latest)."""
        found = await self._look_up(reference, _root_key(reference), access)
        return Image(reference, found.document, found.stale)

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document of the reference's repository by digest, its hash checked."""
        return (await self._look_up(reference, _key(reference, role, digest), access)).document

    def at_hand(self, reference: Reference, access: Access) -> Image | None:
        """What `resolve` would answer out of the cache; None where that may not be, for whatever reason."""
        document = self._at_hand(reference, _root_key(reference), access)
        return None if document is None else Image(reference, document)

    def document_at_hand(self, reference: Reference, digest: str, role: Role, access: Access) -> Document | None:
        """What `fetch` would answer out of the cache, as above."""
        return self._at_hand(reference, _key(reference, role, digest), access)

    def _at_hand(self, reference: Reference, key: Key, access: Access) -> Document | None:
        """What everybody is shown, whatever the logins are; else what the first login has seen, where it is plain which
        one that is: podgate's own credentials take asking."""
        if not self._options.may_ask(reference.domain):
            return None
        try:
            credentials = Keyring.from_secrets(access.secrets).lookup(reference.name) if access.secrets else ()
        except BadCredentials:
            return None
        viewers = [OPEN]
        if credentials:
            first = credentials[0]
            viewers.append(ANONYMOUS if first.nobody else first.key(self._salt))
        elif not self._options.own:
            viewers.append(ANONYMOUS)
        return self._cache.at_hand(key, viewers)

    async def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        """Indexes in the cache that name a manifest, of the reference's repository alone: what somebody writes into
        another one must not weaken a verdict about this. Raises BadCredentials."""
        if not self._options.lend_lists:
            return ()
        found: dict[str, Document] = {}
        key = _key(reference, "manifest", digest)
        viewers = set()
        with suppress(RegistryError):  # the time is up: what everybody is shown has to do
            viewers = {login.viewer async for login in logins(reference, access, self._options.own, self._salt)}
        for viewer in (OPEN, *sorted(viewers)):
            for document in self._cache.lists(key.seen_by(viewer)):
                found.setdefault(document.digest, document)
        return tuple(found.values())

    async def tags(self, reference: Reference, access: Access) -> TagList:
        """The tags of the reference's repository; one list a repository and login, however often it is asked for.
        Raises RegistryError, and BadCredentials."""
        if not self._options.may_ask(reference.domain):
            raise RegistryError("blocked-host", f"allowedHosts leaves out {reference.domain}")
        refusals: list[RegistryError] = []
        async with aclosing(logins(reference, access, self._options.own, self._salt)) as ways:
            async for login in ways:
                try:
                    return await self._tags.of(reference, login, access.deadline)
                except RegistryError as error:
                    if error.code not in REFUSALS:
                        raise
                    refusals.append(error)
        raise min(refusals, key=lambda error: _TELLING.index(error.code))

    @property
    def legacy(self) -> "Legacy":
        """What a client under other options may take over."""
        return Legacy(self._options, self._breakers, self._salt, self._cache)

    @property
    def cached_bytes(self) -> int:
        """The size of the cache in bytes, for metrics."""
        return self._cache.size

    async def aclose(self) -> None:
        """Ends what is under way and closes all connections."""
        await self._flights.aclose()
        await self._tags.aclose()
        await self._places.aclose()
        await self._client.aclose()
        await self._transports.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _look_up(self, reference: Reference, key: Key, access: Access) -> _Found:
        """Login after login until one may see it; another login helps against refusals only."""
        if not self._options.may_ask(reference.domain):
            raise RegistryError("blocked-host", f"allowedHosts leaves out {reference.domain}")
        refusals: list[RegistryError] = []
        down: RegistryError | None = None
        async with aclosing(logins(reference, access, self._options.own, self._salt)) as ways:
            async for login in ways:
                seen = key.seen_by(login.viewer)
                old = self._old(seen)
                if down is None:
                    try:
                        return _Found(await self._seen_by(login, seen, self._deadline(access, old)))
                    except RegistryError as error:
                        if error.code in REFUSALS:
                            refusals.append(again(error))  # without its trace, whose frames hold this list
                            continue
                        if error.code not in _DOWN or key.what != "tag":
                            raise
                        down = again(error)  # further logins are of use only for what they saw before
                        old = self._old(seen)  # meanwhile the registry may have said that it is no more
                if old is not None:
                    _log.warning("stale: %s is what it was before (%s)", reference, down.code)
                    self._hooks.on_cache("tags", "stale")
                    return _Found(old, stale=True)
        raise again(down or min(refusals, key=lambda error: _TELLING.index(error.code)))

    def _deadline(self, access: Access, old: Document | None) -> float | None:
        """The asker's. Who has an old answer to fall back on waits for one request's time, and leaves a rest."""
        if old is None:
            return access.deadline
        now = asyncio.get_running_loop().time()
        enough = now + self._options.request_timeout
        if access.deadline is None:
            return enough
        return min(enough, max(access.deadline - _TO_CONCLUDE, (now + access.deadline) / 2))

    async def _seen_by(self, login: Login, key: Key, deadline: float | None) -> Document:
        known = self._known(key)
        if known is not None:
            return known
        failure = self._cache.failures.get(key)
        if failure is not None:
            raise again(failure)
        return await self._flights.share(key, lambda: self._ask(login, key), deadline)

    def _known(self, key: Key) -> Document | None:
        """What the cache has for a viewer: what he saw himself, or what everybody is shown."""
        if key.what != "tag":
            return self._cache.document(key.seen_by(OPEN), key)
        found = self._cache.tags.find(key.seen_by(OPEN), key)
        return self._cache.document(_named(*found)) if found else None

    def _old(self, key: Key, age: float | None = None) -> Document | None:
        """What a tag named when its viewer, or anybody, last asked, at most `age` seconds ago: staleFor where it is
        None."""
        if key.what != "tag":
            return None
        for tag in (key.seen_by(OPEN), key):
            digest = self._cache.tags.old(tag, self._options.stale_for if age is None else age)
            document = self._cache.documents.peek(_named(tag, digest)) if digest else None
            if document is not None:
                return document
        return None

    async def _ask(self, login: Login, key: Key) -> Document:
        """Asks the endpoints and remembers the answer, good or bad."""
        try:
            earlier = self._old(key, age=math.inf)  # however old: it is only compared with what a HEAD says
            known = None
            if earlier is not None and not misannounced(earlier):
                known = Earlier(earlier, partial(self._forget, key))
            sight = await self._rounds.sight(login, key, known, partial(self._flights.hold, key))
        except RegistryError as error:
            _report(key, error)
            self._remember_failure(key, error)
            raise
        seen, document = key.seen_by(sight.viewer), sight.document
        if key.what == "tag":
            self._cache.tags.put(seen, document.digest, self._options.tag_ttl)
            seen = _named(seen, document.digest)
        self._cache.remember(seen, document, self._options.negative_ttl if misannounced(document) else None)
        return document

    def _forget(self, key: Key) -> None:
        """What a tag named, as its viewer saw it or anybody: it names something else now, and must not come back while
        the registry cannot say what."""
        self._cache.tags.drop(key)
        self._cache.tags.drop(key.seen_by(OPEN))

    def _remember_failure(self, key: Key, error: RegistryError) -> None:
        """For negativeTTL, or as long as the registry wants to be left alone if that is shorter. What a viewer is
        refused now must not be shown to him later, when the registry is down and cannot refuse it."""
        seconds = self._options.negative_ttl
        if error.code == "rate-limited":
            seconds = min(seconds, error.exchange.retry_after or 0.0)
        elif error.code not in _REMEMBERED:
            seconds = 0.0
        if seconds:
            self._cache.failures.put(key, again(error), seconds)
        if key.what == "tag" and error.code in REFUSALS:
            self._cache.tags.drop(key)
            if key.viewer == ANONYMOUS:
                self._cache.tags.drop(key.seen_by(OPEN))


def _root_key(reference: Reference) -> Key:
    if reference.digest:
        return _key(reference, "manifest", reference.digest)
    return _key(reference, "tag", reference.tag or "latest")


def _key(reference: Reference, what: Literal["manifest", "config", "tag"], name: str) -> Key:
    return Key("", reference.domain, reference.path, what, name)


def _named(tag: Key, digest: str) -> Key:
    """The key of what a tag names, for the same viewer."""
    return tag._replace(what="manifest", name=digest)


def _report(key: Key, error: RegistryError) -> None:
    """A fault in full, for the log: users are told the code alone."""
    expected = error.code in REFUSALS
    exchange = error.exchange
    _log.log(
        logging.INFO if expected else logging.WARNING,
        "registry fault: image=%s/%s %s=%s code=%s: %s (url=%s status=%s body=%r)",
        *(key.domain, key.repository, key.what, key.name, error.code, error.detail),
        *(exchange.url, exchange.status, exchange.body),
    )
