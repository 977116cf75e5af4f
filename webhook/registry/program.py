"""A program that is asked for credentials: what it reads, what it may use up, and how it ends.

What it writes to standard error is thrown away: it may hold anything, secrets too, and nobody could tell.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

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
        process = await asyncio.create_subprocess_exec(
            program.path,
            *program.args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(program.environment),
            cwd="/",  # not the directory that podgate happens to be in
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL, or an = in the name of a variable
        words = getattr(error, "strerror", None) or "its arguments or environment cannot be given"
        raise ProgramFailed(f"cannot be started: {words}") from None
    try:
        async with asyncio.timeout(program.seconds):
            output = await _talk(process, question)
            return await process.wait(), output
    except TimeoutError:
        raise ProgramFailed(f"not done within {program.seconds:g} s") from None
    finally:
        await _end(process)


async def _talk(process: asyncio.subprocess.Process, question: bytes) -> bytes:
    assert process.stdin is not None  # asked for when it was started
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it need not read what it is told
        process.stdin.write(question)
        await process.stdin.drain()
    process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(1 << 16):
        output += chunk
        if len(output) > OUTPUT_LIMIT:
            raise ProgramFailed("writes more than 1 MiB")
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills what is left of the group. Where nothing is left the number is free, and for so short a time unused."""
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: a member with another user's rights
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAPING):
            await process.wait()


def ending(status: int) -> str:
    """How a program ended, in words."""
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"
