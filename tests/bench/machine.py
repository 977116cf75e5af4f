"""The machine: which core runs what, and what a process has used of it. Where the system does not say (it is no Linux)
nothing is pinned."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """The core of the server under test, and that of everything else; the same one where there is only one."""
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return there[0], there[-1]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started within runs on one core, for good: a process inherits it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """What a process has had of the cores so far, in itself and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime: fields 14 and 15 of proc(5)


def resident(pid: int) -> float:
    """MiB of memory that a process has."""
    return _memory(pid, "VmRSS")


def peak(pid: int) -> float:
    """MiB of memory that a process has had at most."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
