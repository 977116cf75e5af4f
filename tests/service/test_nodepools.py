"""Karpenter NodePools as candidates: nodes that may come count like nodes that are there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.test_reflector import connection_to
from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images
from tests.support.apiserver import Fault, api_server
from tests.support.apiserver import node as live_node
from webhook.cluster.live import LiveCluster

AMD, BOTH, MAIN, WIN = (f"reg.example/{name}:1" for name in ("amd", "both", "main", "win"))


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


async def test_what_a_pool_leaves_open_is_said_of_the_pool(shop: World) -> None:
    shop.has(pool())
    judgement = await shop.judge(pod(AMD))
    assert judgement.messages == (
        (
            'podgate: Pod web: container "a": reg.example/amd:1 (linux/amd64) may not run on nodepool general '
            "(platform unknown): the NodePool leaves the platform to its provider; name kubernetes.io/arch in the "
            "NodePool's requirements"
        ),
    )


@pytest.fixture
async def unread(shop: World) -> AsyncIterator[World]:
    """A cluster of one arm64 node, whose API server fails to list NodePools."""
    async with api_server() as server:
        server.absent.clear()
        server.put("nodes", live_node("arm", "arm64"))
        server.put("namespaces", {"metadata": {"name": "team"}})
        server.fail("list nodepools", Fault(500))
        live = LiveCluster(await connection_to(server))
        await live.start(watch=False)
        shop.cluster = live
        yield shop
        await live.close()


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod(AMD), "warn undetermined"),  # a node to come may run it
        (pod(BOTH), "allow match"),
        (pod(AMD, nodeSelector={"pool": "later"}), "warn undetermined"),
        (pod(AMD, nodeSelector={"kubernetes.io/arch": "arm64"}), "warn undetermined"),
        (pod(AMD, nodeName="arm"), "deny mismatch"),  # this one it is
        (pod("Not/Valid"), "deny mismatch"),  # nowhere
        (templated("Deployment", AMD), "warn undetermined"),
        (templated("DaemonSet", AMD), "warn undetermined"),
    ],
)
async def test_pools_that_could_not_be_read_are_uncertain_and_deny_nothing(
    unread: World, obj: dict[str, Any], expected: str
) -> None:
    judgement = await unread.judge(obj)
    assert brief(judgement) == expected
    said = "the NodePools could not be read: which nodes they may give is not known"
    assert any(said in text for text in judgement.messages) is (expected == "warn undetermined")
    assert "give the node the labels" not in " ".join(judgement.messages)


async def test_a_pod_of_a_daemon_set_is_for_a_node_that_is_there(unread: World) -> None:
    named = {"key": "metadata.name", "operator": "In", "values": ["arm"]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [named]}]}}
    judgement = await unread.judge(pod(AMD, affinity={"nodeAffinity": required}))
    assert (brief(judgement), list(outcomes(judgement))) == ("deny mismatch", ["arm"])


async def test_pools_that_nobody_asks_for_are_not_missed(unread: World) -> None:
    unread.settings = {"nodes": {"nodePools": False}}
    assert brief(await unread.judge(pod(AMD))) == "deny mismatch"


async def test_they_can_be_switched_off(shop: World) -> None:
    shop.has(pool(os=["linux"], arch=["amd64"]))
    shop.settings = {"nodes": {"nodePools": False}}
    assert brief(await shop.judge(pod(AMD))) == "warn no-candidates"


async def test_a_bound_pod_is_judged_on_its_node_alone(shop: World) -> None:
    shop.has(node("arm", "linux/arm64"), pool(os=["linux"], arch=["amd64"]))
    judgement = await shop.judge(pod(AMD, nodeName="arm"))
    assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"arm": ["fails no-matching-entry"]})
