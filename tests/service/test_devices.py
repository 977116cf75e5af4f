"""Pods that ask for devices: clusters that taint the nodes of a device let such pods onto them by themselves."""

from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images

IMAGE = "reg.example/cuda:1"
GPU = "nvidia.com/gpu"


@pytest.fixture
def shop(world: World) -> World:
    """An image for amd64 alone, plain arm64 nodes and an amd64 node with a GPU, which is tainted for it."""
    world.registry.push("cuda", images.multi("linux/amd64"), "1")
    world.has(node("arm", "linux/arm64"), node("gpu", "linux/amd64", taints=[f"{GPU}=present:NoSchedule"]))
    return world


def asking(obj: dict[str, Any], part: str = "limits", name: str = GPU) -> dict[str, Any]:
    spec = obj["spec"]["template"]["spec"] if "template" in obj["spec"] else obj["spec"]
    spec["containers"][0]["resources"] = {part: {name: "1"}}
    return obj


@pytest.mark.parametrize("part", ["limits", "requests"])
async def test_a_template_that_asks_for_a_device_is_not_denied_for_the_nodes_without_it(shop: World, part: str) -> None:
    judgement = await shop.judge(asking(templated("Deployment", IMAGE), part))
    assert (brief(judgement), outcomes(judgement)) == (
        "warn partial",
        {"arm": ["fails no-matching-entry"], "gpu": ["runs fits"]},
    )
    assert brief(await shop.judge(asking(pod(IMAGE)), admitted=False)) == "warn partial"  # of a file


@pytest.mark.parametrize(
    "obj",
    [
        templated("Deployment", IMAGE),
        asking(templated("Deployment", IMAGE), name="example.com/fpga"),
        asking(templated("Deployment", IMAGE), name="cpu"),
        asking(templated("Deployment", IMAGE), name="kubernetes.io/batch-cpu"),
        asking(pod(IMAGE)),  # admission has been there: what it adds stands in the pod
        asking(templated("DaemonSet", IMAGE)),  # whose controller chooses the nodes by the template
    ],
)
async def test_nothing_else_tolerates_the_taint(shop: World, obj: dict[str, Any]) -> None:
    judgement = await shop.judge(obj)
    assert (brief(judgement), list(outcomes(judgement))) == ("deny mismatch", ["arm"])


async def test_it_stays_a_mismatch_where_the_image_fails_on_the_devices_nodes_too(shop: World) -> None:
    shop.registry.push("ppc", images.multi("linux/ppc64le"), "1")
    judgement = await shop.judge(asking(templated("Deployment", "reg.example/ppc:1")))
    assert (brief(judgement), list(outcomes(judgement))) == ("deny mismatch", ["arm"])


async def test_without_any_node_that_takes_it_a_failure_there_is_no_denial(shop: World) -> None:
    shop.registry.push("ppc", images.multi("linux/ppc64le"), "1")
    there = {"nodeSelector": {"kubernetes.io/hostname": "gpu"}}
    assert (
        brief(await shop.judge(asking(templated("Deployment", "reg.example/ppc:1", **there)))) == "warn no-candidates"
    )
    assert brief(await shop.judge(asking(templated("Deployment", IMAGE, **there)))) == "allow match"


@pytest.mark.parametrize("resources", [None, [], "x", {"limits": None}, {"limits": ["nvidia.com/gpu"]}])
async def test_resources_without_their_form_say_nothing(shop: World, resources: object) -> None:
    obj = templated("Deployment", IMAGE)
    obj["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    assert brief(await shop.judge(obj)) == "deny mismatch"
