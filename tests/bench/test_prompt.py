"""The storm's registry answers what the tests' own answers, and never too soon."""

import asyncio
import time

import aiohttp

from tests.bench.machine import cores
from tests.bench.prompt import PromptRegistry
from tests.bench.setting import pushed
from tests.support.registry import Auth, Registry

DELAY = 0.05
PATHS = (
    "/v2/team/app-0/manifests/1.0",
    "/v2/team/app-1/manifests/1.0",
    "/v2/team/app-0/manifests/2.0",
    "/token?service=registry&scope=repository:team/app-0:pull",
)


async def got(registry: Registry, path: str) -> tuple[int, str, bytes, float]:
    async with aiohttp.ClientSession() as session:
        started = time.monotonic()
        async with session.get(f"{registry.url}{path}") as response:
            body = await response.read()
        kind = response.headers.get("Content-Type", "")
        return response.status, kind, body.replace(str(registry.port).encode(), b""), time.monotonic() - started


async def test_the_same_answers_never_too_soon():
    with PromptRegistry(DELAY, cores()[-1]) as prompt, Registry() as other:
        for registry in (prompt, other):
            pushed(registry, 2, 1)
        for registry in (prompt, other):
            registry.auth = Auth(public={"team/app-0"}, open=True)
        answers = await asyncio.gather(*(got(prompt, path) for path in PATHS * 16))
        wanted = [await got(other, path) for path in PATHS]
    assert [answer[0] for answer in wanted] == [200, 401, 404, 200]
    for number, answer in enumerate(answers):
        if number % len(PATHS) < 3:  # each token is another one
            assert answer[:3] == wanted[number % len(PATHS)][:3]
        assert answer[3] >= DELAY
    assert len(prompt.log) == len(answers)
