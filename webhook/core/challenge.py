"""WWW-Authenticate challenges as containerd reads them, and the token request that a bearer challenge leads to.

A node can only do what its runtime understands. containerd reads one challenge per header line, although RFC 9110
11.6.1 lets a line hold several; where a registry folds them into one line, the first scheme takes all parameters.
Reading more than containerd does would find images that no node can pull.

Source: containerd core/remotes/docker, auth/parse.go (ParseAuthHeader), auth/fetch.go (GenerateTokenOptions,
FetchToken), scope.go (GetTokenScopes).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote_plus, unquote_to_bytes

from webhook.core.errors import MalformedChallenge
from webhook.core.gourl import parse_url

Scheme = Literal["bearer", "digest", "basic"]

_SCHEMES: Final[Mapping[str, Scheme]] = {"bearer": "bearer", "digest": "digest", "basic": "basic"}
_PREFERENCE: Final[Sequence[Scheme]] = ("bearer", "digest", "basic")

# The sets of RFC 2616 2.2, which parse.go still goes by.
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z|~]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_EMPTY_PORT = re.compile(r"\A(https?://[^/]*):(?=/|\Z)")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. Parameter names are in lower case; of a repeated one the last counts."""

    scheme: Scheme
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is asked for. `realm` is the URL as Go prints it; an empty `service` was not given and is left out.

    As asked_token makes it, `realm` may be no URL that can be asked; token_request makes sure that it is.
    """

    realm: str
    service: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The fields of the POST request that all grants have in common (fetch.go, FetchTokenWithOAuth)."""
        return (("scope", " ".join(self.scopes)), ("service", self.service))

    @property
    def form_url(self) -> str:
        """The URL of the POST request: the realm as it is."""
        base, mark, query = self.realm.partition("#")[0].partition("?")
        return _EMPTY_PORT.sub(r"\1", base) + mark + query

    @property
    def url(self) -> str:
        """The URL of the GET request. What the realm's own query holds stays, as in fetch.go, FetchToken."""
        base, _, query = self.realm.partition("#")[0].partition("?")
        base = _EMPTY_PORT.sub(r"\1", base)  # net/http, removeEmptyPort
        pairs = _pairs(query)
        if self.service:
            pairs.append((b"service", _octets(self.service)))
        pairs += [(b"scope", _octets(scope)) for scope in self.scopes]
        pairs.sort(key=lambda pair: pair[0])
        encoded = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
        return f"{base}?{encoded}" if encoded else base


def parse_challenges(header_lines: Sequence[str]) -> tuple[Challenge, ...]:
    """The challenges of the WWW-Authenticate lines, bearer before digest before basic, else in their order.

    Bytes beyond ASCII are expected as UTF-8 with surrogateescape. Other schemes and lines that do not begin with one
    are dropped; a line whose parameters break off keeps those before the break. Raises nothing.
    """
    found = [challenge for line in header_lines if (challenge := _parse_line(line)) is not None]
    return tuple(sorted(found, key=lambda challenge: _PREFERENCE.index(challenge.scheme)))


def login_challenge(challenges: Sequence[Challenge]) -> Challenge | None:
    """The challenge that is answered: the first that containerd knows an answer to, which digest is not.

    None: the registry wants something that no node can give. A bearer challenge without a realm is chosen all the same,
    and fails (authorizer.go, AddResponses).
    """
    return next((challenge for challenge in challenges if challenge.scheme != "digest"), None)


def asked_token(challenge: Challenge) -> TokenRequest:
    """The token that the challenge alone asks for. Raises MalformedChallenge where the realm is missing or no URL."""
    realm = challenge.parameters.get("realm")
    if realm is None:
        raise MalformedChallenge("a token is asked for, but no realm is given", "realm")
    try:
        printed = _as_printed(realm)
    except ValueError as error:
        raise MalformedChallenge(f"not a URL: {error}", "realm") from error
    scope = challenge.parameters.get("scope")
    return TokenRequest(
        realm=printed,
        service=challenge.parameters.get("service", ""),
        scopes=() if scope is None else tuple(scope.split(" ")),
    )


@lru_cache(maxsize=32)
def _as_printed(url: str) -> str:
    """A URL as Go prints it. A registry names the same realm each time, and to take it apart takes as long as to write
    a request. Raises ValueError."""
    return str(parse_url(url))


def token_request(challenge: Challenge, repository: str) -> TokenRequest:
    """The token request for pulling from a repository (its path, such as library/nginx).

    containerd adds the repository's own scope to whatever the challenge asks for, drops repetitions and sorts them.
    Raises MalformedChallenge where the realm is missing or cannot be asked.
    """
    asked = asked_token(challenge)
    if not asked.realm.startswith(("https://", "http://")) or asked.realm.partition("//")[2][:1] in {"", "/", "?", "#"}:
        raise MalformedChallenge("not an http or https URL with a host", "realm")
    scopes = {*asked.scopes, f"repository:{repository}:pull"}
    return replace(asked, scopes=tuple(sorted(scopes, key=_octets)))


def _parse_line(line: str) -> Challenge | None:
    """parse.go, parseValueAndParams."""
    name, at = _token(line, 0)
    scheme = _SCHEMES.get(name.lower())
    if scheme is None:
        return None
    parameters: dict[str, str] = {}
    while True:
        key, at = _token(line, _after_space(line, at))
        if not key or not line.startswith("=", at):
            break
        parameters[key.lower()], at = _token_or_quoted(line, at + 1)
        at = _after_space(line, at)
        if not line.startswith(",", at):
            break
        at += 1
    return Challenge(scheme, parameters)


def _token(line: str, at: int) -> tuple[str, int]:
    found = _TOKEN.match(line, at)
    assert found is not None  # the pattern matches the empty string
    return found[0], found.end()


def _after_space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    assert found is not None  # the pattern matches the empty string
    return found.end()


def _token_or_quoted(line: str, at: int) -> tuple[str, int]:
    """A value. One whose closing quote is missing is empty and takes the rest of the line with it."""
    if not line.startswith('"', at):
        return _token(line, at)
    found = _QUOTED.match(line, at)
    if found is None:
        return "", len(line)
    return _ESCAPE.sub(r"\1", found[1]), found.end()


def _octets(text: str) -> bytes:
    """A string as Go has it; Go also sorts by bytes."""
    return text.encode("utf-8", "surrogateescape")


def _pairs(query: str) -> list[tuple[bytes, bytes]]:
    """A query as net/url's ParseQuery reads it where errors are ignored: pairs that are malformed are dropped."""
    pairs = []
    for pair in query.split("&"):
        if pair and ";" not in pair and not _BAD_PERCENT.search(pair):
            name, _, value = pair.replace("+", " ").partition("=")
            pairs.append((unquote_to_bytes(_octets(name)), unquote_to_bytes(_octets(value))))
    return pairs
