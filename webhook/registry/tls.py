"""TLS as a node would do it: Go's checks, the system's roots and those of the hosts directory."""

import ssl
from dataclasses import dataclass, replace
from functools import lru_cache

import httpx

from webhook.core.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Client:
    """A client certificate: the files of certificate and key, which the ssl module loads by name only, and a `stamp`
    that changes with their content, so that a renewed certificate is loaded."""

    certificate: str
    key: str
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a host is to be spoken to. `authorities`: PEM texts trusted besides the system's. `verify` false:
    skip_verify of hosts.toml."""

    verify: bool = True
    authorities: tuple[str, ...] = ()
    clients: tuple[Client, ...] = ()

    @property
    def abroad(self) -> "Tls":
        """For what a host leads to. Its authorities count there too, as in containerd (the blob store of a private
        registry has a private certificate); a client certificate is a credential, and stays at home."""
        return replace(self, clients=())


PLAIN = Tls()
"""The defaults: the system's roots, no client certificate."""


@lru_cache(maxsize=256)  # hosts of a hosts directory; loading the system's roots takes some 10 ms
def context(tls: Tls) -> ssl.SSLContext:
    """The context of a configuration. Raises RegistryError (tls) where a certificate of it is broken."""
    made = _system()
    try:
        for authority in tls.authorities:
            made.load_verify_locations(cadata=authority)
        for client in tls.clients:
            # A password would be asked for on the terminal: an encrypted key is an error instead.
            made.load_cert_chain(client.certificate, client.key, password=lambda: b"")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        name = type(error).__name__
        raise RegistryError("tls", f"a certificate of the hosts directory cannot be used ({name})") from error
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _system() -> ssl.SSLContext:
    paths = ssl.get_default_verify_paths()
    # Without roots of the system's (some Python installations have none) httpx brings a bundle.
    made = ssl.create_default_context() if paths.cafile or paths.capath else httpx.create_ssl_context(trust_env=False)
    # Python 3.13 checks more than Go does, and nodes pull with Go; and Go never looks at a common name.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.hostname_checks_common_name = False
    return made
