"""Whose eyes a registry is looked at with."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from webhook.core.keyring import Credential, Keyring
from webhook.core.reference import Reference
from webhook.ports import Access
from webhook.registry.own import OwnCredentials

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
        return self.credential.basic if self.credential is not None and self.credential.username else None

    @property
    def refresh(self) -> str:
        """What a token server gives tokens for, instead of a password; empty where there is none. A secret."""
        return "" if self.credential is None else self.credential.identity_token

    @property
    def bearer(self) -> str:
        """What the registry itself is shown, without any token server; empty where there is none. A secret."""
        return "" if self.credential is None else self.credential.registry_token

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be quoted from an answer, as it is and as a form has it."""
        if self.credential is None:
            return ()
        plain = (self.credential.password, self.refresh, self.bearer)
        return (self.credential.basic, *plain, *(quote_plus(text.encode("utf-8", "surrogateescape")) for text in plain))


async def logins(
    reference: Reference, access: Access, own: Sequence[OwnCredentials], salt: bytes
) -> AsyncGenerator[Login, None]:
    """The logins to try for an image, in order: those of the pull secrets, then podgate's own, which are looked for
    only when it comes to them; anonymous only where none matches (kuberuntime_image.go, PullImage).

    Raises BadCredentials for a pull secret that cannot be read, RegistryError where the time is up.
    """
    tried: set[str] = set()
    async for credential in _credentials(reference, access, own):
        login = Login() if credential.nobody else Login(credential.key(salt), credential)
        if login.viewer not in tried:  # the same user and password may stand in several places
            tried.add(login.viewer)
            yield login
    if not tried:
        yield Login()


async def _credentials(
    reference: Reference, access: Access, own: Sequence[OwnCredentials]
) -> AsyncGenerator[Credential, None]:
    if access.secrets:
        for credential in Keyring.from_secrets(access.secrets).lookup(reference.name):
            yield credential
    for source in own:
        for credential in await source.lookup(reference, access):
            yield credential
