"""The serving certificate: given from memory, or read from a folder as a Secret's volume shows it, and read again when
it changes.

Nothing is bound again: a connection that is open keeps its certificate, a new one gets the new one.
"""

import asyncio
import contextlib
import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from webhook.core.errors import CannotServe

POLL_SECONDS: Final = 5.0
"""How often the files are looked at: a kubelet needs up to a minute to show a new Secret anyway."""

logger = logging.getLogger("podgate.admission")


class ServingCertificate:
    """What a server shows: the pair that it was given last. `on_loaded` is told when that ends, in seconds since 1970.

    `context` is what a server listens with, for good. It holds no certificate itself: each handshake is handed over to
    the context of the pair loaded last. Loading a new pair into the same context would leave a pair of another kind
    (RSA, ECDSA) in it, and OpenSSL would go on serving the old one to whom it suits better.
    """

    def __init__(self, on_loaded: Callable[[float], None]) -> None:
        self._on_loaded = on_loaded
        self._current: ssl.SSLContext | None = None
        self.context = _server_context()
        self.context.sni_callback = self._hand_over

    @property
    def loaded(self) -> bool:
        """Whether there is a pair to serve with."""
        return self._current is not None

    def take(self, chain: bytes, key: bytes) -> None:
        """Serve with a pair (PEM) from now on. Raises CannotServe, and then the pair before goes on being served."""
        context = _server_context()
        try:
            leaf = x509.load_pem_x509_certificates(chain)[0]
            with _in_memory(chain) as chain_file, _in_memory(key) as key_file:
                # An empty password, since OpenSSL would ask the terminal for that of an encrypted key.
                context.load_cert_chain(chain_file, key_file, password="")
        except (ValueError, IndexError, ssl.SSLError, OSError) as error:
            raise CannotServe(f"not a PEM certificate with its key, not encrypted ({_what(error)})") from error
        self._current = context
        self._on_loaded(leaf.not_valid_after_utc.timestamp())

    def _hand_over(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        """Called by OpenSSL for each new connection, whether the client names a server or not."""
        if self._current is not None:
            connection.context = self._current


class Certificate(ServingCertificate):
    """tls.crt and tls.key of a folder."""

    def __init__(self, folder: str, on_loaded: Callable[[float], None], poll_seconds: float = POLL_SECONDS) -> None:
        super().__init__(on_loaded)
        self._chain = Path(folder) / "tls.crt"
        self._key = Path(folder) / "tls.key"
        self._poll_seconds = poll_seconds
        self._seen: bytes = b""

    def load(self) -> None:
        """Loads both files. Raises CannotServe, and then the pair before goes on being served."""
        try:
            text = self._chain.read_bytes()
            key = self._key.read_bytes()
        except OSError as error:
            raise CannotServe(f"{error.filename}: {error.strerror}") from error
        try:
            self.take(text, key)
        except CannotServe as error:
            raise CannotServe(f"{self._chain}, {self._key.name}: {error}") from error
        self._seen = text + key

    async def watch(self) -> None:
        """Loads the files again whenever they change; a bad pair is logged, and the one before stays."""
        refused: bytes | None = None
        while True:
            await asyncio.sleep(self._poll_seconds)
            now = await asyncio.to_thread(self._look)
            if now in (None, self._seen, refused):
                continue
            try:
                self.load()
                logger.info("the serving certificate was loaded again")
            except CannotServe as error:
                refused = now
                logger.warning("the serving certificate stays as it was: %s", error)

    def _look(self) -> bytes | None:
        try:
            return self._chain.read_bytes() + self._key.read_bytes()
        except OSError:
            return None


@contextlib.contextmanager
def _in_memory(text: bytes) -> Iterator[str]:
    """A file's name for a text, since OpenSSL reads files: one in memory where the system has such files. A pod has no
    file system to write to, and a key should be in none."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("podgate")
        try:
            os.write(descriptor, text)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory() as folder:  # which nobody else may look into
            file = Path(folder) / "pem"
            file.write_bytes(text)
            yield str(file)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _what(error: Exception) -> str:
    """The kind of an error in a word: OpenSSL's reason where it gives one."""
    return str(getattr(error, "reason", None) or type(error).__name__)
