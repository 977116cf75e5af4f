"""One document from one endpoint of a registry, for one login."""

import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, TypeVar

from webhook.aside import LARGE, aside
from webhook.core.challenge import Challenge, TokenRequest
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Document
from webhook.core.realm import realm_may_have_credentials
from webhook.core.reference import Reference
from webhook.registry.auth import (
    REFUSALS,
    Conclusion,
    Known,
    Send,
    Token,
    TokenWanted,
    challenge_of,
    converse,
    of_any_repository,
)
from webhook.registry.cache import Key
from webhook.registry.credentials import OPEN, Login
from webhook.registry.faults import never_connected, of_status, speaks_no_tls
from webhook.registry.firsts import Firsts
from webhook.registry.grants import fetch_grant
from webhook.registry.heads import FAULT_SECONDS, REFUSED_SECONDS, Heads
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.places import Place
from webhook.registry.tokens import Grant, TokenKey, Tokens
from webhook.registry.wire import Ask, Reply, Wire

_log = logging.getLogger("podgate.registry")

MANIFEST_LIMIT: Final = 4 << 20
"""Bytes of a manifest or index (distribution-spec, pushing manifests: 4 MiB have to be accepted)."""

CONFIG_LIMIT: Final = 8 << 20
"""Bytes of an image config."""

_TOKEN_LIMIT: Final = 1 << 20  # tokens are a few kilobytes

# containerd's own list: a registry may hide a document whose type is not named, and */* is for those that know none.
ACCEPT: Final = f"{DOCKER_MANIFEST}, {DOCKER_LIST}, {OCI_MANIFEST}, {OCI_INDEX}, */*"

# go-digest's algorithms. Nothing else ever gets into a URL: digests come from documents that anybody wrote.
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")

K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")

_MOST_CHALLENGES: Final = 4096  # registries and repositories that are remembered to challenge; users choose both
# Characters of one that is remembered. Real ones have a few hundred, a header may have 100,000.
_LONGEST_CHALLENGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Sight:
    """A document, and who may be shown it: the login's viewer, or OPEN."""

    document: Document
    viewer: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a tag named when it was last asked for. `outdated` is called as soon as the registry says that it names
    something else now: from then on that is no answer any more, whatever becomes of the new one."""

    document: Document
    outdated: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Learnt:
    """A registry's challenge, None where it never gave one, and whether its address is public."""

    challenge: Challenge | None = None
    public: bool = False


@dataclass(frozen=True, slots=True)
class _Realm:
    """Who sends us to a token realm: an endpoint, the registry that it is one of, whether its address is public."""

    place: Place
    domain: str
    public: bool


class RegistryClient:
    """Documents by endpoint and login, tokens and challenges remembered."""

    def __init__(self, wire: Wire, options: RegistryOptions, hooks: Hooks) -> None:
        self._wire = wire
        self._options = options
        self._hooks = hooks
        self._tokens = Tokens(hooks)
        self._heads = Heads(hooks)
        self._challenges: OrderedDict[tuple[str, str], _Learnt] = OrderedDict()
        self._plain: OrderedDict[str, None] = OrderedDict()
        self._firsts = Firsts()

    async def document(self, place: Place, key: Key, login: Login, earlier: Earlier | None = None) -> Sight:
        """The document that a key names, its hash compared with the digest. Raises RegistryError.

        `earlier` is what the key, a tag, named before: where a HEAD says that it still does, that is the answer; where
        it says otherwise, that is told at once.
        """
        if key.what != "tag" and not _DIGEST.fullmatch(key.name):
            raise RegistryError("malformed", "not a digest that content can be asked for by")
        return await self._either_scheme(place, lambda one: self._document(one, key, login, earlier))

    async def _either_scheme(self, place: Place, ask: Callable[[Place], Awaitable[T]]) -> T:
        """https, and for some places http where that is not spoken (docker.NewHTTPFallback); what was found out is
        remembered."""
        if not place.http_fallback:
            return await ask(place)
        plain = replace(place, scheme="http", http_fallback=False)
        if place.host not in self._plain:
            try:
                return await ask(place)
            except RegistryError as error:
                has_port = place.host.rpartition(":")[2].isdigit()
                if not speaks_no_tls(error) and (has_port or not never_connected(error)):
                    raise
            _remember(self._plain, place.host, None)
        return await ask(plain)

    async def _document(self, place: Place, key: Key, login: Login, known: Earlier | None) -> Sight:
        hint = None
        earlier = known.document if known is not None else None
        if known is not None and self._heads.of_use(place.origin):
            conclusion = await self._head(place, key, login)
            hint = conclusion.reply.digest_hint if conclusion and conclusion.reply.status == 200 else ""
            if conclusion and hint == known.document.digest:
                return Sight(known.document, OPEN if conclusion.open else login.viewer)
            if _DIGEST.fullmatch(hint):
                known.outdated()
        conclusion = await self._converse(place, key, login)
        reply = conclusion.reply
        if reply.status != 200:
            raise _refusal(place, reply)
        digest = _checked(reply, key)
        if hint not in (None, digest):
            self._heads.distrust(place.origin, REFUSED_SECONDS)  # GET works, and HEAD said something else
        viewer = OPEN if conclusion.open else login.viewer
        if earlier is not None and earlier.digest == digest:
            return Sight(earlier, viewer)
        document = Document(reply.media_type, digest, reply.body)
        if key.what == "tag" and _belied(reply) and await _read(document):
            raise reply.fault("digest-mismatch", f"the body does not have the digest {reply.digest_hint} of its header")
        return Sight(document, viewer)

    async def _head(self, place: Place, key: Key, login: Login) -> Conclusion | None:
        """The answer to a HEAD; None where it led nowhere, as by a redirect that a GET may not have.

        Raises where the registry may be down or overrun: a GET must not follow on its heels, and takes the place of the
        HEAD when it is time. So it does where a login is refused, which is no matter of the method.
        """
        try:
            conclusion = await self._converse(place, key, login, method="HEAD")
            if of_status(conclusion.reply.status)[1]:
                raise _refusal(place, conclusion.reply)
        except RegistryError as error:
            if error.code != "rate-limited":
                self._heads.distrust(place.origin, FAULT_SECONDS)
            if error.retryable or error.code in REFUSALS:
                raise
            return None
        return conclusion

    async def tags(self, place: Place, reference: Reference, login: Login, query: str) -> Reply:
        """A page of the tags of a reference's repository, as JSON. `query`: which one, in the words of the registry.

        Raises RegistryError.
        """
        return await self._either_scheme(place, lambda one: self._tags(one, reference, login, query))

    async def _tags(self, place: Place, reference: Reference, login: Login, query: str) -> Reply:
        url = place.url(reference.path, "tags", "list")
        ask = self._ask(place, login, f"{url}{'&' if '?' in url else '?'}{query}")
        about = Key("", reference.domain, reference.path, "tag", "")
        conclusion = await self._about(place, about, login, replace(ask, accept="application/json"))
        if conclusion.reply.status != 200:
            raise _refusal(place, conclusion.reply)
        return conclusion.reply

    async def _converse(
        self, place: Place, key: Key, login: Login, *, method: Literal["GET", "HEAD"] = "GET"
    ) -> Conclusion:
        what = "blobs" if key.what == "config" else "manifests"
        ask = self._ask(place, login, place.url(key.repository, what, key.name))
        if what == "blobs":
            ask = replace(ask, accept="*/*", limit=CONFIG_LIMIT)
        if method != "GET":
            ask = replace(ask, method=method)
        return await self._about(place, key, login, ask)

    def _ask(self, place: Place, login: Login, url: str) -> Ask:
        return Ask(
            url=url,
            accept=ACCEPT,
            limit=MANIFEST_LIMIT,
            tls=place.tls,
            header=place.header,
            secrets=login.secrets,
            dial_timeout=place.dial_timeout,
        )

    async def _about(self, place: Place, key: Key, login: Login, ask: Ask) -> Conclusion:
        """What comes of a request about a repository, in the end."""
        first = await self._firsts.wait(place.origin)
        try:
            return await self._conversation(place, key, login, ask)
        finally:
            if first:  # whatever has become of it
                self._firsts.met(place.origin, answered=False)

    async def _conversation(self, place: Place, key: Key, login: Login, ask: Ask) -> Conclusion:
        learnt, certain = self._learnt(place, key.repository)
        flow = converse(login, key.repository, Known(learnt.challenge, certain))
        public, tokens_fail = learnt.public, False
        try:
            step = next(flow)
            while True:
                try:
                    answer: Reply | Token
                    if isinstance(step, Send):
                        shown = step.authorization
                        answer = await self._wire.get(replace(ask, authorization=shown) if shown else ask)
                        public = answer.public
                        self._meet(place, answer)
                    else:
                        answer = await self._token(_Realm(place, key.domain, public), step, login)
                except RegistryError as error:
                    tokens_fail = isinstance(step, TokenWanted)
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            conclusion: Conclusion = stop.value
        if tokens_fail and conclusion.open and conclusion.reply.status == 200:  # there is no login here any more
            for known in (key.repository, ""):
                self._challenges.pop((place.origin, known), None)
        if conclusion.challenge is not None and _is_short(conclusion.challenge):
            learnt = _Learnt(conclusion.challenge, public)
            everywhere = _Learnt(of_any_repository(conclusion.challenge), public)
            _remember(self._challenges, (place.origin, ""), everywhere)
            _remember(self._challenges, (place.origin, key.repository), learnt)
        return conclusion

    def _meet(self, place: Place, reply: Reply) -> None:
        """Takes note of a host's first answer, for those who wait for it: what it wants of this repository it wants of
        the others as well, as a rule."""
        challenge = challenge_of(reply)
        known = (place.origin, "")
        if challenge is not None and known not in self._challenges and _is_short(challenge):
            _remember(self._challenges, known, _Learnt(of_any_repository(challenge), reply.public))
        self._firsts.met(place.origin, answered=True)

    def _learnt(self, place: Place, repository: str) -> "tuple[_Learnt, bool]":
        """What is known of a registry's challenge, and whether this very repository gave it."""
        own = self._challenges.get((place.origin, repository))
        return own or self._challenges.get((place.origin, ""), _Learnt()), own is not None

    async def _token(self, asked: "_Realm", wanted: TokenWanted, login: Login) -> Token:
        request, place, login = wanted.request, asked.place, login.for_tokens
        own_realm = realm_may_have_credentials(
            place.host,
            request.realm,
            plain_http=place.scheme == "http",
            allowed=self._options.realms_of(place.host, asked.domain),
        )
        if login.credential is not None and not own_realm:
            _log.warning("no credentials for a token realm of another domain: host=%s", place.host)
            login = Login()
        key = TokenKey(place.origin, request, login.viewer)

        async def fetch() -> Grant:
            return await self._grant(asked, request, login, own_realm=own_realm)

        return await self._tokens.get(key, fetch, instead_of=wanted.instead_of)

    async def _grant(self, asked: "_Realm", request: TokenRequest, login: Login, *, own_realm: bool) -> Grant:
        place = asked.place
        if not request.realm.startswith("https://") and place.scheme != "http":
            raise RegistryError("tls", "a token realm without TLS")
        here = request.realm.startswith(f"{place.origin}/")
        ask = Ask(
            url=request.url,
            accept="application/json",
            limit=_TOKEN_LIMIT,
            tls=place.tls if own_realm else place.tls.abroad,
            secrets=(*login.secrets, *(value for _, value in place.header)),
            chosen=here,
            public_only=asked.public and not own_realm,
        )
        return await fetch_grant(self._wire, ask, request, login, self._hooks.wall())

    async def aclose(self) -> None:
        """Stops asking for tokens."""
        await self._tokens.aclose()


def _refusal(place: Place, reply: Reply) -> RegistryError:
    code, retryable = of_status(reply.status)
    return reply.fault(code, f"{place.host} answers {reply.status}", retryable=retryable)


def _checked(reply: Reply, key: Key) -> str:
    """The digest of the body: the one asked for, which it must have, or for a tag its sha256."""
    if key.what == "tag":
        return f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
    algorithm, _, wanted = key.name.partition(":")
    if hashlib.new(algorithm, reply.body).hexdigest() != wanted:
        raise reply.fault("digest-mismatch", f"the body does not have the digest {key.name}")
    return key.name


def _belied(reply: Reply) -> bool:
    """Whether Docker-Content-Digest names another document than the body: containerd asks for that one then, and CRI-O
    takes the body. What a node would pull is not known."""
    algorithm, _, named = reply.digest_hint.partition(":")
    return bool(_DIGEST.fullmatch(reply.digest_hint)) and hashlib.new(algorithm, reply.body).hexdigest() != named


async def _read(document: Document) -> bool:
    """The same as `_is_image`, for a large one beside the event loop."""
    return await aside(partial(_is_image, document)) if len(document.body) > LARGE else _is_image(document)


def _is_image(document: Document) -> bool:
    """Whether something could be concluded from a document."""
    try:
        return document.kind != "unknown" and bool(document.index if document.kind == "index" else document.manifest)
    except MalformedDocument:
        return False


def _is_short(challenge: Challenge) -> bool:
    return sum(len(name) + len(value) for name, value in challenge.parameters.items()) <= _LONGEST_CHALLENGE


def _remember(table: OrderedDict[K, V], key: K, value: V) -> None:
    """Puts a fact into a bounded table; the oldest goes."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > _MOST_CHALLENGES:
        table.popitem(last=False)
