"""A DaemonSet whose image does not fit most nodes: its pods are warned of, and the nodes that it fits get theirs."""

import time
from collections.abc import Iterator, Mapping

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, wait_for_node
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

UNFIT = {f"far-{number}": platform for number, platform in enumerate(["linux/arm64"] * 6 + ["linux/s390x"] * 2)}
FIT = {f"near-{number}": "linux/amd64" for number in range(4)}
WITHIN_SECONDS = 10.0
"""In which a new node has its pod."""
MODE = "podgate.dev/mode"


@pytest.fixture(scope="module")
def twelve(cluster: Cluster, podgate: Podgate) -> Iterator[None]:
    """Eight nodes that the image does not fit, and four that it fits; podgate knows them, and no others."""
    nodes = {**UNFIT, **FIT}
    for name, platform in nodes.items():
        cluster.add_node(name, platform)
    for name in nodes:
        wait_for_node(cluster, name)
    yield
    cluster.must("delete", "node", *nodes, "--wait=false")


@pytest.fixture(scope="module")
def image(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("daemon/agent", images.multi("linux/amd64"), "1.0")
    return f"{registry.host}/daemon/agent:1.0"


def nodes_of_pods(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """The nodes to which pods of the namespace are bound, with the pods' names."""
    items = cluster.get("pods", "-n", namespace)["items"]
    return {one["spec"]["nodeName"]: one["metadata"]["name"] for one in items if "nodeName" in one["spec"]}


def covered(cluster: Cluster, namespace: str, name: str) -> None:
    """Fails unless a new fitting node has its pod within the time, counted from before the node is there."""
    begun = time.monotonic()
    cluster.add_node(name, "linux/amd64")
    wait_until(f"a pod on {name}", lambda: name in nodes_of_pods(cluster, namespace), WITHIN_SECONDS)
    assert time.monotonic() - begun <= WITHIN_SECONDS


@pytest.mark.usefixtures("twelve")
def test_a_new_node_has_its_pod_in_time_whatever_other_nodes_say(cluster: Cluster, podgate: Podgate, image: str):
    new = ("near-new", "near-newer")
    with cluster.namespace("daemon", {MODE: "warn"}) as namespace:
        agent = workload("DaemonSet", "agent", image)
        words = ("-n", namespace, "-f", "-")

        def warned() -> bool:  # podgate hears of the namespace's mode a moment later
            return verdict(cluster.kubectl("create", "--dry-run=server", *words, stdin=agent)).decision == "warn"

        wait_until("the mode", warned, 30)
        decision, text = verdict(cluster.kubectl("create", *words, stdin=agent))
        assert decision == "warn"
        assert "fails on far-0" in text
        twelve = {*UNFIT, *FIT}
        wait_until("a pod on each node", lambda: nodes_of_pods(cluster, namespace).keys() == twelve, 30)
        try:
            covered(cluster, namespace, new[0])
            # The pods of a DaemonSet that was admitted are warned of even where all else is denied.
            cluster.must("label", "namespace", namespace, f"{MODE}-")

            def denied() -> bool:
                return verdict(cluster.kubectl("create", "--dry-run=server", *words, stdin=agent)).decision == "deny"

            wait_until("the mode", denied, 30)
            lost = [name for node, name in nodes_of_pods(cluster, namespace).items() if node in UNFIT]
            cluster.must("delete", "pod", *lost, "-n", namespace, "--force", "--grace-period=0", "--wait=false")
            covered(cluster, namespace, new[1])
            everywhere = {*twelve, *new}
            wait_until("a pod on each node", lambda: nodes_of_pods(cluster, namespace).keys() == everywhere, 30)
        finally:
            for name in new:
                cluster.remove_node(name)
        pods = [line for line in podgate.decided(namespace) if line["kind"] == "Pod"]
        assert {line["decision"] for line in pods} == {"allow", "warn"}
        modes = {(line["mode"], line["decision"]) for line in pods if line["reason"] == "mismatch"}
        assert modes == {("warn", "warn"), ("deny", "warn")}
        statuses = cluster.get("daemonset", "agent", "-n", namespace)["status"]
        assert statuses["currentNumberScheduled"] == statuses["desiredNumberScheduled"] == len(everywhere)
