"""kopf itself, running against an API server on loopback: dispatch, start, stop, and what it does not do."""

import asyncio
import gc
import getpass
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from kopf._core.actions.execution import handler_var
from kopf._core.reactor.inventory import ResourceMemories
from kubernetes.aio.client import Configuration

from tests.support import images
from tests.support.apiserver import ApiServer, Fault, api_server, node
from tests.support.registry import Registry
from tests.support.serving import RECORDED, Served, changed, uid_of
from webhook.admission.lifecycle import SIGNALS, Lifecycle
from webhook.admission.review import Reviewer
from webhook.admission.reviews import Answer, Review, ReviewRequest
from webhook.admission.server import AdmissionServer, ServerOptions
from webhook.admission.through_kopf import Login, serve_through_kopf
from webhook.app.parts import registry_options
from webhook.app.serve import Observers
from webhook.cluster.connection import Connection, open_connection
from webhook.cluster.live import LiveCluster
from webhook.core.errors import CannotServe, ClusterUnavailable
from webhook.core.kinds import FurtherKind
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import parse_settings

POD = RECORDED["CREATE-Pod"]
LONG = 3600.0
"""Seconds that no test waits: where something takes so long, the test has failed."""


async def allow(request: ReviewRequest, deadline: float) -> Answer:
    return Answer(annotations={"decision": "allow", "reason": "match"})


async def connect(api: ApiServer) -> Connection:
    async def load(configuration: Configuration) -> None:
        configuration.host = api.url
        configuration.api_key["BearerToken"] = f"Bearer {api.token or 'any'}"

    return await open_connection(load)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens elsewhere; the limit only ends a test that would never end."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens behind a socket
            await asyncio.sleep(0.01)


class Running:
    """kopf with a server, from start to stop."""

    def __init__(
        self,
        served: Served,
        api: ApiServer,
        review: Review,
        serving_seconds: float = 0.0,
        further: Sequence[FurtherKind] = (),
    ) -> None:
        self.served = served
        self.lifecycle = Lifecycle(served.server, serving_seconds)
        self.logins = 0
        self._api = api
        self._review = review
        self._further = further
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        connection = await connect(self._api)

        async def log_in() -> Login:
            self.logins += 1
            return Login(connection.host, await connection.session())

        before = [(number, signal.getsignal(number)) for number in SIGNALS]
        try:
            self.lifecycle.own_signals()
            await serve_through_kopf(self.served.server, self.lifecycle, self._review, log_in, self._further)
        finally:
            await connection.close()
            for number, handler in before:
                signal.signal(number, handler)

    async def listening(self) -> None:
        await until(lambda: self.served.server.listening or self.task.done())
        assert self.served.server._runner is not None
        self.served.port = self.served.server._runner.addresses[0][1]

    async def ended(self) -> None:
        async with asyncio.timeout(30):
            await self.task


@asynccontextmanager
async def kopf_running(
    served: Served,
    api: ApiServer,
    review: Review,
    serving_seconds: float = 0.0,
    further: Sequence[FurtherKind] = (),
) -> AsyncIterator[Running]:
    running = Running(served, api, review, serving_seconds, further)
    try:
        yield running
    finally:
        running.lifecycle.stop_soon()
        with suppress(CannotServe):
            await running.ended()


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("amd-1"))
        running.put("nodes", node("arm-1", "arm64"))
        for name in {"default", *(recorded["request"]["namespace"] for recorded in RECORDED.values())}:
            running.put("namespaces", {"metadata": {"name": name, "labels": {}}})
        yield running


# Dispatch.


@asynccontextmanager
async def judging(api: ApiServer, folder: Path) -> AsyncIterator[Reviewer]:
    """The whole way behind the server: real judge, real reflector, real registry client, a registry on loopback."""
    with Registry() as registry:
        registry.push("team/app", images.multi("linux/amd64", "linux/arm64"), "1", "2")
        registry.push("team/db", images.multi("linux/s390x"), "1")
        registry.push("team/job", images.multi("linux/amd64"), "1")
        registry.push("x/y", images.multi("windows/amd64:10.0.20348.1"), "1")
        (folder / "_default").mkdir()
        (folder / "_default" / "hosts.toml").write_text(f'server = "{registry.url}"\n')
        settings = parse_settings(
            {"registries": {"hostsDir": str(folder), "allowedAddresses": ["127.0.0.0/8"]}, "exempt": {"namespaces": []}}
        )
        cluster = LiveCluster(await connect(api))
        try:
            await cluster.start(watch=True)
            await cluster.wait_listed()
            async with RegistryImages(registry_options(settings, ())) as found:
                yield Reviewer(Judge(settings, found, cluster), Observers(()))
        finally:
            await cluster.close()


async def test_every_recorded_review_is_answered_and_equally_with_kopf_and_without(
    served: Served, api: ApiServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    by_handler: dict[str, str] = {}
    direct = Served(tmp_path_factory.mktemp("direct"))
    async with judging(api, tmp_path) as reviewer:

        async def review(request: ReviewRequest, deadline: float) -> Answer:
            by_handler[request.uid] = str(handler_var.get().id)
            return await reviewer.review(request, deadline)

        direct.port = await direct.server.start(reviewer.review)
        try:
            async with kopf_running(served, api, review) as running:
                await running.listening()
                answers = {name: await served.post(recorded) for name, recorded in RECORDED.items()}
            plain = {name: await direct.post(recorded) for name, recorded in RECORDED.items()}
        finally:
            await direct.server.stop()
    assert answers == plain
    for name, recorded in RECORDED.items():
        assert answers[name]["uid"] == uid_of(recorded)
        # kopf's own handler for the resource was what called it
        assert by_handler[uid_of(recorded)] == recorded["request"]["resource"]["resource"]
    assert {answer["auditAnnotations"]["reason"] for answer in answers.values()} >= {"match", "mismatch", "skipped"}
    assert any(not answer["allowed"] for answer in answers.values())
    assert any(answer.get("warnings") for answer in answers.values())
    assert (served.errors, served.unread, direct.errors, direct.unread) == (0, 0, 0, 0)


async def test_a_handler_that_raises_is_asked_once_and_never_denies(served: Served, api: ApiServer):
    asked: list[str] = []

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        asked.append(request.uid)
        raise RuntimeError("boom")

    async with kopf_running(served, api, review) as running:
        await running.listening()
        response = await served.post(POD)
    assert (response["allowed"], response["auditAnnotations"]["reason"]) == (True, "error")
    assert uid_of(POD) in response["warnings"][0]
    assert asked == [uid_of(POD)]
    assert served.errors == 1


async def test_a_resource_that_kopf_has_no_handler_for_is_reviewed_without_it(served: Served, api: ApiServer):
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        for resource in ({"group": "argo.io", "version": "v1", "resource": "rollouts"}, {}):
            response = await served.post(changed("CREATE-Pod", resource=resource))
            assert response["auditAnnotations"] == {"decision": "allow", "reason": "match"}
    assert served.errors == 0


async def test_a_further_kind_is_dispatched_in_every_version(served: Served, api: ApiServer):
    handlers: list[str] = []

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        handlers.append(str(handler_var.get().id) if handler_var.get(None) else "none")
        return Answer(annotations={"decision": "allow", "reason": "match"})

    further = [FurtherKind("argoproj.io", "rollouts", ("spec", "template"))]
    async with kopf_running(served, api, review, further=further) as running:
        await running.listening()
        for version, subresource in (("v1", ""), ("v1", "scale"), ("v1alpha1", "")):
            resource = {"group": "argoproj.io", "version": version, "resource": "rollouts"}
            response = await served.post(changed("CREATE-Pod", resource=resource, subResource=subresource))
            assert response["auditAnnotations"] == {"decision": "allow", "reason": "match"}
    # A version that the API server has not told of goes past kopf.
    assert handlers == ["rollouts.argoproj.io", "rollouts.argoproj.io", "none"]
    assert served.errors == 0


@pytest.mark.parametrize("part", ["build_response", "find_resource"])
async def test_a_fault_in_kopf_itself_decides_nothing(
    served: Served, api: ApiServer, part: str, monkeypatch: pytest.MonkeyPatch
):
    def fail(**_: Any) -> None:
        raise RuntimeError(part)

    async with kopf_running(served, api, allow) as running:
        await running.listening()
        monkeypatch.setattr(f"kopf._core.engines.admission.{part}", fail)
        assert (await served.post(POD))["auditAnnotations"] == {"decision": "allow", "reason": "match"}
    assert served.errors == 0


async def test_kopf_keeps_no_record_that_grows_with_reviews(served: Served, api: ApiServer):
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        gc.collect()
        # Of every operator in this process that is still about; one test must not be misled by another's.
        before = _records()
        for number in range(1000):
            recorded = changed("UPDATE-Pod", uid=f"u-{number}")
            for state in ("object", "oldObject"):
                recorded["request"][state]["metadata"]["uid"] = f"pod-{number}"
            await served.post(recorded)
        assert _records() - before <= 1


def _records() -> int:
    found = [each for each in gc.get_objects() if isinstance(each, ResourceMemories)]
    assert found
    return sum(len(list(each.iter_all_memories())) for each in found)


async def test_kopf_asks_for_discovery_and_for_nothing_else(served: Served, api: ApiServer):
    async with kopf_running(served, api, allow) as running:
        await running.listening()
        await served.post(POD)
        await served.post(RECORDED["UPDATE-Pod"])
    assert api.requests
    assert {request.partition(" ")[0] for request in api.requests} == {"discover"}


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
        await until(lambda: not served.server.listening)
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
