"""The serving certificate: read from a folder as a Secret's volume shows it, and read again when it changes.

The same SSLContext goes on being used: a connection that is open keeps its certificate, a new one gets the new one, and
nothing is bound again.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509

from webhook.core.errors import CannotServe

POLL_SECONDS: Final = 5.0
"""How often the files are looked at: a kubelet needs up to a minute to show a new Secret anyway."""

logger = logging.getLogger("podgate.admission")


class Certificate:
    """tls.crt and tls.key of a folder. `not_after` is when the certificate ends, in seconds since 1970."""

    def __init__(self, folder: str, on_loaded: Callable[[float], None]) -> None:
        self._chain = Path(folder) / "tls.crt"
        self._key = Path(folder) / "tls.key"
        self._on_loaded = on_loaded
        self._seen: bytes = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    def load(self) -> None:
        """Loads both files. Raises CannotServe, and then the context is as it was."""
        try:
            text = self._chain.read_bytes()
            key = self._key.read_bytes()
        except OSError as error:
            raise CannotServe(f"{error.filename}: {error.strerror}") from error
        try:
            leaf = x509.load_pem_x509_certificates(text)[0]
            # Tried on a context of its own first: a key of another certificate must not take the good pair away.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._chain, self._key)
            self.context.load_cert_chain(self._chain, self._key)
        except (ValueError, IndexError, ssl.SSLError, OSError) as error:
            raise CannotServe(f"{self._chain}: not a certificate with its key ({type(error).__name__})") from error
        self._seen = text + key
        self._on_loaded(leaf.not_valid_after_utc.timestamp())

    async def watch(self) -> None:
        """Loads the files again whenever they change; a bad pair is logged, and the one before stays."""
        refused: bytes = b""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            now = await asyncio.to_thread(self._look)
            if now in (None, self._seen, refused):
                continue
            try:
                self.load()
                logger.info("the serving certificate was loaded again")
            except CannotServe as error:
                refused = now or b""
                logger.warning("the serving certificate stays as it was: %s", error)

    def _look(self) -> bytes | None:
        try:
            return self._chain.read_bytes() + self._key.read_bytes()
        except OSError:
            return None
