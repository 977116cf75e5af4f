"""Declared node shapes: candidates like nodes that are there, each called by what tells it from the others."""

from typing import Any

import pytest

from tests.service.conftest import World, brief, pod
from tests.support import images
from webhook.landing import declared_nodes
from webhook.settings import parse_settings

GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def names(*declared: dict[str, Any]) -> list[str | None]:
    settings = parse_settings({"nodes": {"declared": list(declared)}})
    return [node.name for node in declared_nodes(settings.nodes.declared)]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([], []),
        ([{"platform": "linux/arm64", "labels": {"pool": "a"}}], ["declared linux/arm64"]),
        (
            [{"platform": "linux/arm64"}, {"platform": "linux/amd64", "labels": {"pool": "a"}}],
            ["declared linux/arm64", "declared linux/amd64"],
        ),
        (
            [{"platform": "linux/arm64"}, {"platform": "linux/arm64", "labels": {"pool": "a"}}],
            ["declared linux/arm64", "declared linux/arm64 pool=a"],
        ),
        (
            [
                {"platform": "linux/arm64", "labels": {"pool": "a", "zone": "1"}},
                {"platform": "linux/arm64", "labels": {"pool": "b", "zone": "1"}},
            ],
            ["declared linux/arm64 pool=a", "declared linux/arm64 pool=b"],
        ),
        (
            [
                {"platform": "linux/arm64", "taints": [GPU]},
                {"platform": "linux/arm64", "taints": [{"key": "slow", "effect": "NoExecute"}]},
            ],
            ["declared linux/arm64 gpu=yes:NoSchedule", "declared linux/arm64 slow:NoExecute"],
        ),
        (
            [
                {"platform": "linux/arm64", "runtime": "containerd://1.7.27"},
                {"platform": "linux/arm64", "runtime": "containerd://2.1.4", "labels": {"pool": "a"}},
            ],
            ["declared linux/arm64 containerd://1.7.27", "declared linux/arm64 pool=a containerd://2.1.4"],
        ),
        # The same shape twice is one.
        ([{"platform": "linux/arm64", "taints": [GPU]}] * 2, ["declared linux/arm64"]),
    ],
)
def test_a_name_has_what_tells_the_shape_apart(declared: list[dict[str, Any]], expected: list[str]):
    assert names(*declared) == expected


async def test_a_label_tells_the_windows_build_of_a_shape(world: World) -> None:
    world.registry.push("win", images.multi("windows/amd64:10.0.20348.1"), "1")
    for labels, expected in (
        ({}, "warn undetermined"),
        ({"node.kubernetes.io/windows-build": "10.0.20348"}, "allow match"),
        ({"node.kubernetes.io/windows-build": "10.0.17763"}, "deny mismatch"),
    ):
        shape = {"platform": "windows/amd64", "runtime": "containerd://2.1.4", "labels": labels}
        world.settings = {"nodes": {"declared": [shape]}}
        assert brief(await world.judge(pod("reg.example/win:1"))) == expected


async def test_messages_tell_two_shapes_of_one_platform_apart(world: World) -> None:
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    shapes = [{"platform": "linux/arm64", "labels": {"pool": "a"}}, {"platform": "linux/arm64", "taints": [GPU]}]
    world.settings = {"nodes": {"declared": shapes}}
    judgement = await world.judge(pod("reg.example/amd:1", tolerations=[{"operator": "Exists"}]))
    assert brief(judgement) == "deny mismatch"
    text = judgement.messages[0].replace("\n    ", " ")
    assert "on declared linux/arm64 pool=a, declared linux/arm64 gpu=yes:NoSchedule (linux/arm64): the pull" in text
