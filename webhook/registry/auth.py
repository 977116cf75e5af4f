"""The login, as a generator without I/O: it says what to send and which token it wants, and is told what came of it.

The order is containerd's, which pulls on the node: ask without credentials, answer the challenge, ask again. Where the
registry's challenge is known already it is answered beforehand, which saves a request and must not change the result:
where that fails for a repository that has never been seen to challenge, or where no token is to be had any more at the
place that was known, the whole way is gone after all.

Sources: containerd core/remotes/docker authorizer.go (AddResponses, doBearerAuth); distribution's token specification.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.core.challenge import Challenge, TokenRequest, login_challenge, parse_challenges, token_request
from webhook.core.errors import MalformedChallenge, RegistryError
from webhook.registry.credentials import Login
from webhook.registry.faults import again
from webhook.registry.wire import Reply

REFUSALS: Final = frozenset({"unauthorized", "denied", "not-found"})
"""Codes that another credential may do better with: registries hide by any of them what one may not see."""


@dataclass(frozen=True, slots=True)
class Send:
    """The request, with this Authorization; empty: without."""

    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A token for the login. `instead_of`: one that was refused, so it must be another; empty: any that is good."""

    request: TokenRequest
    instead_of: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token. `fresh`: it was made for this very request."""

    text: str = field(repr=False)
    fresh: bool


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The last answer, and whether it came without any Authorization, so that anybody would have got it. `challenge` is
    what the registry asks of this repository, None where that was not learnt."""

    reply: Reply
    open: bool
    challenge: Challenge | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier requests taught. `challenge`: the registry's, None where it never asked. `certain`: this very
    repository asked."""

    challenge: Challenge | None = None
    certain: bool = False


Step = Send | TokenWanted
Conversation = Generator[Step, Reply | Token, Conclusion]


def converse(login: Login, repository: str, known: Known) -> Conversation:
    """One document's way through the registry's login. A refused token request comes in as a RegistryError."""
    refused: Conclusion | RegistryError | None = None
    if known.challenge is not None:
        try:
            early = yield from _answer(known.challenge, login, repository)
        except RegistryError as error:
            if known.certain and error.exchange.status in (401, 403):  # a token server's word on the login
                raise
            refused = again(error)  # or the token server has moved since
        else:
            if early is not None:
                refused = Conclusion(early, open=False, challenge=known.challenge)
                if early.status not in (401, 403, 404) or (known.certain and not _asks_anew(early, known, repository)):
                    return refused
    reply = yield from _send(Send())
    challenge = challenge_of(reply)
    if challenge is None:
        return Conclusion(reply, open=True)
    if refused is not None and _wants(challenge, repository) == _wants(known.challenge, repository):
        if isinstance(refused, RegistryError):
            raise again(refused)
        return refused
    answered = yield from _answer(challenge, login, repository)
    return Conclusion(answered or reply, open=False, challenge=challenge)


def challenge_of(reply: Reply) -> Challenge | None:
    """What a 401 asks for, without what it says of the token that it refuses (RFC 6750 section 3)."""
    challenge = login_challenge(parse_challenges(reply.challenges)) if reply.status == 401 else None
    if challenge is None:
        return None
    lasting = {name: value for name, value in challenge.parameters.items() if not name.startswith("error")}
    return replace(challenge, parameters=lasting)


def of_any_repository(challenge: Challenge) -> Challenge:
    """A challenge as far as the whole registry gives it: the scope is one repository's."""
    lasting = {name: value for name, value in challenge.parameters.items() if name != "scope"}
    return replace(challenge, parameters=lasting)


def _asks_anew(reply: Reply, known: Known, repository: str) -> bool:
    """Whether a refusal asks for something else than what was known, and answered."""
    challenge = challenge_of(reply)
    return challenge is not None and _wants(challenge, repository) != _wants(known.challenge, repository)


def _wants(challenge: Challenge | None, repository: str) -> TokenRequest | str | None:
    """What would answer a challenge: two that want the same would be answered the same."""
    if challenge is None:
        return None
    if challenge.scheme == "basic":
        return "basic"
    try:
        return token_request(challenge, repository)
    except MalformedChallenge:
        return None


def _answer(challenge: Challenge, login: Login, repository: str) -> Generator[Step, Reply | Token, Reply | None]:
    """The request with what the challenge asks for; None where the login has nothing to show for it."""
    if challenge.scheme == "basic":
        basic = login.basic
        return None if basic is None else (yield from _send(Send(f"Basic {basic}")))
    if login.bearer:  # a token that was given to podgate takes the place of one that is asked for
        return (yield from _send(Send(f"Bearer {login.bearer}")))
    try:
        request = token_request(challenge, repository)
    except MalformedChallenge as error:
        raise RegistryError("malformed", f"a challenge that leads to no token: {error}") from error
    token = yield from _token(TokenWanted(request))
    reply = yield from _send(Send(f"Bearer {token.text}"))
    if reply.status == 401 and not token.fresh:
        token = yield from _token(TokenWanted(request, instead_of=token.text))
        reply = yield from _send(Send(f"Bearer {token.text}"))
    return reply


def _send(step: Send) -> Generator[Step, Reply | Token, Reply]:
    answer = yield step
    assert isinstance(answer, Reply)
    return answer


def _token(step: TokenWanted) -> Generator[Step, Reply | Token, Token]:
    answer = yield step
    assert isinstance(answer, Token)
    return answer
