"""The load: vegeta, in a process of its own, sends reviews at a constant rate, whatever becomes of those before.

It is handed each review when its time has come, and its results are read as they come in, so that an hour of them is
never in memory, and each is judged by what holds at the time.
"""

import asyncio
import base64
import datetime as dt
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.load import Target, program

_LINE: Final = 1 << 20  # characters of one result, at most
_IDLE: Final = 25
"""Connections that are kept: as many as by an API server (k8s.io/client-go, transport/cache.go, idleConnsPerHost)."""
_GIVEN_UP: Final = 30
"""Seconds after which the generator gives a review up: far behind an API server's patience."""


@dataclass(frozen=True)
class Result:
    """What became of one review, by the generator. `begin`: seconds since 1970. `status` 0: there was no answer, and
    `problem` says why."""

    begin: float
    seconds: float
    status: int
    content_type: str
    body: bytes
    problem: str

    @property
    def end(self) -> float:
        """When it was answered, in seconds since 1970."""
        return self.begin + self.seconds


async def send(
    target: Target, rate: int, seconds: float, next_review: Callable[[], bytes], take: Callable[[Result], None]
) -> None:
    """So many reviews a second for so many seconds; returns when all have been answered, or given up.

    Raises ConnectionError where the generator ends before its time.
    """
    read, write = os.pipe()
    words = (f"-rate={rate}", f"-duration={math.ceil(seconds * 1000)}ms", f"-timeout={_GIVEN_UP}s",
             f"-connections={_IDLE}", f"-root-certs={target.authority}")  # fmt: skip
    attack = await asyncio.create_subprocess_exec(
        program(), "attack", "-lazy", "-format=json", *words, stdin=asyncio.subprocess.PIPE, stdout=write
    )
    encode = await asyncio.create_subprocess_exec(
        program(), "encode", "-to=json", stdin=read, stdout=asyncio.subprocess.PIPE, limit=_LINE
    )
    os.close(read)
    os.close(write)
    feeding = asyncio.create_task(_feed(attack, target, next_review))
    try:
        assert encode.stdout is not None
        async for line in encode.stdout:
            take(_result(json.loads(line)))
        if await attack.wait() or await encode.wait():
            raise ConnectionError("the load generator has failed")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        for process in (attack, encode):
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _feed(attack: asyncio.subprocess.Process, target: Target, next_review: Callable[[], bytes]) -> None:
    """The pipe is as long as a few reviews, so each is made at about the time when it is sent."""
    assert attack.stdin is not None
    attack.stdin.transport.set_write_buffer_limits(0)
    headers = {"Content-Type": ["application/json"]}
    while True:
        body = base64.b64encode(next_review()).decode()
        line = json.dumps({"method": "POST", "url": target.url, "body": body, "header": headers})
        attack.stdin.write(line.encode() + b"\n")
        await attack.stdin.drain()


def _result(noted: dict[str, Any]) -> Result:
    begin = dt.datetime.fromisoformat(noted["timestamp"]).timestamp()
    headers = noted["headers"] or {}
    return Result(
        begin=begin,
        seconds=noted["latency"] / 1e9,
        status=noted["code"],
        content_type=headers.get("Content-Type", [""])[0].partition(";")[0],
        body=base64.b64decode(noted["body"] or ""),
        problem=noted["error"],
    )
