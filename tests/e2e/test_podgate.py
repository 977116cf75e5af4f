"""podgate as an operator installs it, asked by a real API server for a real kubectl."""

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.registry import Registry
from tests.support import images


@pytest.fixture(scope="module")
def nodes(cluster: Cluster, podgate: Podgate):
    """A mixed cluster, which podgate knows."""
    cluster.add_node("amd-1", "linux/amd64")
    cluster.add_node("arm-1", "linux/arm64")
    podgate.wait_for_nodes(len(cluster.get("nodes")["items"]))
    yield
    for name in ("amd-1", "arm-1"):
        cluster.remove_node(name)


def test_an_image_for_amd64_is_denied_to_a_pod_that_is_pinned_to_arm64(
    cluster: Cluster, registry: Registry, podgate: Podgate, nodes
):
    registry.push("team/app", images.multi("linux/amd64"), "1.4")
    image = f"{registry.host}/team/app:1.4"
    pinned = pod("web", image, nodeSelector={"kubernetes.io/arch": "arm64"})
    with cluster.namespace("denied") as namespace:
        denied = cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=pinned)
        assert denied.code == 1
        for word in ("denied the request", "web", '"app"', image, "linux/amd64", "arm-1", "linux/arm64"):
            assert word in denied.stderr
        assert cluster.get("pods", "-n", namespace)["items"] == []
        event = cluster.audit_events(resource="pods", namespace=namespace, verb="create")[-1]
        assert event["annotations"]["validate.podgate.dev/decision"] == "deny"
        assert event["annotations"]["validate.podgate.dev/reason"] == "mismatch"
