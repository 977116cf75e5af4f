"""Load by vegeta, a load generator in a process of its own: it sends, counts and times; the bench reads its results."""

import asyncio
import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.machine import pinned
from tests.e2e.harness.components import cache_folder, vegeta
from tests.e2e.harness.gobuild import say_on_stderr


@dataclass(frozen=True)
class Target:
    """Where requests go: a URL, the authority of the server's certificate, and the client's own pair, if it has one."""

    url: str
    authority: Path
    pair: tuple[Path, Path] | None = None


def webhook_at(port: int, authority: Path) -> Target:
    """A webhook on loopback, called as an API server calls it by default."""
    return Target(f"https://localhost:{port}/validate?timeout=10s", authority)


@dataclass(frozen=True)
class Hits:
    """What became of the reviews of one run, all of which were answered: how many a second, each one's seconds, and
    where they were kept the responses of the AdmissionReviews."""

    rate: float
    seconds: tuple[float, ...]
    responses: tuple[dict[str, Any], ...] = ()

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class LoadFailed(Exception):
    """Reviews were not answered with HTTP 200, or the load generator has failed."""


@cache
def program() -> Path:
    """The load generator, built if need be. Raises BuildError."""
    return vegeta(cache_folder(os.environ), say_on_stderr)


class Load:
    """Sends reviews from one core, `core`. `folder` takes what passes between the generator and the bench."""

    def __init__(self, folder: Path, core: int) -> None:
        self._folder = folder
        self.core = core

    async def all_once(self, target: Target, reviews: Sequence[bytes], at_once: int) -> Hits:
        """Each review once, so many at a time, each as soon as there is room; the answers are kept."""
        words = ("-lazy", "-rate=0", f"-max-workers={at_once}", f"-workers={at_once}")
        return await self._attack(target, reviews, words, kept=True)

    async def steadily(self, target: Target, reviews: Sequence[bytes], at_once: int, seconds: float) -> Hits:
        """The reviews over and over, so many at a time, each as soon as there is room."""
        words = ("-rate=0", f"-max-workers={at_once}", f"-workers={at_once}", f"-duration={seconds}s", "-max-body=0")
        return await self._attack(target, reviews, words, kept=False)

    async def at_rate(self, target: Target, reviews: Sequence[bytes], rate: int, seconds: float) -> Hits:
        """The reviews over and over at a constant rate, whether or not the ones before have been answered."""
        return await self._attack(
            target, reviews, (f"-rate={rate}", f"-duration={seconds}s", "-max-body=0"), kept=False
        )

    async def _attack(self, target: Target, reviews: Sequence[bytes], words: Sequence[str], *, kept: bool) -> Hits:
        targets, results = self._folder / "targets", self._folder / "results"
        targets.write_text("".join(_line(target, review) for review in reviews))
        who = [f"-root-certs={target.authority}"]
        if target.pair is not None:
            who += [f"-cert={target.pair[0]}", f"-key={target.pair[1]}"]
        files = (f"-targets={targets}", f"-output={results}", *who)
        await self._run("attack", "-format=json", *files, "-timeout=30s", *words)
        report = json.loads(await self._run("report", "-type=json", str(results)))
        return _hits(report, await self._run("encode", "-to=json", str(results)), kept=kept)

    async def _run(self, *words: str) -> bytes:
        with pinned(self.core):
            process = await asyncio.create_subprocess_exec(
                program(), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        output, complaints = await process.communicate()
        if process.returncode:
            raise LoadFailed(f"vegeta {words[0]}: {complaints.decode(errors='replace')}")
        return output


_AT_THE_END = "no targets to attack"
"""The error of a request that vegeta notes, and does not send, when each target has been used once."""


def _line(target: Target, review: bytes) -> str:
    headers = {"Content-Type": ["application/json"]}
    body = base64.b64encode(review).decode()
    return json.dumps({"method": "POST", "url": target.url, "body": body, "header": headers}) + "\n"


def _hits(report: dict[str, Any], encoded: bytes, *, kept: bool) -> Hits:
    """Raises LoadFailed where a review got no answer, or one that is none to an API server."""
    every = [json.loads(line) for line in encoded.splitlines()]
    results = [result for result in every if result["error"] != _AT_THE_END]
    lost = [result for result in results if not 200 <= result["code"] < 300]
    if lost or not results:
        raise LoadFailed(f"{len(lost)} of {len(results)} were lost: {[one['error'] for one in lost[:3]]}")
    seconds = tuple(result["latency"] / 1e9 for result in results)
    responses = tuple(json.loads(base64.b64decode(result["body"]))["response"] for result in results if kept)
    return Hits(report["throughput"], seconds, responses)
