"""The end of a server: open reviews end, the listener closes after, and what came meanwhile ends too."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.cluster.test_reflector import until
from tests.support.serving import RECORDED, Served
from webhook.admission.reviews import Answer, ReviewRequest

POD = RECORDED["CREATE-Pod"]


class Held:
    """Reviews that are held until they may go on, by their uid; others are answered at once."""

    def __init__(self, *uids: str) -> None:
        self.inside = {uid: asyncio.Event() for uid in uids}
        self.go_on = {uid: asyncio.Event() for uid in uids}

    async def review(self, request: ReviewRequest, deadline: float) -> Answer:
        if request.uid in self.inside:
            self.inside[request.uid].set()
            await self.go_on[request.uid].wait()
        return Answer()


def with_uid(uid: str) -> dict[str, Any]:
    return {**POD, "request": {**POD["request"], "uid": uid}}


async def test_drain_lets_open_reviews_end_then_takes_no_more_and_lets_those_end_that_came_meanwhile(served: Served):
    held = Held("first", "second")
    served.port = await served.server.start(held.review)
    first = asyncio.create_task(served.post(with_uid("first")))
    await asyncio.wait_for(held.inside["first"].wait(), 20)
    draining = asyncio.create_task(served.server.drain())
    await asyncio.sleep(0.05)
    # An API server that does not know yet that this replica is going is answered like any other.
    assert served.server.listening
    assert (await served.post(with_uid("between")))["uid"] == "between"
    second = asyncio.create_task(served.post(with_uid("second")))
    await asyncio.wait_for(held.inside["second"].wait(), 20)
    held.go_on["first"].set()
    assert (await asyncio.wait_for(first, 20))["uid"] == "first"
    await until(lambda: not served.server.listening)
    with pytest.raises(aiohttp.ClientConnectorError):
        await served.post(with_uid("late"))
    assert not draining.done()
    held.go_on["second"].set()
    await asyncio.wait_for(draining, 20)
    assert (await asyncio.wait_for(second, 20))["uid"] == "second"


async def test_drain_ends_though_a_review_does_not(served: Served, caplog: pytest.LogCaptureFixture):
    async def review(request: ReviewRequest, deadline: float) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    served.port = await served.server.start(review)
    asking = asyncio.create_task(served.post(POD, "?timeout=30s"))
    await asyncio.sleep(0.1)
    await served.server.drain(longest=0.05)
    assert "1 reviews were still open" in caplog.text
    assert not served.server.listening
    await served.server.stop()
    with pytest.raises(aiohttp.ClientError):
        await asking
