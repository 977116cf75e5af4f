"""A namespace and what it is to hold, applied together: its mode counts from its first object on."""

import secrets
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

TIMES = 20


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An image for amd64 alone."""
    registry.push("new/app", images.multi("linux/amd64"), "1")
    return f"{registry.host}/new/app:1"


def together(namespace: str, image: str, labels: dict[str, str]) -> dict[str, Any]:
    """What one file of a user holds: a namespace, and in it a Deployment and a pod that fit no node they may go to."""
    arm = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}  # `default` takes a moment
    inside = [
        workload("Deployment", "wrong", image, **arm),
        account,
        pod("wrong", image, serviceAccountName="app", **arm),
    ]
    for obj in inside:
        obj["metadata"]["namespace"] = namespace
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    return {"apiVersion": "v1", "kind": "List", "items": [made, *inside]}


def test_what_is_applied_with_a_namespace_in_mode_off_is_never_denied(
    cluster: Cluster, podgate: Podgate, amd_only: str
):
    names = [f"off-{secrets.token_hex(4)}" for _ in range(TIMES)]
    try:
        for name in names:
            document = together(name, amd_only, {"podgate.dev/mode": "off"})
            applied = cluster.kubectl("apply", "-f", "-", stdin=document)
            assert (applied.code, applied.stderr) == (0, "")
    finally:
        cluster.kubectl("delete", "namespace", *names, "--wait=false")
    lines = [line for name in names for line in podgate.decided(name, "wrong")]
    assert {(line["decision"], line["reason"], line["mode"]) for line in lines} == {("allow", "skipped", "off")}
    assert len(lines) == 2 * TIMES


def test_what_is_applied_with_a_namespace_that_says_nothing_is_denied(
    cluster: Cluster, podgate: Podgate, amd_only: str
):
    name = f"plain-{secrets.token_hex(4)}"
    try:
        applied = cluster.kubectl("apply", "-f", "-", stdin=together(name, amd_only, {}))
        assert applied.code == 1
        assert applied.stderr.count("cannot run on the only node it may be scheduled to") == 2
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")
