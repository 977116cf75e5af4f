"""What a registry client did to find something out, told as it happens; nothing of it is a secret."""

from dataclasses import dataclass
from typing import Final, Literal

from webhook.core.errors import ErrorCode

NOBODY: Final = ""
"""As a credential: the registry answered without any Authorization."""
ANONYMOUS: Final = "anonymous"
"""As a credential: none at all, but a token that the registry's token server gives everybody."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One HTTP request, redirects being requests of their own. `url` has neither query nor user information.

    status: None where there was no answer, or none to the end; `error` says why. seconds: until the whole answer.
    """

    method: str
    url: str
    status: int | None
    error: ErrorCode | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A document that a registry gave. `name`: the tag or digest asked for. `host`: the endpoint, with its port where
    it has one of its own; `mirror`: it stands in for the registry. `credential`: where the one that was shown comes
    from, NOBODY, or ANONYMOUS."""

    what: Literal["tag", "manifest", "config"]
    name: str
    host: str
    mirror: bool
    credential: str
