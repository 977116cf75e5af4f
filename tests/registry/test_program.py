"""Programs under both event loops that podgate may run in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from webhook.registry.program import OUTPUT_LIMIT, Program, ProgramFailed, ending, run

Loop = Callable[[], asyncio.AbstractEventLoop] | None


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request) -> Loop:
    if request.param == "asyncio":
        return None
    factory: Loop = pytest.importorskip("uvloop").new_event_loop
    return factory


def ran(loop: Loop, work: Coroutine[Any, Any, tuple[int, bytes]]) -> tuple[int, bytes]:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work)


def shell(text: str, seconds: float = 20.0) -> Program:
    return Program("/bin/sh", ("-c", text), {"PATH": "/usr/bin:/bin"}, seconds)


LONG = bytes(1 << 18)  # more than a pipe takes


@pytest.mark.parametrize(
    ("text", "question", "status", "output"),
    [
        ("cat", b"hello", 0, b"hello"),
        ("cat; exit 3", b"", 3, b""),
        ("cat", LONG, 0, LONG),
        ("exit 0", LONG, 0, b""),  # it need not read the question
        ("exec <&-; echo a", LONG, 0, b"a\n"),
        ("exec >&-; exit 4", b"x", 4, b""),
        ("kill -15 $$", b"x", -15, b""),
        ("pwd", b"", 0, b"/\n"),
        ("echo MARKED >&2", b"", 0, b""),
        (f"head -c {OUTPUT_LIMIT} /dev/zero", b"", 0, bytes(OUTPUT_LIMIT)),
    ],
)
def test_what_a_program_says(loop: Loop, text: str, question: bytes, status: int, output: bytes):
    assert ran(loop, run(shell(text), question)) == (status, output)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (shell(f"head -c {OUTPUT_LIMIT + 1} /dev/zero; sleep 60"), "writes more than 1 MiB"),
        (shell("sleep 60 & sleep 60", 0.2), r"not done within 0\.2 s"),
        (shell("sleep 60 &", 0.2), r"not done within 0\.2 s"),  # its output is held open by what it started
        (shell("exec >&-; sleep 60", 0.2), r"not done within 0\.2 s"),
        (Program("/nowhere/to/be/found"), "cannot be started: No such file"),
        (Program("/"), "cannot be started: Permission denied"),
    ],
)
def test_what_a_program_must_not_do(loop: Loop, program: Program, why: str):
    with pytest.raises(ProgramFailed, match=f"^{why}"):
        ran(loop, run(program, b"x"))


def test_an_end_in_words():
    assert [ending(3), ending(-9)] == ["exit status 3", "ended by signal 9"]
