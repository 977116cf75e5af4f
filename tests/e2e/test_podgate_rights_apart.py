"""Rights that a podgate of the test's own is needed for: one that is not told of a namespace, or that has NodePools."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod, podgate_settings
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.test_live_nodes import CRD
from tests.e2e.test_podgate_rights import OPTIONAL, Right, role, take
from tests.support import images

__all__ = ["role"]  # pytest looks for fixtures here

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"kubernetes.io/arch": "arm64"}
POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "mainframe"},
    "spec": {
        "template": {
            "spec": {
                "requirements": [
                    {"key": "kubernetes.io/arch", "operator": "In", "values": ["s390x"]},
                    {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
                ],
                "nodeClassRef": {"group": "example.com", "kind": "Machine", "name": "default"},
            }
        }
    },
}


@contextmanager
def running(cluster: Cluster, folder: Path) -> Iterator[Podgate]:
    """A podgate beside the one that the API server asks; it is ready."""
    podgate = Podgate(cluster, folder, podgate_settings())
    podgate.start()
    try:
        yield podgate
    finally:
        podgate.kill()


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An image for amd64 alone."""
    registry.push("apart/app", images.multi("linux/amd64"), "1")
    return f"{registry.host}/apart/app:1"


def test_a_namespace_that_nobody_has_told_of_is_got_by_name(cluster: Cluster, role, tmp_path: Path, amd_only: str):
    got, watched = Right("", "namespaces", "get"), Right("", "namespaces", "watch")
    take(cluster, watched)  # so that it never learns of what comes after its first list
    name = f"apart-{secrets.token_hex(4)}"
    wrong = pod("wrong", amd_only, nodeSelector=ARM)
    with running(cluster, tmp_path) as podgate:
        metadata = {"name": name, "labels": {"podgate.dev/mode": "off"}}
        cluster.must("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        try:
            answer = podgate.ask(wrong, name)
            assert answer["auditAnnotations"] == {"decision": "allow", "reason": "skipped"}
            assert "warnings" not in answer
            take(cluster, watched, got)
            answer = podgate.ask(wrong, name)
            assert answer["auditAnnotations"] == {"decision": "warn", "reason": "mismatch"}
            assert f"the labels of the namespace {name} could not be read" in answer["warnings"][-1]
            assert any(
                "namespaces" in line["message"] and "forbidden" in line["message"] for line in podgate.log_lines()
            )
        finally:
            cluster.must("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def node_pools(cluster: Cluster) -> Iterator[None]:
    """The API of NodePools, and one of them."""
    cluster.must("create", "-f", "-", stdin=CRD)
    try:
        cluster.must("wait", "--for=condition=Established", "crd/nodepools.karpenter.sh", "--timeout=30s")
        cluster.must("create", "-f", "-", stdin=POOL)
        yield
    finally:
        cluster.must("delete", "crd", "nodepools.karpenter.sh")


def test_with_all_rights_a_node_pool_counts(cluster: Cluster, node_pools: None, tmp_path: Path, amd_only: str):
    with running(cluster, tmp_path) as podgate:
        answer = podgate.ask(pod("wrong", amd_only, nodeSelector={"karpenter.sh/nodepool": "mainframe"}), "default")
        assert answer["auditAnnotations"] == {"decision": "deny", "reason": "mismatch"}
        assert "nodepool mainframe (linux/s390x)" in answer["status"]["message"]


@pytest.mark.parametrize("right", OPTIONAL, ids=lambda right: f"{right.verb} {right.resource}")
def test_node_pools_that_may_not_be_followed_are_missed(
    cluster: Cluster, node_pools: None, role, tmp_path: Path, amd_only: str, right: Right
):
    take(cluster, right)
    with running(cluster, tmp_path) as podgate:

        def told() -> bool:
            lines = (json.dumps(line) for line in podgate.log_lines())
            return any("There are no NodePools to be read" in line and "forbidden" in line for line in lines)

        wait_until("a word about it in the log", told, 20, podgate.processes)
        # Without the list there are none; without the watch there are those of the list.
        answer = podgate.ask(pod("wrong", amd_only, nodeSelector={"karpenter.sh/nodepool": "mainframe"}), "default")
        reason = "no-candidates" if right.verb == "list" else "mismatch"
        assert answer["auditAnnotations"]["reason"] == reason
