"""A program that is asked for credentials: what it reads, what it may use up, and how it ends.

What it writes to standard error is thrown away: it may hold anything, secrets too, and nobody could tell.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

OUTPUT_LIMIT: Final = 1 << 20
"""Bytes of standard output; credentials are some kilobytes."""

_REAPING: Final = 1.0
"""Seconds to wait for a program that has been killed: whom the kernel keeps longer, it may keep for ever."""


class ProgramFailed(Exception):
    """A program did not do its part; the text is fit for a log and holds nothing of what it wrote."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a program is started. `environment` is all that it is given. `seconds`: its time, from start to end."""

    path: str
    args: tuple[str, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 5.0


async def run(program: Program, question: bytes) -> tuple[int, bytes]:
    """Runs a program in a process group of its own; its exit status and what it wrote to standard output.

    Whatever happens, the whole group is killed in the end. Raises ProgramFailed where it cannot be started, takes too
    long or writes too much.
    """
    try:
        transport, talk = await asyncio.get_running_loop().subprocess_exec(
            _Talk,
            program.path,
            *program.args,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(program.environment),
            cwd="/",  # not the directory that podgate happens to be in
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL, or an = in the name of a variable
        words = getattr(error, "strerror", None) or "its arguments or environment cannot be given"
        raise ProgramFailed(f"cannot be started: {words}") from None
    try:
        async with asyncio.timeout(program.seconds):
            talk.say(transport, question)
            await talk.done
    except TimeoutError:
        raise ProgramFailed(f"not done within {program.seconds:g} s") from None
    finally:
        await _end(transport, talk)
    if len(talk.output) > OUTPUT_LIMIT:
        raise ProgramFailed("writes more than 1 MiB")
    return transport.get_returncode() or 0, bytes(talk.output)


class _Talk(asyncio.SubprocessProtocol):
    """What a program writes, and its end. `done`: it has ended and closed its output, or it has written too much."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.done: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._open = True

    @staticmethod
    def say(transport: asyncio.SubprocessTransport, question: bytes) -> None:
        """Tells the program the question, and that this is all. It need not read it."""
        pipe = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))  # uvloop's own are no subclasses
        with suppress(RuntimeError, OSError):  # it has gone already: uvloop says so, asyncio does not
            pipe.write(question)
            pipe.write_eof()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keeps what is written, up to the limit and a bit."""
        del fd  # there is standard output alone
        if len(self.output) <= OUTPUT_LIMIT:
            self.output += data
            if len(self.output) > OUTPUT_LIMIT:
                _settle(self.done)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Standard output is at its end."""
        del exc
        if fd == 1:
            self._open = False
            self._look()

    def process_exited(self) -> None:
        """The program is at its end; what it has started may still hold its output."""
        _settle(self.ended)
        self._look()

    def _look(self) -> None:
        if self.ended.done() and not self._open:
            _settle(self.done)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _end(transport: asyncio.SubprocessTransport, talk: _Talk) -> None:
    """Kills what is left of the group. Where nothing is left the number is free, and for so short a time unused."""
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: a member with another user's rights
        os.killpg(transport.get_pid(), signal.SIGKILL)
    await asyncio.wait({talk.ended}, timeout=_REAPING)  # before it is closed, which would take its status away
    transport.close()


def ending(status: int) -> str:
    """How a program ended, in words."""
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"
