"""Credentials of podgate's own, and to whom they are lent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from webhook.core.keyring import Credential, Keyring
from webhook.core.reference import Reference
from webhook.ports import Access


class OwnCredentials(Protocol):
    """A source of credentials beside a pod's pull secrets: settings, provider plugins, a docker configuration."""

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        """The credentials to try for an image, in order; none for a namespace that they are not lent to.

        What goes wrong on the way is the source's own business: it logs it and has no credentials, as in the kubelet.
        Raises RegistryError where the time of `access` is up.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lent:
    """A keyring that is lent to namespaces, by globs."""

    keyring: Keyring = field(repr=False)
    namespaces: tuple[str, ...] = ("*",)

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        """The keyring's credentials for an image."""
        return self.keyring.lookup(reference.name) if is_lent(self.namespaces, access.namespace) else ()


def is_lent(globs: Iterable[str], namespace: str) -> bool:
    """Whether a namespace is one of those that globs name. What has no namespace is only meant by `*`."""
    return any(fnmatchcase(namespace, glob) for glob in globs)
