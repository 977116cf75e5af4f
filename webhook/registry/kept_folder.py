"""Files that outlive a run: what the cache folder of the command line is made of.

Each file is known by an HMAC of what it is about and begins with an HMAC of its name and content, both under a key that
the folder was given by chance. So names give nothing away, and a file that was cut short, changed, renamed or put there
by somebody else is as good as absent. Files are written beside their place and renamed into it: several processes may
share a folder, and one that is killed leaves whole files.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

SUB_FOLDER: Final = "images"
"""Of the cache folder: podgate's own, with mode 0700."""
LARGEST: Final = 9 << 20
"""Bytes of one file: a config may have 8 MiB (client.py), and something comes before it."""

_KEY: Final = "key"
_KEY_BYTES: Final = 32
_MARK: Final = b"podgate 1\n"
"""Begins each file. Another number will mean another form; a file of the other form counts as absent."""
_HEAD: Final = len(_MARK) + 32
_NAME: Final = re.compile("[0-9a-f]{64}")
_TEMPORARY: Final = re.compile(r"\.[0-9a-f]{32}\.part")
# A run that was killed leaves the file that it was writing. A living one has long renamed its own by then.
_ABANDONED_SECONDS: Final = 3600.0
# So much is left when old files have gone, or the next file would make it necessary to look at all of them again.
_LEFT: Final = 0.9
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A file's place may be taken by something else: no link is followed, and opening a FIFO does not wait for its writer.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class KeptFolder:
    """A cache folder. Calls block, may come from several threads, and raise nothing: what cannot be read is absent, and
    after the first failure to write nothing more is written."""

    def __init__(self, parent: Path, limit: int, note: Callable[[str], None], *, writing: bool = True) -> None:
        """`parent`: the cache folder, made where it is missing if `writing`. limit: bytes of all files. `note` is told
        once why the folder cannot be used, or not be written to."""
        self._limit = limit
        self._note = note
        self._writing = writing
        self._written = 0
        self._turn = Lock()
        self._folder: int | None = None
        # Without a folder nothing is found and nothing kept; names are asked for all the same.
        self._secret = secrets.token_bytes(_KEY_BYTES)
        self.path: Final = parent / SUB_FOLDER
        try:
            self._folder = self._opened()
            self._secret = self._key()
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
            problem = f"is not used: {getattr(error, 'strerror', None) or error}"
            if not writing and isinstance(error, FileNotFoundError):
                problem = "is not there: no image is known then; a run with it that is not offline makes it"
            self._give_up(problem)
            self.close()

    def derived(self, purpose: str) -> bytes:
        """A secret for another purpose, the same in each run with this folder."""
        return self._mac(b"derived", purpose.encode())

    def name(self, *parts: str) -> str:
        """What a file about something is called: it tells nothing about that to who has not the folder's key."""
        told = b"".join(len(part).to_bytes(8, "big") + part for part in map(_octets, parts))
        return self._mac(b"name", told).hex()

    def read(self, name: str) -> bytes | None:
        """What was written under a name; None where nothing was, or it is spoilt, or not ours."""
        with self._turn, suppress(OSError):
            content = b"" if self._folder is None else self._content(name)
            head, body = content[:_HEAD], content[_HEAD:]
            if hmac.compare_digest(head, self._head(name, body)):
                with suppress(OSError):  # a folder that may only be read keeps the times that it has
                    os.utime(name, dir_fd=self._folder, follow_symlinks=False)
                return body
        return None

    def write(self, name: str, body: bytes) -> None:
        """Keeps something under a name, in place of what was there."""
        with self._turn:
            if self._folder is None or not self._writing or len(body) > LARGEST - _HEAD:
                return
            try:
                self._put(name, self._head(name, body) + body)
            except OSError as error:
                self._give_up(f"is not written to: {error.strerror}")
                return
            self._written += len(body)
            if self._written > self._limit // 4:
                self._make_room()

    def close(self) -> None:
        """Makes room, where something was written, and lets go of the folder."""
        with self._turn:
            if self._folder is not None:
                if self._written:
                    self._make_room()
                os.close(self._folder)
                self._folder = None

    def _make_room(self) -> None:
        """Removes the files that have not been read for longest where all together are too large, and what runs that
        were killed have left. What has another form of name is not podgate's, and stays."""
        self._written = 0
        kept = sorted(self._files())
        size = sum(length for _, length, _ in kept)
        if size <= self._limit:
            return
        for _, length, name in kept:
            if size <= self._limit * _LEFT:
                return
            with suppress(OSError):  # another process was quicker
                os.unlink(name, dir_fd=self._folder)
            size -= length

    def _opened(self) -> int:
        if self._writing:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
        folder = os.open(self.path, _FOLDER)
        about = os.fstat(folder)
        if about.st_uid != os.geteuid():
            os.close(folder)
            raise PermissionError(0, "it belongs to another user")
        if self._writing and stat.S_IMODE(about.st_mode) & 0o077:
            with suppress(OSError):  # files of other users are not read in any case
                os.fchmod(folder, 0o700)
        return folder

    def _key(self) -> bytes:
        """The folder's key; a new one where there is none that can be used, and then no file from before counts."""
        for _ in range(2):
            try:
                found = self._content(_KEY)
            except OSError:
                found = b""
            if len(found) == _KEY_BYTES:
                return found
            if not self._writing:
                break
            with suppress(OSError):  # there was none
                os.unlink(_KEY, dir_fd=self._folder)
            # Of several processes that begin at once one makes it, and the others take that one.
            self._put(_KEY, self._secret, replace=False)
        return self._secret

    def _content(self, name: str) -> bytes:
        """A file of ours, whole. Raises OSError."""
        descriptor = os.open(name, _READ, dir_fd=self._folder)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_size > LARGEST:
                raise PermissionError(0, "not podgate's")
            return file.read(LARGEST)

    def _put(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Writes a file in one step. Raises OSError, and leaves nothing then."""
        temporary = f".{secrets.token_hex(16)}.part"
        descriptor = os.open(temporary, _WRITE, 0o600, dir_fd=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if replace:
                os.rename(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                return
            with suppress(FileExistsError):
                os.link(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._folder)
            raise
        os.unlink(temporary, dir_fd=self._folder)

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """When each file was last used, its length, its name."""
        assert self._folder is not None
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    if _NAME.fullmatch(entry.name):
                        yield about.st_mtime, about.st_size, entry.name
                    elif _TEMPORARY.fullmatch(entry.name) and time.time() - about.st_mtime > _ABANDONED_SECONDS:
                        os.unlink(entry.name, dir_fd=self._folder)

    def _give_up(self, problem: str) -> None:
        self._writing = False
        self._note(f"the cache folder {self.path} {problem}")

    def _head(self, name: str, body: bytes) -> bytes:
        return _MARK + self._mac(b"file", name.encode(), body)

    def _mac(self, use: bytes, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"\0".join((use, *parts)), hashlib.sha256)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
