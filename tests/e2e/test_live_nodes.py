"""What a real API server lets a node say, and NodePools that come and go with their API."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster, node_object
from webhook.cluster.connection import connect
from webhook.cluster.live import LiveCluster
from webhook.cluster.reflector import Pace
from webhook.core.platform import format_platform

pytestmark = pytest.mark.usefixtures("connections_end")

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "nodepools.karpenter.sh"},
    "spec": {
        "group": "karpenter.sh",
        "scope": "Cluster",
        "names": {"kind": "NodePool", "listKind": "NodePoolList", "plural": "nodepools", "singular": "nodepool"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "general"},
    "spec": {
        "template": {
            "spec": {
                "requirements": [
                    {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64", "amd64"], "minValues": 2}
                ],
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
            }
        }
    },
}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@pytest.fixture
def marked(cluster: Cluster) -> Iterator[None]:
    cluster.must("create", "-f", "-", stdin=node_object("emulating", "linux/arm64", {}, []))
    yield
    cluster.must("delete", "node", "emulating", "--wait=false")


async def test_a_label_takes_neither_slash_nor_comma_and_an_annotation_takes_both(cluster: Cluster, marked: None):
    for value in ("linux/amd64", "linux-amd64,linux-arm-v7"):
        refused = cluster.kubectl("label", "node", "emulating", f"podgate.dev/emulates={value}")
        assert refused.code != 0
        assert "a valid label must be" in refused.stderr
    cluster.must("label", "node", "emulating", "podgate.dev/emulates=linux-s390x_linux-arm-v7")
    cluster.must("annotate", "node", "emulating", "podgate.dev/emulates=linux/amd64,linux/riscv64")
    live = LiveCluster(await connect(str(cluster.control_plane.kubeconfigs["admin"])))
    await live.start(watch=False)
    (node,) = (node for node in live.nodes() if node.name == "emulating")
    assert list(map(format_platform, node.emulates)) == ["linux/amd64", "linux/riscv64", "linux/s390x", "linux/arm/v7"]
    assert live.node_pools() == ()
    await live.close()


async def test_node_pools_come_and_go_with_their_api(cluster: Cluster):
    live = LiveCluster(await connect(str(cluster.control_plane.kubeconfigs["admin"])), Pace(absent=0.2))
    await live.start(watch=True)
    await asyncio.wait_for(live.wait_listed(), 30)
    assert live.node_pools() == ()
    try:
        await asyncio.to_thread(cluster.must, "create", "-f", "-", stdin=CRD)
        await asyncio.to_thread(
            cluster.must, "wait", "--for=condition=Established", "crd/nodepools.karpenter.sh", "--timeout=30s"
        )
        await asyncio.to_thread(cluster.must, "create", "-f", "-", stdin=POOL)
        await until(lambda: [pool.name for pool in live.node_pools()] == ["general"])
        assert live.node_pools()[0].requirements["kubernetes.io/arch"].named == {"amd64", "arm64"}
        await asyncio.to_thread(cluster.must, "delete", "nodepool", "general")
        await until(lambda: not live.node_pools())
    finally:
        await asyncio.to_thread(cluster.must, "delete", "crd", "nodepools.karpenter.sh")
    await asyncio.to_thread(cluster.must, "create", "namespace", "still-followed")
    await until(lambda: live.namespace_labels("still-followed") is not None)
    await asyncio.to_thread(cluster.must, "delete", "namespace", "still-followed", "--wait=false")
    await live.close()
