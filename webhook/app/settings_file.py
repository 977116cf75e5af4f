"""The settings file, read again when it changes.

A ConfigMap's volume changes by a turn of a symbolic link (..data), which no notification of the file itself tells of:
so the content is looked at every few seconds. Only what two looks agree on is read: half of a file that is being
written may well be good YAML, and a file that an editor replaces may be missing for a moment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from webhook.core.errors import CannotServe, MalformedInput, MalformedSettings
from webhook.settings import Settings, chosen_file, settings_over
from webhook.settings_text import parse_settings_text, read_settings_text

POLL_SECONDS: Final = 2.0
"""Between two looks. A kubelet takes up to a minute to bring a changed ConfigMap."""

INTERNAL: Final = "podgate failed to take them over; its log says more"

logger = logging.getLogger("podgate")

Apply = Callable[[Settings], Awaitable[None]]
"""Takes settings over, whole or not at all. Raises MalformedInput or CannotServe where they cannot be."""
Refused = Callable[[str], None]
"""Told why a version of the file does not count."""


class SettingsFile:
    """The file that settings come from, if there is one, with the environment on top."""

    def __init__(self, path: str | None, environment: Mapping[str, str], poll_seconds: float = POLL_SECONDS) -> None:
        self._path = chosen_file(path, environment)
        self._environment = environment
        self._poll_seconds = poll_seconds
        self._read: bytes | str = b""
        """What the last look that counted saw: the content, or what is wrong with the file itself."""
        self._seen: bytes | str = b""
        """What the last look saw."""

    def load(self) -> Settings:
        """The settings of now. Raises MalformedSettings."""
        if self._path is None:
            return settings_over({}, "settings", self._environment)
        text = read_settings_text(self._path)
        self._read = self._seen = text
        return self._parsed(text)

    async def watch(self, apply: Apply, refused: Refused) -> None:
        """Hands each new version over, until it is cancelled. One that is no good is told once, and passed over."""
        if self._path is None:
            return
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self.look(apply, refused)

    async def look(self, apply: Apply, refused: Refused) -> None:
        """One look, which hands a new version over where the look before has seen the same."""
        before, self._seen = self._seen, await asyncio.to_thread(self._now)
        if self._seen == before != self._read:
            self._read = self._seen
            await self._take(self._seen, apply, refused)

    def _now(self) -> bytes | str:
        assert self._path is not None
        try:
            return read_settings_text(self._path)
        except MalformedSettings as error:
            return str(error)

    async def _take(self, seen: bytes | str, apply: Apply, refused: Refused) -> None:
        if isinstance(seen, str):
            self._refuse(seen, refused)
            return
        try:
            # In a thread, since a megabyte of YAML takes seconds to read, and reviews go on meanwhile.
            await apply(await asyncio.to_thread(self._parsed, seen))
        except (MalformedInput, CannotServe) as error:
            self._refuse(str(error), refused)
        except Exception:  # whatever it is, the settings before go on to count, and the next version may be good
            logger.exception("the settings could not be taken over")
            self._refuse(INTERNAL, refused)

    def _refuse(self, problem: str, refused: Refused) -> None:
        logger.error("the settings stay as they were: %s", problem)
        refused(problem)

    def _parsed(self, text: bytes) -> Settings:
        assert self._path is not None
        return settings_over(parse_settings_text(text, self._path), self._path, self._environment)
