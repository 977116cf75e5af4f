"""Large objects and documents are read beside the event loop: the same comes of it, and past the deadline nothing is
guessed."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.admission.test_review import Judging, Observing, request_of
from tests.service.conftest import World, brief, node, outcomes, pod
from tests.support import images
from tests.support.registry import Fault
from tests.support.serving import changed
from webhook.admission.review import Reviewer, Surroundings
from webhook.aside import LARGE, aside
from webhook.landing import UNKNOWN_NAME

APP = "reg.example/app:1"


def affinity(*zones: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in zones]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


@pytest.fixture
def zones(world: World) -> World:
    """An image for amd64, and in each of two zones a node, one of which has it."""
    world.registry.push("app", images.multi("linux/amd64"), "1")
    world.has(node("a", labels={"zone": "a"}), node("b", "linux/arm64", labels={"zone": "b"}))
    return world


async def test_many_terms_give_the_candidates_that_a_few_give(zones: World) -> None:
    many = [f"z{number}" for number in range(1000)]
    for named, decision in ((["a"], "allow match"), (["b"], "deny mismatch"), (["a", "b"], "warn partial")):
        few = await zones.judge(pod(APP, **affinity(*named)))
        large = await zones.judge(pod(APP, **affinity(*many, *named)))
        assert (brief(few), outcomes(few)) == (decision, outcomes(large))
        assert brief(large) == decision


async def test_many_terms_past_the_deadline_are_no_mismatch(zones: World) -> None:
    waiting = threading.Event()
    held = asyncio.create_task(aside(waiting.wait))
    await asyncio.sleep(0)  # somebody else's work is under way
    try:
        judgement = await zones.judge(pod(APP, **affinity(*["b"] * 1000)), within=0.05)
    finally:
        waiting.set()
        await held
    assert brief(judgement) == "warn undetermined"
    assert outcomes(judgement) == {UNKNOWN_NAME: ["uncertain node-platform-unknown"]}


async def test_a_large_index_means_what_a_small_one_means(zones: World) -> None:
    small = images.multi("linux/amd64")
    large = images.index(small.root.json["manifests"], annotations={"a": "x" * LARGE})
    assert len(large.body) > LARGE
    zones.registry.hold("app", "manifests", "2", large)
    for zone in "ab":
        few = await zones.judge(pod(APP, nodeSelector={"zone": zone}))
        many = await zones.judge(pod("reg.example/app:2", nodeSelector={"zone": zone}))
        assert (brief(few), outcomes(few)) == (brief(many), outcomes(many))
        assert few.images[0].platforms == many.images[0].platforms == ("linux/amd64",)


async def test_a_large_document_that_is_none_is_said_to_be_so(zones: World) -> None:
    zones.registry.hold("app", "manifests", "3", images.Content(images.OCI_INDEX, b"[" * LARGE * 2))
    judgement = await zones.judge(pod("reg.example/app:3", nodeSelector={"zone": "b"}))
    assert brief(judgement) == "warn undetermined"
    assert judgement.images[0].error is not None
    assert judgement.images[0].error[0] == "malformed"


async def test_one_object_has_sixteen_questions_open_at_a_time(zones: World) -> None:
    zones.registry.faults = [Fault(delay=0.05)]
    names = [f"app{number}" for number in range(40)]
    for name in names:
        zones.registry.push(name, images.multi("linux/amd64"), "1")
    judgement = await zones.judge(pod(*[f"reg.example/{name}:1" for name in names], nodeSelector={"zone": "a"}))
    assert brief(judgement) == "allow match"
    assert 1 < zones.registry.most_at_once <= 16


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_review_that_there_is_no_time_to_read_is_let_through_with_a_warning(quiet: bool) -> None:
    judging, request = Judging(), replace(request_of(changed("CREATE-Pod")), large=True)
    reviewer = Reviewer(judging, Observing(), Surroundings(quiet=quiet))
    now = asyncio.get_running_loop().time()
    answer = await reviewer.review(request, now - 1)
    assert (answer.allowed, answer.annotations) == (True, {"decision": "warn", "reason": "undetermined"})
    assert answer.warnings == (() if quiet else ("podgate: not checked, since there was no time to read it",))
    assert judging.asked == []
    assert not (await reviewer.review(request, now + 60)).allowed
    assert len(judging.asked) == 1
