"""Karpenter NodePools as candidates: nodes that may come count like nodes that are there."""

from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images


def pool(name: str = "general", **requirements: list[str]) -> dict[str, Any]:
    """A NodePool; `arch` and `os` In the values given."""
    named = [
        {"key": f"kubernetes.io/{key}", "operator": "In", "values": values} for key, values in requirements.items()
    ]
    spec = {"requirements": named, "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "x"}}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {"template": {"spec": spec}},
    }


@pytest.fixture
def shop(world: World) -> World:
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    world.registry.push("both", images.multi("linux/amd64", "linux/arm64"), "1")
    world.registry.push("main", images.multi("linux/s390x"), "1")
    world.registry.push("win", images.multi("windows/amd64"), "1")
    world.registry.push("single", images.single("linux/amd64"), "1")
    return world


AMD, BOTH, MAIN, WIN = (f"reg.example/{name}:1" for name in ("amd", "both", "main", "win"))


async def test_a_pool_stands_for_nodes_of_each_platform_that_it_names(shop: World) -> None:
    shop.has(pool(os=["linux"], arch=["amd64", "arm64"]))
    judgement = await shop.judge(pod(AMD))
    shown = [(one.node.name, one.verdict) for one in judgement.nodes]
    assert shown == [("nodepool general", "runs"), ("nodepool general", "fails")]
    assert brief(judgement) == "warn partial"
    assert judgement.messages == (
        (
            'podgate: Pod web: container "a": reg.example/amd:1 (linux/amd64) fails on nodepool general (linux/arm64): '
            "the pull would be refused: no match for platform in manifest; add nodeSelector kubernetes.io/arch: amd64"
        ),
    )
    assert brief(await shop.judge(pod(AMD, nodeSelector={"kubernetes.io/arch": "amd64"}))) == "allow match"
    assert brief(await shop.judge(pod(AMD, nodeSelector={"kubernetes.io/arch": "arm64"}))) == "deny mismatch"
    assert brief(await shop.judge(pod(BOTH))) == "allow match"


async def test_a_pool_counts_beside_nodes_and_keeps_a_pod_from_being_denied(shop: World) -> None:
    shop.has(node("arm", "linux/arm64"))
    assert brief(await shop.judge(pod(AMD))) == "deny mismatch"
    shop.has(pool(os=["linux"], arch=["amd64"]))
    judgement = await shop.judge(pod(AMD))
    assert brief(judgement) == "warn partial"
    assert [one.node.name for one in judgement.nodes] == ["arm", "nodepool general"]
    assert "add nodeSelector kubernetes.io/arch: amd64" in judgement.messages[0]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (BOTH, "allow match"),  # it runs on whatever is likely
        (AMD, "warn undetermined"),  # what a provider may offer is no proof
        (MAIN, "warn undetermined"),
        (WIN, "warn undetermined"),
        ("reg.example/single:1", "warn undetermined"),
        ("reg.example/none:1", "warn undetermined"),
        ("not a reference", "deny mismatch"),
    ],
)
async def test_what_a_pool_leaves_open_is_uncertain(shop: World, image: str, expected: str) -> None:
    shop.has(pool())
    assert brief(await shop.judge(pod(image))) == expected


async def test_an_open_pool_denies_no_daemon_set(shop: World) -> None:
    shop.has(node("amd"), pool(os=["linux"]))
    assert brief(await shop.judge(templated("DaemonSet", AMD))) == "allow match"
    shop.has(pool(os=["linux"], arch=["arm64"]))
    assert brief(await shop.judge(templated("DaemonSet", AMD))) == "deny mismatch"


async def test_a_windows_pod_on_an_open_pool(shop: World) -> None:
    shop.has(pool())
    assert brief(await shop.judge(pod(WIN, nodeSelector={"kubernetes.io/os": "windows"}))) == "allow match"
    assert brief(await shop.judge(pod(BOTH, os={"name": "windows"}))) == "warn undetermined"


async def test_they_can_be_switched_off(shop: World) -> None:
    shop.has(pool(os=["linux"], arch=["amd64"]))
    shop.settings = {"nodes": {"nodePools": False}}
    assert brief(await shop.judge(pod(AMD))) == "warn no-candidates"


async def test_a_bound_pod_is_judged_on_its_node_alone(shop: World) -> None:
    shop.has(node("arm", "linux/arm64"), pool(os=["linux"], arch=["amd64"]))
    judgement = await shop.judge(pod(AMD, nodeName="arm"))
    assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"arm": ["fails no-matching-entry"]})
