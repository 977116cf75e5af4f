"""Nodes that emulate platforms, and Windows nodes under Hyper-V isolation: what their images come to."""

from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images

ANNOTATED = "podgate.dev/emulates"


def marked(name: str, platform: str, emulates: str) -> dict[str, Any]:
    obj = node(name, platform)
    obj["metadata"]["annotations"] = {ANNOTATED: emulates}
    return obj


@pytest.fixture
def shop(world: World) -> World:
    registry = world.registry
    registry.push("index", images.multi("linux/amd64", "linux/s390x"), "1")
    registry.push("single", images.single("linux/amd64"), "1")
    registry.push("own", images.multi("linux/arm64"), "1")
    registry.push("arm", images.single("linux/arm/v6"), "1")
    return world


async def test_a_node_takes_its_own_platform_and_those_that_it_emulates(shop: World) -> None:
    shop.has(
        node("plain", "linux/arm64"),
        marked("marked", "linux/arm64", "linux/amd64,linux/arm/v7"),
        node("label", "linux/arm64", labels={ANNOTATED: "linux-amd64"}),
        marked("slip", "linux/arm64", "amd64, yes"),
    )
    runs, refused, ended = ["runs fits"], ["fails no-matching-entry"], ["fails config-mismatch"]
    every = {"plain": refused, "marked": runs, "label": runs, "slip": refused}
    assert outcomes(await shop.judge(pod("reg.example/index:1"))) == every
    every = {"plain": ended, "marked": runs, "label": runs, "slip": ended}
    assert outcomes(await shop.judge(pod("reg.example/single:1"))) == every
    assert set(map(tuple, outcomes(await shop.judge(pod("reg.example/own:1"))).values())) == {("runs fits",)}
    found = outcomes(await shop.judge(pod("reg.example/arm:1")))
    assert found["marked"] == runs


async def test_declared_nodes_emulate_by_their_label(shop: World) -> None:
    labels = {ANNOTATED: "linux/amd64"}
    shop.settings = {"nodes": {"declared": [{"platform": "linux/arm64", "labels": labels}]}}
    assert brief(await shop.judge(pod("reg.example/index:1"))) == "allow match"


async def test_a_platform_that_is_not_emulated_either_fails(shop: World) -> None:
    shop.registry.push("power", images.multi("linux/ppc64le"), "1")
    shop.has(marked("marked", "linux/arm64", "linux/amd64"))
    judgement = await shop.judge(pod("reg.example/power:1"))
    assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"marked": ["fails no-matching-entry"]})


WIN = node("win", "windows/amd64:10.0.20348")
OLD = "reg.example/old:1"


def runtime_class(name: str, handler: str) -> dict[str, Any]:
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}


@pytest.mark.parametrize(
    ("spec", "outcome"),
    [
        ({}, "fails no-matching-entry"),
        ({"runtimeClassName": "process"}, "fails no-matching-entry"),
        ({"runtimeClassName": "hyperv"}, "runs fits"),
        ({"runtimeClassName": "unheard-of"}, "uncertain matchers-disagree"),
    ],
)
async def test_the_runtime_class_decides_which_builds_run(world: World, spec: dict[str, Any], outcome: str) -> None:
    world.registry.push("old", images.multi("windows/amd64:10.0.17763.1"), "1")
    world.has(WIN, runtime_class("process", "runhcs-wcow-process"), runtime_class("hyperv", "runhcs-wcow-hypervisor"))
    for obj in (pod(OLD, **spec), templated("Deployment", OLD, **spec)):
        assert outcomes(await world.judge(obj)) == {"win": [outcome]}


async def test_a_newer_build_than_the_host_fails_under_either(world: World) -> None:
    world.registry.push("old", images.multi("windows/amd64:10.0.26100.1"), "1")
    world.has(WIN, runtime_class("hyperv", "runhcs-wcow-hypervisor"))
    for name in ("hyperv", "unheard-of"):
        judgement = await world.judge(pod(OLD, runtimeClassName=name))
        assert outcomes(judgement) == {"win": ["fails no-matching-entry"]}


async def test_on_linux_a_runtime_class_changes_nothing_and_is_not_read(world: World) -> None:
    world.registry.push("app", images.multi("linux/amd64"), "1")
    world.has(node("n1", "linux/amd64"), node("n2", "linux/arm64"), runtime_class("kata", "kata-hypervisor"))
    for name in ("kata", "unheard-of"):
        judgement = await world.judge(pod("reg.example/app:1", runtimeClassName=name))
        assert outcomes(judgement) == {"n1": ["runs fits"], "n2": ["fails no-matching-entry"]}
