"""Traces on the real wire: a server that is asked over HTTPS, a registry, and a collector, all on loopback."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.service.conftest import node, pod, pull_secret
from tests.support import images as build
from tests.support.otlp import Collector
from tests.support.registry import Auth, Fault, Registry
from tests.support.serving import Served, changed, response_of
from webhook.admission.review import Reviewer
from webhook.app.traces import traced_hooks, traced_review, wanted_traces
from webhook.cluster.files import FileCluster
from webhook.core.errors import MalformedSettings
from webhook.ports import Observation
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import parse_settings

SERVER, CLIENT = 2, 3
"""Kinds of spans (opentelemetry-proto, trace.proto)."""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The example of W3C Trace Context, sampled."""
WORD = "PASS-MARKED"


class Nobody:
    def decided(self, observation: Observation) -> None:
        """Observes nothing."""


class Traced:
    """What is traced; `close` sends what waits."""

    registry: Registry
    other: Registry

    def __init__(self, folder: Path, collector: Collector, ratio: float = 1.0) -> None:
        self.collector = collector
        self.settings = parse_settings({"traces": {"endpoint": collector.url, "ratio": ratio}})
        self.served = Served(folder)
        self.folder = folder
        self.objects = [node("amd-1")]

    def name(self, host: str, registry: Registry) -> None:
        """Gives a registry that runs a name."""
        registry.serve_as(host, self.folder / "hosts")

    async def start(self) -> None:
        traces = wanted_traces(self.settings)
        assert traces is not None
        self.traces = traces
        options = RegistryOptions(self.folder / "hosts", AddressPolicy(allowed=(ip_network("127.0.0.0/8"),)))
        self.images = RegistryImages(options, traced_hooks(Hooks(), traces))
        judge = Judge(self.settings, self.images, FileCluster.from_documents(self.objects), traces)
        review = traced_review(Reviewer(judge, Nobody()).review, traces)
        self.served.port = await self.served.server.start(review)

    async def ask(self, *images: str, headers: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        review = changed("CREATE-Pod", namespace="team", name="web", object=pod(*images, **spec))
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"https://localhost:{self.served.port}/validate?timeout=10s",
                data=json.dumps(review),
                ssl=self.served.trust,
                headers={"Content-Type": "application/json", **(headers or {})},
            ) as response,
        ):
            return response_of(response.status, response.content_type, await response.read())

    async def close(self) -> None:
        await self.served.server.stop()
        await self.images.aclose()
        await self.traces.aclose()


@pytest.fixture
def ratio() -> float:
    return 1.0


@pytest.fixture
async def traced(tmp_path: Path, ratio: float) -> AsyncIterator[Traced]:
    with Collector() as collector, Registry() as registry, Registry() as other:
        made = Traced(tmp_path, collector, ratio)
        made.registry, made.other = registry, other
        made.name("reg.example", registry)
        made.name("other.example", other)
        registry.push("team/app", build.single("linux/arm64"), "1")
        other.push("team/side", build.single("linux/amd64"), "1")
        await made.start()
        yield made
        await made.close()


def port_of(registry: Registry) -> int:
    return int(registry.address.rpartition(":")[2])


async def test_a_span_for_the_review_each_image_and_each_request(traced: Traced):
    answer = await traced.ask("reg.example/team/app:1", "other.example/team/side:1")
    assert answer["allowed"] is False
    await traced.close()
    [review] = traced.collector.named("review")
    assert review.attributes == {
        "podgate.uid": answer["uid"],
        "podgate.operation": "CREATE",
        "podgate.resource": "pods",
        "podgate.name": "web",
        "podgate.dry_run": False,
        "k8s.namespace.name": "team",
        "podgate.decision": "deny",
        "podgate.reason": "mismatch",
    }
    assert (review.parent, review.kind, review.failed) == ("", SERVER, False)
    images = {span.attributes["podgate.image"]: span for span in traced.collector.named("image")}
    assert set(images) == {"reg.example/team/app:1", "other.example/team/side:1"}
    assert {span.parent for span in images.values()} == {review.id}
    requests = traced.collector.named("GET")
    # A manifest and its config of each.
    assert sorted(span.parent for span in requests) == sorted(span.id for span in images.values() for _ in "mc")
    for span in requests:
        of = traced.registry if span.parent == images["reg.example/team/app:1"].id else traced.other
        assert span.attributes == {
            "http.request.method": "GET",
            "server.address": "127.0.0.1",
            "server.port": port_of(of),
            "http.response.status_code": 200,
        }
        assert (span.kind, span.failed) == (CLIENT, False)
        assert 0 < span.seconds < 10
    assert len({span.trace for span in traced.collector.spans}) == 1
    assert len(traced.collector.spans) == 7
    assert {resource["service.name"] for resource in traced.collector.resources} == {"podgate"}


async def test_the_api_servers_trace_goes_on(traced: Traced):
    await traced.ask("reg.example/team/app:1", headers={"traceparent": PARENT, "tracestate": "a=b"})
    await traced.close()
    [review] = traced.collector.named("review")
    assert (review.trace, review.parent) == tuple(PARENT.split("-")[1:3])
    assert {span.trace for span in traced.collector.spans} == {review.trace}


@pytest.mark.parametrize("header", ["", "00-0-0-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_header_that_is_none_begins_a_trace(traced: Traced, header: str):
    await traced.ask("reg.example/team/app:1", headers={"traceparent": header})
    await traced.close()
    [review] = traced.collector.named("review")
    assert review.parent == ""


@pytest.mark.parametrize("ratio", [0.0])
async def test_what_is_not_to_be_traced_is_not_unless_the_api_server_does(traced: Traced):
    await traced.ask("reg.example/team/app:1")
    await traced.ask("reg.example/team/app:1", headers={"traceparent": PARENT})
    await traced.close()
    [review] = traced.collector.named("review")
    assert review.trace in PARENT


async def test_what_the_api_server_does_not_trace_is_not_traced(traced: Traced):
    await traced.ask("reg.example/team/app:1", headers={"traceparent": PARENT[:-1] + "0"})
    await traced.close()
    assert traced.collector.spans == []


async def test_a_failure_is_told_by_its_code_alone(traced: Traced):
    traced.registry.faults = [Fault(status=404, body=b"NOTHING-MARKED")]
    traced.other.faults = [Fault(close=True)]
    await traced.ask("reg.example/team/app:1", "other.example/team/side:1")
    await traced.close()
    images = traced.collector.named("image")
    codes = {span.attributes["podgate.image"]: span.attributes["error.type"] for span in images}
    assert codes == {"reg.example/team/app:1": "not-found", "other.example/team/side:1": "unavailable"}
    statuses = {span.attributes.get("http.response.status_code") for span in traced.collector.named("GET")}
    assert statuses == {404, None}
    assert {span.attributes.get("error.type") for span in traced.collector.named("GET")} == {None, "unavailable"}
    [review] = traced.collector.named("review")
    assert (review.failed, review.attributes["podgate.reason"]) == (False, "undetermined")
    assert not marked(traced.collector)


async def test_what_is_asked_for_on_behalf_of_several_belongs_to_the_first(traced: Traced):
    traced.registry.faults = [Fault(delay=0.2, times=1)]
    await asyncio.gather(*(traced.ask("reg.example/team/app:1") for _ in range(4)))
    await traced.close()
    assert len(traced.collector.named("review")) == len(traced.collector.named("image")) == 4
    requests = traced.collector.named("GET")
    assert len(requests) == 2
    by_id = {span.id: span for span in traced.collector.spans}
    assert {by_id[span.parent].name for span in requests} == {"image"}


async def test_an_exception_leaves_its_kind_and_no_text(traced: Traced):
    async def fail(*_: object) -> Any:
        raise RuntimeError("TEXT-MARKED")

    review = traced_review(fail, traced.traces)
    await traced.served.server.stop()
    traced.served.port = await traced.served.server.start(review)
    await traced.ask("reg.example/team/app:1")
    await traced.close()
    [span] = traced.collector.named("review")
    assert (span.failed, span.attributes["error.type"]) == (True, "RuntimeError")
    assert not marked(traced.collector)


def marked(collector: Collector) -> bool:
    return any(re.search(rb"MARKED", raw, re.IGNORECASE) for raw in collector.raw)


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_no_secret_leaves_with_a_span(tmp_path: Path, scheme: str):
    """Passwords, tokens, the query of a signed URL, words of an error: the registry is asked for all of these."""
    with Collector() as collector, Registry() as registry, Registry() as storage:
        made = Traced(tmp_path, collector)
        registry.push("team/app", build.single("linux/arm64"), "1")
        registry.auth = Auth(scheme, {"ann": WORD})
        signed = f"{storage.url}/v2/team/app/blobs/x?X-Signature=SIGNATURE-MARKED"
        registry.faults = [Fault(at="*/blobs/*", redirect=signed, authorized=True)]
        made.name("reg.example", registry)
        made.objects.append(pull_secret("pull", {"reg.example": f"ann:{WORD}"}))
        await made.start()
        for name in ("reg.example/team/app:1", "reg.example/team/none:1"):
            await made.ask(name, imagePullSecrets=[{"name": "pull"}])
        await made.close()
        assert any("X-Signature" in asked.query for asked in storage.log)
        assert any(asked.authorization for asked in registry.log)
        hosts = {span.attributes.get("server.port") for span in collector.named("GET")}
        assert {port_of(registry), port_of(storage)} <= hosts
        assert not marked(collector)
        values = [str(value) for span in collector.spans for value in span.attributes.values()]
        assert not [value for value in values if "?" in value or "/v2/" in value]


async def test_a_collector_that_is_down_holds_nothing_up(tmp_path: Path, restored_logging: None):
    with Collector() as collector:
        made = Traced(tmp_path, collector)
    with Registry() as registry:
        made.name("reg.example", registry)
        registry.push("team/app", build.single("linux/arm64"), "1")
        await made.start()
        assert (await made.ask("reg.example/team/app:1"))["allowed"] is False
        async with asyncio.timeout(30):
            await made.close()


def test_none_are_wanted_by_default():
    assert wanted_traces(parse_settings({})) is None
    hooks = Hooks()
    assert traced_hooks(hooks, None) is hooks


def test_without_the_extra_settings_that_want_traces_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "webhook.observability.traces", None)
    settings = parse_settings({"traces": {"endpoint": "http://collector:4318/v1/traces"}})
    with pytest.raises(
        MalformedSettings, match=r"^traces\.endpoint: needs the extra .*pip install 'podgate\[traces\]'$"
    ):
        wanted_traces(settings)
    assert wanted_traces(parse_settings({})) is None
