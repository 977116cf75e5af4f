"""The live cluster against a real API server: pages, watches, unknown versions, and rights by RBAC."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster, node_object, node_status
from webhook.cluster.connection import connect
from webhook.cluster.live import NODES, LiveCluster
from webhook.cluster.reflector import Pace, Reflector
from webhook.cluster.state import Store
from webhook.core.errors import BadCredentials, ClusterUnavailable
from webhook.core.scheduling import Node
from webhook.core.workload import PodConstraints

pytestmark = pytest.mark.usefixtures("connections_end")

COUNT = 230
"""Nodes: more than two pages."""

CONFIG = json.dumps({"auths": {"reg.example": {"auth": base64.b64encode(b"user:word").decode()}}})
RIGHTS = ("--verb=get,list,watch", "--resource=nodes,namespaces")


@pytest.fixture(scope="module")
def many(cluster: Cluster) -> Iterator[None]:
    """Many nodes, created with their status by one kubectl."""
    nodes = [
        {
            **node_object(f"live-{number:03}", "linux/arm64", {}, []),
            "status": node_status("x", "linux/arm64", "cri-o://1.32"),
        }
        for number in range(COUNT)
    ]
    cluster.must("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": nodes})
    yield
    cluster.must("delete", "nodes", "-l", "kubernetes.io/arch=arm64", "--wait=false")


@pytest.fixture
async def live(cluster: Cluster, many: None) -> AsyncIterator[LiveCluster]:
    """Follows the cluster as its administrator."""
    followed = LiveCluster(await connect(str(cluster.control_plane.kubeconfigs["admin"])))
    await followed.start(watch=True)
    await asyncio.wait_for(followed.wait_listed(), 30)
    yield followed
    await followed.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


async def must(cluster: Cluster, *arguments: str, stdin: Any = None) -> None:
    """kubectl, while the event loop goes on."""
    await asyncio.to_thread(cluster.must, *arguments, stdin=stdin)


def found(live: LiveCluster) -> dict[str | None, Node]:
    return {node.name: node for node in live.nodes()}


async def test_all_nodes_are_listed_and_followed(cluster: Cluster, live: LiveCluster):
    assert {f"live-{number:03}" for number in range(COUNT)} <= found(live).keys()
    before = live.nodes()
    heartbeat = {"conditions": [{"type": "Ready", "status": "True", "reason": "again", "message": "a heartbeat"}]}
    patch = json.dumps({"status": heartbeat})
    await must(cluster, "patch", "node", "live-000", "--subresource=status", "--type=merge", "-p", patch)
    await must(cluster, "create", "namespace", "live-seen")
    await until(lambda: live.namespace_labels("live-seen") is not None)
    await must(cluster, "label", "node", "live-001", "podgate.dev/variant=v8")
    await until(lambda: "podgate.dev/variant" in found(live)["live-001"].labels)
    changed = [new.name for old, new in zip(before, live.nodes(), strict=True) if old is not new]
    assert changed == ["live-001"]
    await must(cluster, "taint", "node", "live-002", "a=b:NoSchedule")
    await must(cluster, "delete", "node", "live-003", "--wait=false")
    await until(lambda: "live-003" not in found(live) and found(live)["live-002"].taints)
    await must(cluster, "label", "namespace", "live-seen", "podgate.dev/mode=warn")
    await until(lambda: (live.namespace_labels("live-seen") or {}).get("podgate.dev/mode") == "warn")
    await must(cluster, "delete", "namespace", "live-seen", "--wait=false")


async def test_a_version_that_the_server_does_not_know_is_listed_again(cluster: Cluster, many: None):
    """As after a restore of etcd. The server holds such a watch, and says nothing."""
    connection = await connect(str(cluster.control_plane.kubeconfigs["admin"]))
    store: Store[Node] = Store()
    reflector = Reflector(connection, NODES, store, Pace(quiet=3.0, first_delay=0.01))
    reflector._version = "999999999"
    task = asyncio.get_running_loop().create_task(reflector.run())
    await asyncio.wait_for(reflector.wait_listed(), 30)
    assert len(store) >= COUNT - 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()


async def test_watches_of_seconds_go_on_without_a_list(cluster: Cluster, many: None, caplog: pytest.LogCaptureFixture):
    """Each watch ends after a second or two, as the server is asked to; changes in between are not lost."""
    caplog.set_level(logging.INFO, "webhook.cluster.reflector")
    connection = await connect(str(cluster.control_plane.kubeconfigs["admin"]))
    live = LiveCluster(connection, Pace(watch=1.5))
    await live.start(watch=True)
    await asyncio.wait_for(live.wait_listed(), 30)
    for value in range(4):
        await must(cluster, "label", "--overwrite", "node", "live-010", f"turn={value}")
        await until(partial(turned, live, str(value)))
        await asyncio.sleep(0.9)
    await live.close()
    lists = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Listed")]
    assert len(lists) == 2  # nodes and namespaces, once each


def turned(live: LiveCluster, value: str) -> bool:
    return found(live)["live-010"].labels.get("turn") == value


async def test_rights_by_rbac(cluster: Cluster):
    with cluster.namespace("live") as namespace:
        secret = ("create", "secret", "generic", "pull", "-n", namespace, "--type=kubernetes.io/dockerconfigjson")
        cluster.must(*secret, f"--from-literal=.dockerconfigjson={CONFIG}")
        patch = json.dumps({"imagePullSecrets": [{"name": "pull"}]})
        cluster.must("patch", "serviceaccount", "default", "-n", namespace, "-p", patch)
        kubeconfig = cluster.service_account_kubeconfig(namespace, "default")
        live = LiveCluster(await connect(str(kubeconfig)))
        with pytest.raises(ClusterUnavailable, match='cannot list resource "nodes"') as refused:
            await live.start(watch=False)
        assert refused.value.status == 403
        named = PodConstraints(pull_secrets=("pull", "missing"))
        with pytest.raises(BadCredentials, match="lacks the permission to get secrets in the namespace"):
            await live.pull_secrets(namespace, named, template=False)
        with pytest.raises(BadCredentials, match="lacks the permission to get serviceaccounts in the namespace"):
            await live.pull_secrets(namespace, PodConstraints(), template=True)

        role = f"live-{namespace}"
        cluster.must("create", "clusterrole", role, "--verb=get", "--resource=secrets,serviceaccounts")
        cluster.must(
            "create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={namespace}:default"
        )
        cluster.must("create", "clusterrole", f"{role}-nodes", *RIGHTS)
        subject = f"--serviceaccount={namespace}:default"
        cluster.must("create", "clusterrolebinding", f"{role}-nodes", f"--clusterrole={role}-nodes", subject)
        try:
            await until_allowed(live)
            (pull,) = await live.pull_secrets(namespace, named, template=False)
            assert (pull.name, pull.data.decode()) == ("pull", CONFIG)
            assert await live.pull_secrets(namespace, PodConstraints(), template=True) == (pull,)
            assert live.namespace_labels(namespace) == {"kubernetes.io/metadata.name": namespace}
        finally:
            await live.close()
            for name in (role, f"{role}-nodes"):
                cluster.must("delete", "clusterrolebinding", name)
                cluster.must("delete", "clusterrole", name)


async def until_allowed(live: LiveCluster) -> None:
    """The authorizer sees a new binding after a moment."""
    async with asyncio.timeout(15):
        while True:
            try:
                await live.start(watch=False)
            except ClusterUnavailable:
                await asyncio.sleep(0.1)
            else:
                return
