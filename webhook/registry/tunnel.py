"""What httpcore's connections through a proxy lack.

A host that is an IPv6 address goes without brackets into the target of CONNECT and into the URL that a proxy is asked
for, which no proxy can read (RFC 3986 3.2.2).
"""

from typing import Final

_BRACKETS: Final = "[]"


def bracketed(host: bytes) -> bytes:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return b"[%b]" % host if b":" in host else host


def bare(host: str) -> str:
    """A host as certificates name it and TLS asks for it: without brackets."""
    return host.strip(_BRACKETS)
