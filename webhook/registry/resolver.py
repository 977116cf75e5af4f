"""Images of registries: the port that the service asks, put together from its parts.

One look-up goes: cache, flight (one request however many ask), then for each login each endpoint. The order of the
loops is the node's: the kubelet goes from credential to credential, containerd from host to host within each.
"""

import logging
import secrets
from types import TracebackType
from typing import Final, Literal, Self

from webhook.core.errors import ErrorCode, RegistryError
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.ports import Access, Image
from webhook.registry.auth import REFUSALS
from webhook.registry.cache import Cache, Key
from webhook.registry.client import RegistryClient, Sight
from webhook.registry.credentials import OPEN, Login, logins
from webhook.registry.faults import again
from webhook.registry.flight import Flights
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.places import Place, Places
from webhook.registry.transport import Transports
from webhook.registry.wire import Wire

_log = logging.getLogger("podgate.registry")

# What is true for a while. An overload or outage is over when it is over, and says nothing about the image.
_REMEMBERED: Final = REFUSALS | {"too-large", "digest-mismatch", "malformed", "unsupported"}
# Of several refusals the one is reported that somebody can do something about.
_TELLING: Final[tuple[ErrorCode, ...]] = ("denied", "unauthorized", "not-found")


class RegistryImages:
    """ports.Images over HTTP. To be closed: an async context manager, or `aclose`.

    Whatever goes wrong leaves as RegistryError, or BadCredentials where a pull secret cannot be read.
    """

    def __init__(self, options: RegistryOptions | None = None, hooks: Hooks | None = None) -> None:
        self._options = options or RegistryOptions()
        hooks = hooks or Hooks()
        self._transports = Transports(self._options.addresses)
        self._client = RegistryClient(Wire(self._transports, self._options, hooks), self._options, hooks)
        self._places = Places(self._options.hosts_dir, hooks)
        self._cache = Cache(self._options.cache_bytes, hooks)
        self._flights: Flights[Document] = Flights()
        # Credentials are known to caches by an HMAC under this: keys in a core dump or a log give nothing away.
        self._salt = secrets.token_bytes(32)

    async def resolve(self, reference: Reference, access: Access) -> Image:
        """The root document of a reference: by its digest where it has one, else by its tag (default: latest)."""
        if reference.digest:
            key = _key(reference, "manifest", reference.digest)
        else:
            key = _key(reference, "tag", reference.tag or "latest")
        return Image(reference, await self._look_up(reference, key, access))

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        """A document of the reference's repository by digest, its hash checked."""
        return await self._look_up(reference, _key(reference, role, digest), access)

    def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        """Indexes in the cache that name a manifest, of the reference's repository alone: what somebody writes into
        another one must not weaken a verdict about this. Raises BadCredentials."""
        if not self._options.lend_lists:
            return ()
        found: dict[str, Document] = {}
        key = _key(reference, "manifest", digest)
        viewers = {login.viewer for login in logins(reference, access.secrets, self._options.own, self._salt)}
        for viewer in (OPEN, *sorted(viewers)):
            for document in self._cache.lists(key.seen_by(viewer)):
                found.setdefault(document.digest, document)
        return tuple(found.values())

    @property
    def cached_bytes(self) -> int:
        """The size of the cache in bytes, for metrics."""
        return self._cache.size

    async def aclose(self) -> None:
        """Ends what is under way and closes all connections."""
        await self._flights.aclose()
        await self._places.aclose()
        await self._client.aclose()
        await self._transports.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _look_up(self, reference: Reference, key: Key, access: Access) -> Document:
        """Login after login until one may see it; another login helps against refusals only."""
        if not self._options.may_ask(reference.domain):
            raise RegistryError("blocked-host", f"allowedHosts leaves out {reference.domain}")
        refusals: list[RegistryError] = []
        for login in logins(reference, access.secrets, self._options.own, self._salt):
            try:
                return await self._seen_by(login, key.seen_by(login.viewer), access)
            except RegistryError as error:
                if error.code not in REFUSALS:
                    raise
                refusals.append(error)
        raise min(refusals, key=lambda error: _TELLING.index(error.code))

    async def _seen_by(self, login: Login, key: Key, access: Access) -> Document:
        known = self._known(key)
        if known is not None:
            return known
        failure = self._cache.failures.get(key)
        if failure is not None:
            raise again(failure)
        return await self._flights.share(key, lambda: self._ask(login, key), access.deadline)

    def _known(self, key: Key) -> Document | None:
        """What the cache has for a viewer: what he saw himself, or what everybody is shown."""
        if key.what != "tag":
            return self._cache.document(key.seen_by(OPEN), key)
        for viewer in (OPEN, key.viewer):
            tag = key.seen_by(viewer)
            digest = self._cache.tags.get(tag)
            if digest is not None:
                return self._cache.document(tag._replace(what="manifest", name=digest))
        return None

    async def _ask(self, login: Login, key: Key) -> Document:
        """Asks the endpoints and remembers the answer, good or bad."""
        try:
            sight = await self._first_place(login, key)
        except RegistryError as error:
            _report(key, error)
            if error.code in _REMEMBERED and self._options.negative_ttl:
                self._cache.failures.put(key, again(error), self._options.negative_ttl)
            raise
        seen, document = key.seen_by(sight.viewer), sight.document
        if key.what == "tag":
            self._cache.tags.put(seen, document.digest, self._options.tag_ttl)
            seen = seen._replace(what="manifest", name=document.digest)
        self._cache.remember(seen, document)
        return document

    async def _first_place(self, login: Login, key: Key) -> Sight:
        """The first endpoint that answers; the next is tried after any failure, as containerd does."""
        places = [place for place in await self._places.of(key.domain) if _serves(place, key)]
        failures: list[RegistryError] = []
        for place in places:
            try:
                return await self._client.document(place, key, login)
            except RegistryError as error:
                failures.append(error)
        raise _telling(failures)


def _key(reference: Reference, what: Literal["manifest", "config", "tag"], name: str) -> Key:
    return Key("", reference.domain, reference.path, what, name)


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


def _serves(place: Place, key: Key) -> bool:
    return place.resolves if key.what == "tag" else place.pulls


def _telling(failures: list[RegistryError]) -> RegistryError:
    """Of several endpoints' failures the one that got furthest (containerd's resolver, firstErrPriority): an answer
    before `not found` before none at all; the others are told in its detail."""
    if not failures:
        return RegistryError("not-found", "no endpoint of the registry may be asked for this")
    if len(failures) == 1:
        return failures[0]
    chosen = max(failures, key=_progress)
    detail = "; ".join(failure.detail for failure in failures)
    return RegistryError(chosen.code, detail, chosen.exchange, retryable=chosen.retryable)


def _progress(error: RegistryError) -> int:
    if error.exchange.status is None:
        return 1
    return 2 if error.code == "not-found" else 3
