"""Bearer tokens: what a token server answers, and which tokens are still good.

Source: distribution's token specification (docs/content/spec/auth/token.md); which answers count is containerd's
core/remotes/docker/auth/fetch.go, FetchToken.
"""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from webhook.core.challenge import TokenRequest
from webhook.core.gojson import STRING, Int, Pointer, Struct, decode
from webhook.core.jsontree import InvalidJSON
from webhook.registry.auth import Token
from webhook.registry.flight import Flights
from webhook.registry.options import Hooks

# "If omitted, this defaults to 60 seconds."
_DEFAULT_LIFETIME: Final = 60.0
# A token has to last until the registry has read the request that carries it.
_MARGIN: Final = 5.0
# There is one token for each repository and credential. They are some kilobytes each, but users choose the registries,
# and these how long their tokens are.
_MOST_TOKENS: Final = 1024
_MOST_CHARACTERS: Final = 8 << 20
# No server means more than a year; and the sum must stay a number that datetime knows.
_LONGEST_LIFETIME: Final = 366 * 86400.0

_USABLE = re.compile(r"[!-~]+")  # what a header can carry
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)")


class TokenKey(NamedTuple):
    """Which token: for whom, from whom, for what. `viewer` tells credentials apart and holds nothing of them."""

    origin: str
    request: TokenRequest
    viewer: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token server gave: the token, and for how many seconds it is good."""

    text: str = field(repr=False)
    lifetime: float


@dataclass(slots=True)
class _Answer:
    token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: int = 0
    issued_at: str | None = field(default=None, repr=False)  # whatever a server may have written there


_ANSWER: Final = Struct(
    _Answer,
    {
        "token": ("token", STRING),
        "access_token": ("access_token", STRING),
        "refresh_token": ("refresh_token", STRING),
        "expires_in": ("expires_in", Int(64)),
        "issued_at": ("issued_at", Pointer(STRING)),
    },
)


def read_grant(body: bytes, wall: float) -> Grant:
    """A token server's answer at a time of 1970's clock. Raises ValueError, whose text holds nothing of the answer."""
    try:
        answer = decode(body, _ANSWER)
    except InvalidJSON as error:
        raise ValueError("not the JSON of a token") from error
    text = answer.access_token or answer.token
    if not text:
        raise ValueError("no token")
    if not _USABLE.fullmatch(text):
        raise ValueError("a token that no header can carry")
    lifetime = min(float(answer.expires_in), _LONGEST_LIFETIME) if answer.expires_in else _DEFAULT_LIFETIME
    if answer.issued_at is not None:
        lifetime = min(lifetime, _issued(answer.issued_at) + lifetime - wall)
    return Grant(text, lifetime)


def _issued(text: str) -> float:
    if not _RFC3339.fullmatch(text):
        raise ValueError("issued_at is no time")
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError("issued_at is no time") from error


class Tokens:
    """Tokens that are still good, and one request for each that is not there."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._good: OrderedDict[TokenKey, tuple[str, float]] = OrderedDict()
        self._size = 0
        self._flights: Flights[Token] = Flights(hooks.context)

    async def get(self, key: TokenKey, fetch: Callable[[], Awaitable[Grant]], *, instead_of: str = "") -> Token:
        """The token, asked for where none is good. `instead_of` was refused. Raises the RegistryError of `fetch`."""
        text, until = self._good.get(key, ("", 0.0))
        if text and text != instead_of and until > self._hooks.clock():
            self._good.move_to_end(key)
            return Token(text, fresh=False)

        async def fetched() -> Token:
            grant = await fetch()
            self._keep(key, grant)
            return Token(grant.text, fresh=True)

        return await self._flights.share(key, fetched)

    def _keep(self, key: TokenKey, grant: Grant) -> None:
        """Keeps a token that lasts for another request, in the place of the key's last one; the oldest go."""
        last, _ = self._good.pop(key, ("", 0.0))
        self._size -= _size(key, last) if last else 0
        if grant.lifetime <= _MARGIN:
            return
        self._good[key] = (grant.text, self._hooks.clock() + grant.lifetime - _MARGIN)
        self._size += _size(key, grant.text)
        while len(self._good) > _MOST_TOKENS or self._size > _MOST_CHARACTERS:
            oldest, (text, _) = self._good.popitem(last=False)
            self._size -= _size(oldest, text)

    async def aclose(self) -> None:
        """Stops asking."""
        await self._flights.aclose()


def _size(key: TokenKey, text: str) -> int:
    """The characters of a token and of what was asked for, which is the registry's choice as well."""
    return len(text) + sum(map(len, (key.request.realm, key.request.service, *key.request.scopes)))
