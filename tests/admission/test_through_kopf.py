"""kopf itself, running against an API server on loopback: start, stop, and what it does not do."""

import asyncio
import getpass
import os
import signal
import socket

import pytest

from tests.support.apiserver import ApiServer, Fault, api_server
from tests.support.operator import LONG, POD, Running, allow, api, connect, kopf_running, until
from tests.support.serving import Served
from webhook.admission.lifecycle import SIGNALS, Lifecycle
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.admission.server import AdmissionServer, ServerOptions
from webhook.admission.through_kopf import Login, serve_through_kopf
from webhook.core.errors import CannotServe, ClusterUnavailable

__all__ = ["api"]  # pytest looks for fixtures here

# Start.


@pytest.mark.parametrize("status", [500, 503, 403, 429, 404, 200])
async def test_discovery_that_fails_is_tried_again(served: Served, api: ApiServer, status: int):
    api.fail("discover", Fault(status))
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        assert (await served.post(POD))["allowed"] is True


async def test_an_api_server_that_is_not_there_yet_is_waited_for(served: Served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    api = ApiServer()
    api.url = f"http://127.0.0.1:{port}"
    async with kopf_running(served, api, allow) as running:
        await asyncio.sleep(0.1)
        assert not running.task.done()
        assert not served.server.listening
        async with api_server(port, api):
            await running.listening()
            assert (await served.post(POD))["allowed"] is True


async def test_credentials_that_are_refused_are_looked_for_again_but_not_at_once(served: Served, api: ApiServer):
    api.fail("discover", Fault(401), Fault(401))
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        assert running.logins == 2


async def test_credentials_that_cannot_be_found_are_looked_for_again(served: Served, api: ApiServer):
    connection = await connect(api)
    tries: list[int] = []

    async def log_in() -> Login:
        tries.append(1)
        if len(tries) == 1:
            raise ClusterUnavailable("no token there yet")
        return Login(connection.host, await connection.session())

    lifecycle = Lifecycle(served.server, 0)
    before = [(number, signal.getsignal(number)) for number in SIGNALS]
    task = asyncio.create_task(serve_through_kopf(served.server, lifecycle, allow, log_in))
    try:
        await until(lambda: served.server.listening)
        assert len(tries) == 2
    finally:
        lifecycle.stop()
        await asyncio.wait_for(task, 30)
        await connection.close()
        for number, handler in before:
            signal.signal(number, handler)


async def test_a_container_without_a_user_name_or_dns_is_no_obstacle(
    served: Served, api: ApiServer, monkeypatch: pytest.MonkeyPatch
):
    def absent(*_: object) -> str:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.setattr(getpass, "getuser", absent)
    monkeypatch.setattr(socket, "getfqdn", absent)
    monkeypatch.setattr(socket, "gethostbyaddr", absent)
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        assert (await served.post(POD))["allowed"] is True


async def test_a_port_that_is_taken_ends_it_with_one_line(served: Served, api: ApiServer):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        options = ServerOptions("127.0.0.1", port, 1.0, 1 << 20)
        served.server = AdmissionServer(options, served.certificate.context)
        running = Running(served, api, allow, LONG)
        with pytest.raises(CannotServe, match="in use"):
            await running.ended()


# Stop.


async def test_sigterm_is_ours_and_reviews_go_on_being_served(served: Served, api: ApiServer):
    async with kopf_running(served, api, allow, LONG) as running:
        await running.listening()
        for _ in range(2):  # a second one changes nothing
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: running.lifecycle.stopping)
            assert (await served.post(POD))["auditAnnotations"]["reason"] == "match"
        assert not running.lifecycle.stopped.is_set()
        assert not running.task.done()
        os.kill(os.getpid(), signal.SIGINT)  # a person is in more of a hurry
        await running.ended()
        assert not served.server.listening


async def test_open_reviews_end_before_kopf_is_told_to_stop(served: Served, api: ApiServer):
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        inside.set()
        await go_on.wait()
        return await allow(request, deadline)

    async with kopf_running(served, api, review) as running:
        await running.listening()
        asking = asyncio.create_task(served.post(POD, "?timeout=30s"))
        await asyncio.wait_for(inside.wait(), 30)
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: running.lifecycle.stopping)
        await asyncio.sleep(0.05)
        assert served.server.listening
        assert not running.lifecycle.stopped.is_set()
        go_on.set()
        assert (await asyncio.wait_for(asking, 30))["auditAnnotations"]["reason"] == "match"
        await running.ended()


async def test_sigterm_before_discovery_has_ended_ends_it_at_once(served: Served, api: ApiServer):
    api.gate.clear()
    async with kopf_running(served, api, allow, LONG) as running:
        await until(lambda: api.requests)
        os.kill(os.getpid(), signal.SIGTERM)
        await running.ended()


async def test_sigterm_while_discovery_is_tried_again_ends_it_at_once(served: Served, api: ApiServer):
    api.fail("discover", *[Fault(503)] * 1000)
    async with kopf_running(served, api, allow, LONG) as running:
        await until(lambda: len(api.requests) >= 2)
        os.kill(os.getpid(), signal.SIGTERM)
        await running.ended()


async def test_tasks_of_others_outlive_kopf(served: Served, api: ApiServer):
    """kopf would wait five seconds for every task that was made since its start, and cancel it then."""
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        others = asyncio.create_task(asyncio.sleep(LONG))
        running.lifecycle.stop()
        await running.ended()
        await asyncio.sleep(0)
        assert not others.done()
        others.cancel()
