"""Which token realms may be sent a registry's credentials.

A registry names its token realm itself, in a header. Where somebody else can write that header (plain HTTP, a
compromised mirror), a wrong yes gives a password away; a wrong no costs one uncertain image and can be mended in
settings. There is no list of public suffixes here, so no guess is made about who owns which domain. The rule is about
authority instead:

- the registry's own host, whatever the port; all loopback addresses are one host (docs/adr/0030-loopback-realms.md);
- a domain below the registry's host (reg.example -> auth.reg.example), which the registry's owner hands out;
- a domain above it (registry.gitlab.com -> gitlab.com), whose owner could answer for the registry anyway, but no bare
  top-level name;
- never a sibling (a.azurecr.io -> b.azurecr.io, a.co.uk -> b.co.uk), whoever may own the domain above both, except the
  one that is known: Docker Hub's.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Final

# Hosts whose realm is a sibling, and that realm's origin.
_KNOWN: Final[Mapping[str, tuple[str, str, int]]] = {
    "registry-1.docker.io": ("https", "auth.docker.io", 443),
    "index.docker.io": ("https", "auth.docker.io", 443),
}

# Narrower than any URL parser: no user information, no escapes, no backslash, no empty label. What is let through here
# means the same host to every parser.
_HOST = r"(?P<host>[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_AUTHORITY = re.compile(_HOST)
_URL = re.compile(rf"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://{_HOST}(?P<path>/[!\"$->@-\[\]-~]*)?(?:[?#][!-\[\]-~]*)?")
_DEFAULT_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class _Place:
    """A URL taken apart; `port` is the scheme's own where none is written, `path` empty where there is none."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port


def realm_may_have_credentials(
    registry_host: str, realm: str, *, plain_http: bool = False, allowed: Collection[str] = ()
) -> bool:
    """Whether the credentials of a registry may be sent to a token realm. Raises nothing: what is odd is refused.

    registry_host: the host that gave the challenge, as it was connected to (`host` or `host:port`). Where that is a
    mirror, the registry that the credentials are for may be asked about as well: its own realm gets nothing new.
    realm: the URL of the challenge. plain_http: the host is set to plain HTTP, so its realm may be too. allowed: the
    realms that settings allow for this registry: a URL (its origin counts, and its path unless that is empty or /), or
    `host`, or `host:port`.
    """
    asked = _url(realm)
    registry = _AUTHORITY.fullmatch(registry_host)
    if asked is None or registry is None or (asked.scheme != "https" and not plain_http):
        return False
    host = registry["host"].lower()
    return (
        _own_domain(host, asked.host)
        or _KNOWN.get(host) == asked.origin
        or any(_allows(entry, asked) for entry in allowed)
    )


def _own_domain(registry: str, realm: str) -> bool:
    if registry == realm or (_is_loopback(registry) and _is_loopback(realm)):
        return True
    if _is_literal(registry) or _is_literal(realm):
        return False
    return _is_below(realm, registry) or _is_below(registry, realm)


def _is_below(name: str, domain: str) -> bool:
    """Whether the name is in the domain. A bare top-level name is nobody's own domain."""
    return "." in domain and name.endswith(f".{domain}")


def _is_literal(host: str) -> bool:
    """Whether it is an address and no name, in any form that resolvers take (10.1, 0x7f.1): by its last part."""
    return host.startswith("[") or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]) is not None


def _is_loopback(host: str) -> bool:
    """Every loopback address is the same machine (RFC 1122 3.2.1.3 (g)), and so is localhost (RFC 6761 6.3)."""
    if host in {"localhost", "[::1]"}:
        return True
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def _url(text: str) -> _Place | None:
    found = _URL.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower()
    port = int(found["port"]) if found["port"] else _DEFAULT_PORTS[scheme]
    return _Place(scheme, found["host"].lower(), port, found["path"] or "")


def _allows(entry: str, asked: _Place) -> bool:
    if "://" in entry:
        place = _url(entry)
        return place is not None and place.origin == asked.origin and place.path in {"", "/", asked.path}
    found = _AUTHORITY.fullmatch(entry)
    if found is None:
        return False
    port = int(found["port"]) if found["port"] else _DEFAULT_PORTS[asked.scheme]
    return (found["host"].lower(), port) == (asked.host, asked.port)
