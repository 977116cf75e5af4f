"""A webhook is called as an API server calls it, and whatever an API server would call a failure is one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.apiserver import ApiServer, api_server
from tests.support.resources import CONFIGURATIONS
from tests.support.serving import Served
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.app.ready import ReadyRequest, _wait
from webhook.cluster.calling import NotAnswered, call, parse_webhooks
from webhook.demo.certificates import serving_pair

HOST = "podgate.guard.svc"
PAIR = serving_pair(HOST, "127.0.0.1")


def configuration(authority: bytes | None = PAIR.authority, **service: Any) -> dict[str, Any]:
    """What the API server has of podgate."""
    client: dict[str, Any] = {"service": {"name": "podgate", "namespace": "guard", "path": "/validate", **service}}
    if authority is not None:
        client["caBundle"] = base64.b64encode(authority).decode()
    webhooks = [{"name": "validate.podgate.dev", "clientConfig": client}]
    return {"metadata": {"name": "podgate"}, "webhooks": webhooks}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """podgate's own server, with a certificate for its Service."""
    served = Served(tmp_path, pair=PAIR)

    async def review(request: ReviewRequest, _: float) -> Answer:
        assert request.dry_run
        assert (request.resource, request.operation) == ("configmaps", "CREATE")
        return Answer()

    served.port = await served.server.start(review)
    yield served
    await served.server.stop()


def address(served: Served) -> str:
    return f"127.0.0.1:{served.port}"


async def test_what_the_configuration_names_is_called_and_answers(served: Served):
    (webhook,) = parse_webhooks(configuration())
    assert (webhook.host, webhook.port, webhook.path) == (HOST, 443, "/validate")
    await call(webhook, address(served))
    assert (served.errors, served.unread) == (0, 0)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (configuration(serving_pair(HOST, "127.0.0.1").authority), "certificate is not trusted"),
        (configuration(None), "certificate is not trusted"),
        (configuration(name="other"), "certificate is not trusted"),
        (configuration(b"no certificate"), "cannot be used"),
    ],
    ids=["another authority", "no authority", "another name", "no PEM"],
)
async def test_a_certificate_that_an_api_server_would_not_trust_is_a_failure(
    served: Served, found: dict[str, Any], problem: str
):
    (webhook,) = parse_webhooks(found)
    with pytest.raises(NotAnswered, match=problem):
        await call(webhook, address(served))


async def test_nobody_there_is_a_failure():
    with pytest.raises(NotAnswered, match=r"validate\.podgate\.dev"):
        await call(parse_webhooks(configuration())[0], "127.0.0.1:1")


def test_a_port_of_the_service_counts():
    assert parse_webhooks(configuration(port=8443))[0].port == 8443


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({}, "has no webhooks"),
        ({"webhooks": [{"name": "x", "clientConfig": {"url": "https://x"}}]}, "names no Service"),
        ({"webhooks": [{"name": "x", "clientConfig": {"service": {}, "caBundle": "%"}}]}, "names no Service"),
        ({"webhooks": [{"name": "x", "clientConfig": {"service": {"name": "a"}, "caBundle": "%"}}]}, "is no PEM"),
    ],
)
def test_a_configuration_by_which_nobody_can_be_called(found: dict[str, Any], problem: str):
    with pytest.raises(NotAnswered, match=problem):
        parse_webhooks(found)


@pytest.mark.parametrize(
    ("status", "answer", "problem"),
    [
        (500, {}, "answers 500"),
        (200, [], "not the review's answer"),
        (200, {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}, "not the review's answer"),
        (
            200,
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "x", "allowed": True}},
            "not the review's answer",
        ),
        (302, {}, "answers 302"),
    ],
)
async def test_an_answer_that_an_api_server_would_not_take_is_a_failure(
    tmp_path: Path, status: int, answer: Any, problem: str
):
    """Somebody else answers with the right certificate: a proxy, or a webhook of another make."""

    async def handle(_: web.BaseRequest) -> web.Response:
        return web.json_response(answer, status=status, headers={"Location": "/elsewhere"})

    certificate = Served(tmp_path, pair=PAIR).certificate
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.context)
    await site.start()
    try:
        with pytest.raises(NotAnswered, match=problem):
            await call(parse_webhooks(configuration())[0], f"127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    """An API server, which the kubeconfig of the user names."""
    async with api_server() as server:
        path = tmp_path / "kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        path.write_text(json.dumps(document))
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield server


async def test_ready_waits_until_all_is_well(served: Served, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch):
    """First there is no configuration, then one without an authority, then all is in place."""
    monkeypatch.setattr("webhook.app.ready.AGAIN_SECONDS", 0.01)
    waiting = asyncio.ensure_future(_wait(ReadyRequest("podgate", 20.0, address=address(served))))
    for step in (configuration(None), configuration()):
        asked = len(cluster.requests)
        while len(cluster.requests) < asked + 2:  # noqa: ASYNC110 -- one request may be under way already
            await asyncio.sleep(0.01)
        assert not waiting.done()
        cluster.put(CONFIGURATIONS, step)
    assert await waiting is None


async def test_ready_says_what_was_wrong_at_the_end(cluster: ApiServer):
    assert "404" in str(await _wait(ReadyRequest("podgate", 0.0)))
    cluster.forbidden.add(f"get {CONFIGURATIONS}")
    assert "forbidden" in str(await _wait(ReadyRequest("podgate", 0.0)))
