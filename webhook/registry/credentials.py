"""Whose eyes a registry is looked at with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook.core.keyring import Credential, Keyring, PullSecret
from webhook.core.reference import Reference

ANONYMOUS: Final = "anonymous"
"""The viewer who logged in to nothing, or asked for a token without credentials."""

OPEN: Final = "open"
"""The viewer of answers to requests without any Authorization: everybody would have got them."""


@dataclass(frozen=True, slots=True)
class Login:
    """One way to log in. `viewer` is what caches know it by: it tells credentials apart and says nothing about them."""

    viewer: str = ANONYMOUS
    credential: Credential | None = field(default=None, repr=False)

    @property
    def for_tokens(self) -> "Login":
        """The login that a token server is shown: containerd asks for a token anonymously where user name or password
        is empty (authorizer.go, doBearerAuth). A challenge for Basic is answered with the user name alone: containerd
        gives up there and CRI-O tries, and a registry refuses both."""
        return Login() if self.credential is not None and self.credential.anonymous else self

    @property
    def basic(self) -> str | None:
        """What follows `Basic ` in an Authorization header; None where there is nothing to log in with. A secret."""
        return None if self.credential is None else self.credential.basic

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be quoted from an answer."""
        if self.credential is None:
            return ()
        return (self.credential.basic, self.credential.password)


def logins(reference: Reference, secrets: Sequence[PullSecret], own: Keyring, salt: bytes) -> tuple[Login, ...]:
    """The logins to try for an image, in order: those of the pull secrets, then the process's own; anonymous only
    where none matches (kuberuntime_image.go, PullImage). Raises BadCredentials."""
    pod = Keyring.from_secrets(secrets)
    matching = (*pod.lookup(reference.name), *own.lookup(reference.name))
    found = [Login(each.key(salt), each) if each.username else Login() for each in matching]
    first_of_each: dict[str, Login] = {}
    for login in found:  # the same user and password may stand in several secrets: the answer would be the same
        first_of_each.setdefault(login.viewer, login)
    return tuple(first_of_each.values()) or (Login(),)
