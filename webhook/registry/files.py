"""Credentials of the settings: in files that are mounted, and that change while podgate runs.

A Secret's volume is turned over in one step when the Secret changes, and that is how passwords are rotated: a file is
looked at again with the next image, at most once a second. At start a file must be good; later the last good version
stays, and the log says so.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhook.core.dockerconfig import Login, read_docker_config
from webhook.core.errors import BadCredentials
from webhook.core.keyring import Credential, Keyring
from webhook.core.reference import Reference
from webhook.ports import Access
from webhook.registry.flight import Flights
from webhook.registry.own import is_lent

_log = logging.getLogger("podgate.registry")

_FRESH_SECONDS: Final = 1.0
_LARGEST_FILE: Final = 1 << 20  # a Secret holds no more
_MOST_KEYRINGS: Final = 256  # one for each set of entries that a namespace may have, and there are few


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A user whose password is what a file holds, for the images that `match` covers. `where`: the setting's path."""

    path: Path
    namespaces: tuple[str, ...]
    where: str
    match: str
    username: str

    def read(self, content: bytes) -> tuple[Login, ...]:
        """The one login. A line break at the end is the editor's, not the password's. Raises BadCredentials."""
        password = content.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if not password:
            raise BadCredentials("is empty")
        return (Login(self.match, self.username, password),)


@dataclass(frozen=True, slots=True)
class DockerConfigFile:
    """The logins of a docker configuration; its helper programs are not run."""

    path: Path
    namespaces: tuple[str, ...]
    where: str

    def read(self, content: bytes) -> tuple[Login, ...]:
        """The logins. Raises BadCredentials."""
        return read_docker_config(content, "").logins


Entry = PasswordFile | DockerConfigFile

_State = tuple[int, int, int]


class _Watched:
    """One entry with what its file last said."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self._state = _state(entry.path)
        self.logins = self._read()

    def look(self) -> bool:
        """Reads the file again where it has changed; whether there are other logins now. Raises nothing."""
        state = _state(self.entry.path)
        if state == self._state:
            return False
        self._state = state  # a bad version is told once
        try:
            logins = self._read()
        except BadCredentials as error:
            _log.error("credentials stay as they were: %s", error)
            return False
        changed, self.logins = logins != self.logins, logins
        return changed

    def _read(self) -> tuple[Login, ...]:
        where = f"{self.entry.where}: {self.entry.path}"
        try:
            with self.entry.path.open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
            raise BadCredentials(f"cannot be read: {getattr(error, 'strerror', None) or 'no name'}", where) from None
        if len(content) > _LARGEST_FILE:
            raise BadCredentials("is more than 1 MiB", where)
        try:
            return self.entry.read(content)
        except BadCredentials as error:
            raise BadCredentials(error.problem, where) from None


def _state(path: Path) -> _State | None:
    """What tells versions apart; None where there is no file now."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


class FileCredentials:
    """OwnCredentials from files. All entries that a namespace may have make one keyring. To be closed with `aclose`."""

    def __init__(self, entries: Sequence[Entry], clock: Callable[[], float]) -> None:
        """Reads the files. Raises BadCredentials naming setting and file."""
        self._watched = [_Watched(entry) for entry in entries]
        self._clock = clock
        self._looked_at = clock()
        self._keyrings: dict[tuple[bool, ...], Keyring] = {}
        self._flights: Flights[None] = Flights()

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        """The credentials for an image, by the keyring's rules. Raises RegistryError where the asker's time is up."""
        lent = tuple(is_lent(one.entry.namespaces, access.namespace) for one in self._watched)
        if not any(lent):
            return ()
        if self._clock() - self._looked_at >= _FRESH_SECONDS:
            await self._flights.share("", self._look, access.deadline)
        keyring = self._keyrings.get(lent)
        if keyring is None:
            chosen = [one for one, its in zip(self._watched, lent, strict=True) if its]
            keyring = Keyring.from_logins((login, one.entry.where) for one in chosen for login in one.logins)
            if len(self._keyrings) >= _MOST_KEYRINGS:
                self._keyrings.clear()
            self._keyrings[lent] = keyring
        return keyring.lookup(reference.name)

    async def aclose(self) -> None:
        """Stops reading."""
        await self._flights.aclose()

    async def _look(self) -> None:
        changed = await asyncio.to_thread(lambda: [one.look() for one in self._watched])
        self._looked_at = self._clock()
        if any(changed):
            self._keyrings.clear()
