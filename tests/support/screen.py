"""A program before which somebody sits: keys are pressed, and the terminal is looked at."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECONDS = 30.0
# Shells want the terminal to be theirs.
SITS = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """Keys and screen of a process. `sent`: all that it has written so far."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._descriptor = descriptor
        self._text = ""
        self.sent = ""

    @property
    def ended(self) -> int:
        """The exit code, once the process has ended."""
        try:
            while self._look(SECONDS):
                pass
        except OSError:  # Linux ends a terminal's output like that
            pass
        return self.process.wait(SECONDS)

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def sees(self, words: str) -> None:
        """Waits until words stand there, after all that was waited for before."""
        end = time.monotonic() + SECONDS
        while words not in self._text:
            try:
                seen = self._look(max(0.0, end - time.monotonic()))
            except OSError:  # Linux ends a terminal's output like that
                seen = False
            assert seen, f"{words!r} is not in {self._text!r}"
        self._text = self._text.partition(words)[2]

    def _look(self, seconds: float) -> bool:
        """Takes what is written within so many seconds; false: nothing."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return False
        chunk = os.read(self._descriptor, 4096).decode(errors="replace")
        self._answer(chunk)
        self.sent += chunk
        # What a terminal would do and not show: colours, the cursor, the title.
        self._text += re.sub(r"\x1b(\[[0-9;?>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>])", "", chunk)
        return True

    def _answer(self, chunk: str) -> None:
        """fish asks what kind of terminal it has, and waits for the answer."""
        if "\x1b[c" in chunk or "\x1b[0c" in chunk:
            self.type("\x1b[?62c")


@contextmanager
def terminal(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SITS, *command], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
