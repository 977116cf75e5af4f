"""Processes that the tests start: each with a log of its own, each stopped by its id, none left behind."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05
STOP_SECONDS = 10.0
TAIL_LINES = 40
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

PORTS = range(20000, 32000)
"""Below the ephemeral ports of Linux (from 32768) and macOS (from 49152), so that no outgoing connection takes a port
between its being found free and its being listened on; and below the node ports of Kubernetes (to 32767)."""


class ProcessFailed(Exception):
    """A process ended before its time, or was not ready in time; the text ends with its last lines."""


class Process:
    """A program that runs from construction to `stop()`. On Linux it dies with the tests, however they end."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal is ours to act on; and its children share its group
                # One system call, and no thread of the tests holds a lock that it needs.
                preexec_fn=_die_with(os.getpid()) if _LIBC is not None else None,  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raises ProcessFailed where it has ended."""
        if not self.running():
            raise ProcessFailed(f"{self.name} ended with {self._process.returncode}\n{self.tail()}")

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Asks it to end, and after some seconds makes it end; the exit code (negative: the signal that ended it)."""
        if self.running():
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self._signal(signal.SIGKILL)  # whatever is left of its group
        return self._process.wait()

    def freeze(self) -> None:
        """Gives it no more time on any processor; its sockets stay open. What can follow is kill()."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"--- last lines of {self.log} ---", *text[-lines:]])

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _die_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: ask the kernel to be killed when the tests' process dies."""

    def before_exec() -> None:
        assert _LIBC is not None
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return before_exec


def stop_all(processes: Iterable[Process], seconds: float = STOP_SECONDS) -> None:
    """Stops them one after the other; one that cannot be stopped does not save the rest."""
    errors: list[BaseException] = []
    for process in processes:
        try:
            process.stop(seconds)
        except BaseException as error:  # noqa: BLE001 - a Ctrl-C here too must not leave the others running
            errors.append(error)
    if errors:
        raise errors[0]


def wait_until(what: str, probe: Callable[[], T], seconds: float = 60.0, processes: Sequence[Process] = ()) -> T:
    """Polls until `probe` gives something true, and returns that; it fails when a process ends or time is up.

    Whatever OSError a probe raises (nobody listens yet) counts as not yet. Raises ProcessFailed, with
    the tails of logs.
    """
    deadline = time.monotonic() + seconds
    last = "nothing"
    while True:
        for process in processes:
            process.check()
        try:
            if result := probe():
                return result
            last = repr(result)
        except OSError as error:
            last = repr(error)
        if time.monotonic() > deadline:
            tails = "\n".join(process.tail() for process in processes)
            raise ProcessFailed(f"waited {seconds:g} s for {what}; the last answer was {last}\n{tails}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A port on which nobody listens on 127.0.0.1, drawn at random so that runs side by side do not meet."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ProcessFailed(f"no free port on 127.0.0.1 among 200 of {PORTS}")


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment without the developer's proxies, kubeconfig and docker configuration."""
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC", **more}
