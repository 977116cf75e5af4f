"""Reviews by kopf's dispatch: the same answers as without it, whatever happens on the way, and nothing kept."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kopf._core.actions.execution import handler_var
from kopf._core.reactor.inventory import ResourceMemories

from tests.support import images
from tests.support.apiserver import ApiServer
from tests.support.operator import POD, allow, api, connect, kopf_running
from tests.support.registry import Registry
from tests.support.serving import RECORDED, Served, changed, uid_of
from webhook.admission.review import Reviewer
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.app.parts import registry_options
from webhook.app.serve import Observers
from webhook.cluster.live import LiveCluster
from webhook.core.kinds import FurtherKind
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import parse_settings

__all__ = ["api"]  # pytest looks for fixtures here


@asynccontextmanager
async def judging(api: ApiServer, folder: Path) -> AsyncIterator[Reviewer]:
    """The whole way behind the server: real judge, real reflector, real registry client, a registry on loopback."""
    with Registry() as registry:
        registry.push("team/app", images.multi("linux/amd64", "linux/arm64"), "1", "2")
        registry.push("team/db", images.multi("linux/s390x"), "1")
        registry.push("team/job", images.multi("linux/amd64"), "1")
        registry.push("x/y", images.multi("windows/amd64:10.0.20348.1"), "1")
        registry.serve_as("_default", folder)
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


def _handler() -> str:
    """The handler of kopf's that this is called from."""
    current = handler_var.get(None)
    return "none" if current is None else str(current.id)


async def test_every_recorded_review_is_answered_and_equally_with_kopf_and_without(
    served: Served, api: ApiServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    by_handler: dict[str, str] = {}
    direct = Served(tmp_path_factory.mktemp("direct"))
    async with judging(api, tmp_path) as reviewer:

        async def review(request: ReviewRequest, deadline: float) -> Answer:
            by_handler[request.uid] = _handler()
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
    seen: set[tuple[str, ...]] = set()
    for name, recorded in RECORDED.items():
        assert answers[name]["uid"] == uid_of(recorded)
        # kopf's own handler for the resource was what called it; once kopf has chosen it, it is called without kopf
        request = recorded["request"]
        resource, subresource = request["resource"]["resource"], request.get("subResource", "")
        kind = (resource, subresource, request["operation"])
        assert by_handler[uid_of(recorded)] == ("none" if kind in seen else resource)
        seen.add(kind)
    assert len(seen) < len(RECORDED)
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
        handlers.append(_handler())
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


async def test_kopf_is_asked_once_for_what_it_knows_and_again_for_what_it_does_not(served: Served, api: ApiServer):
    handlers: list[str] = []

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        handlers.append(_handler())
        return Answer()

    longest = "x" * 64
    async with kopf_running(served, api, review) as running:
        await running.listening()
        for subresource in ("", "", longest, longest, f"{longest}x", f"{longest}x"):
            await served.post(changed("CREATE-Pod", subResource=subresource))
        assert handlers == ["pods", "none", "pods", "none", "pods", "pods"]
        # So many others that what was known has to make room: it is asked about once more.
        for number in range(256):
            await served.post(changed("CREATE-Pod", operation=f"O{number}"))
        handlers.clear()
        for _ in range(2):
            await served.post(POD)
        assert handlers == ["pods", "none"]


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
