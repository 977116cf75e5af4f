"""Programs that answer JSON lines: a Go original, or podgate."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

ANSWER = Path(__file__).resolve().parents[1] / "golden" / "answer.py"
PATIENCE_SECONDS = 300.0
"""How long a batch may take before its program counts as hanging; a slow one takes some seconds."""

_TAIL = 2_000  # characters of a program's standard error that are shown


class Broken(Exception):
    """A program ended, or hung, instead of answering."""


def ours(name: str) -> list[str]:
    """podgate's own answers; -u, since a line has to come out before the next batch goes in."""
    return [sys.executable, "-u", str(ANSWER), name]


class Answerer:
    """One program, started when it is first asked, and again when it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._command = list(command)
        self._patience = patience
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # its end: a program may have files to take away
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._stop()
        self._stop()
        self._complaints.close()

    def ask(self, lines: Sequence[bytes]) -> list[bytes]:
        """The answers, one for each line. Raises Broken, after which the program is started anew."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(self._patience, process.kill)
        watchdog.start()
        feeder = threading.Thread(target=_feed, args=(process.stdin, lines), daemon=True)
        feeder.start()
        try:
            answers = [answer for _ in lines if (answer := process.stdout.readline())]
        finally:
            watchdog.cancel()
        feeder.join()
        if len(answers) < len(lines):
            raise Broken(self._last_words(len(answers), len(lines)))
        return answers

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._complaints.seek(0)
            self._complaints.truncate()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=None if self._environment is None else dict(self._environment),
            )
        return self._process

    def _last_words(self, answered: int, asked: int) -> str:
        self._stop()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip()[-_TAIL:]
        return f"`{' '.join(self._command)}` answered {answered} of {asked} inputs and then no more\n{said}".strip()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it had not read is lost with it
                    pipe.close()


def _feed(pipe: IO[bytes], lines: Sequence[bytes]) -> None:
    with suppress(OSError):  # the program has ended; the reader sees that there are answers missing
        for line in lines:
            pipe.write(line + b"\n")
        pipe.flush()
