"""Updates of pods that are on their nodes: what a request answers for, and what was there before it."""

import copy
from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod
from tests.support import images

BAD = "reg.example/amd:1"
GOOD = "reg.example/both:1"
DEBUG = {"name": "debug", "image": GOOD}
BAD_DEBUG = {"name": "debug", "image": BAD}


@pytest.fixture
def shop(world: World) -> World:
    """A registry with amd:1 and both:1 (indexes), and an arm64 node."""
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    world.registry.push("both", images.multi("linux/amd64", "linux/arm64"), "1")
    world.has(node("arm", "linux/arm64"))
    return world


def changed(old: dict[str, Any], **spec: Any) -> dict[str, Any]:
    new = copy.deepcopy(old)
    new["spec"] |= spec
    return new


@pytest.mark.parametrize(
    ("debug", "decision", "there"),
    [
        (DEBUG, "allow match", ["runs fits"]),
        (BAD_DEBUG, "deny mismatch", ["fails no-matching-entry"]),
        ({"name": "debug", "image": "reg.example/gone:1"}, "warn undetermined", ["uncertain image-unresolved"]),
    ],
)
async def test_a_container_for_debugging_is_judged_without_the_image_that_fails_already(
    shop: World, debug: dict[str, Any], decision: str, there: list[str]
) -> None:
    old = pod(BAD, nodeName="arm")
    judgement = await shop.judge(changed(old, ephemeralContainers=[debug]), old=old)
    assert (brief(judgement), outcomes(judgement)) == (decision, {"arm": there})
    assert [image.container for image in judgement.images] == ["debug"]


async def test_one_image_can_be_mended_before_the_other(shop: World) -> None:
    old = pod(BAD, BAD, nodeName="arm")
    mended = pod(GOOD, BAD, nodeName="arm")
    assert brief(await shop.judge(mended, old=old)) == "allow match"
    assert brief(await shop.judge(old, old=mended)) == "deny mismatch"
    assert brief(await shop.judge(pod(GOOD, BAD), old=pod(BAD, BAD))) == "deny mismatch"  # it has no node yet


@pytest.mark.parametrize("change", [{"tolerations": [{"operator": "Exists"}]}, {"nodeSelector": {"a": "b"}}])
async def test_where_no_image_is_new_nothing_starts_on_the_node(shop: World, change: dict[str, Any]) -> None:
    for images_of, answer in (((BAD,), "allow skipped"), ((GOOD,), "allow match"), ((BAD, GOOD), "allow match")):
        old = pod(*images_of, nodeName="arm")
        assert brief(await shop.judge(changed(old, **change), old=old)) == answer


async def test_a_pod_that_gets_its_node_by_an_update_is_judged_whole(shop: World) -> None:
    assert brief(await shop.judge(pod(BAD, nodeName="arm"), old=pod(BAD))) == "deny mismatch"
