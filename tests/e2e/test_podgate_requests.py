"""Which requests reach podgate, and what a dry run makes of its word."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import NAME, Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, annotations, verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

# What Pod Security's level `restricted` wants, which podgate's own namespace enforces.
RESTRICTED = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
MODE = "podgate.dev/mode"

Apply = Callable[..., Verdict]


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("requests/app", images.multi("linux/amd64"), "1.4")
    return f"{registry.host}/requests/app:1.4"


@pytest.fixture(scope="module")
def both(registry: Registry) -> str:
    """An index for both platforms."""
    registry.push("requests/app", images.multi("linux/amd64", "linux/arm64"), "2.0")
    return f"{registry.host}/requests/app:2.0"


@pytest.fixture
def create(cluster: Cluster) -> Apply:
    """What kubectl shows when it creates an object."""

    def run(namespace: str, obj: Any, *more: str) -> Verdict:
        return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", *more, stdin=obj))

    return run


def test_a_dry_run_is_answered_alike_and_writes_nothing(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str, both: str
):
    with cluster.namespace("dry") as namespace:
        assert create(namespace, pod("denied", amd_only, **ARM), "--dry-run=server").decision == "deny"
        assert create(namespace, pod("warned", amd_only), "--dry-run=server").decision == "warn"
        assert create(namespace, pod("admitted", both), "--dry-run=server") == Verdict("allow")
        assert (
            create(namespace, workload("Deployment", "denied", amd_only, **ARM), "--dry-run=server").decision == "deny"
        )
        assert cluster.get("pods,deployments,events", "-n", namespace)["items"] == []
        lines = podgate.decided(namespace)
        assert [line["decision"] for line in lines] == ["deny", "warn", "allow", "deny"]
        assert all(line["dryRun"] for line in lines)


def test_kubectl_s_own_dry_run_asks_nobody(cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str):
    with cluster.namespace("client") as namespace:
        assert create(namespace, pod("web", amd_only, **ARM), "--dry-run=client") == Verdict("allow")
        assert podgate.decided(namespace) == []


def test_updates_that_no_node_sees_do_not_reach_podgate_and_others_do(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str, both: str
):
    def kubectl(*words: str) -> Verdict:
        return verdict(cluster.kubectl(*words, "-n", namespace))

    paused = workload("Deployment", "web", both, **ARM)
    paused["spec"]["paused"] = True  # so that no ReplicaSet comes of it, and nothing else is written
    with cluster.namespace("update") as namespace:
        assert create(namespace, paused) == Verdict("allow")
        before = podgate.decisions(kind="Deployment")
        assert kubectl("label", "deployment", "web", "tier=front") == Verdict("allow")
        assert kubectl("annotate", "deployment", "web", "note=x") == Verdict("allow")
        assert kubectl("scale", "deployment", "web", "--replicas=3") == Verdict("allow")
        assert kubectl("patch", "deployment", "web", "-p", '{"spec": {"replicas": 2, "minReadySeconds": 3}}').text == ""
        assert kubectl("patch", "deployment", "web", "-p", '{"metadata": {"finalizers": ["example.com/x"]}}').text == ""
        assert kubectl("patch", "deployment", "web", "-p", '{"metadata": {"finalizers": null}}').text == ""
        assert podgate.decisions(kind="Deployment") == before
        assert cluster.get("deployment", "web", "-n", namespace)["spec"]["replicas"] == 2
        assert kubectl("set", "image", "deployment/web", f"app={amd_only}").decision == "deny"
        assert podgate.decisions(kind="Deployment") == before + 1
        assert kubectl("set", "image", "deployment/web", f"app={both}") == Verdict("allow")  # no change
        selector = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/arch": "amd64"}}}}}
        assert kubectl("patch", "deployment", "web", "-p", json.dumps(selector)) == Verdict("allow")
        assert kubectl("set", "image", "deployment/web", f"app={amd_only}") == Verdict("allow")
        assert podgate.decisions(kind="Deployment") == before + 3


def test_updates_of_a_pod(cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str, both: str):
    with cluster.namespace("pod-update") as namespace:
        assert create(namespace, pod("web", both, **ARM)) == Verdict("allow")
        cluster.node_of("web", namespace)
        cluster.must("label", "pod", "web", "-n", namespace, "tier=front")
        cluster.must("annotate", "pod", "web", "-n", namespace, "note=x")
        assert [line["decision"] for line in podgate.decided(namespace, "web")] == ["allow"]
        changed = verdict(cluster.kubectl("set", "image", "pod/web", f"app={amd_only}", "-n", namespace))
        assert changed.decision == "deny"
        assert "arm-1" in changed.text
        assert annotations(cluster, namespace, "web") == ("deny", "mismatch")
        assert cluster.get("pod", "web", "-n", namespace)["spec"]["containers"][0]["image"] == both


def test_what_is_being_deleted_can_lose_its_finalizer_whatever_its_image(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str
):
    def held(kind: str) -> dict[str, Any]:
        obj = workload(kind, "held", amd_only, **ARM)
        obj["metadata"]["finalizers"] = ["example.com/hold"]
        return obj

    with cluster.namespace("deleted", {MODE: "off"}) as namespace:
        for kind in ("Pod", "Deployment"):
            assert create(namespace, held(kind)) == Verdict("allow")
        cluster.must("label", "namespace", namespace, f"{MODE}-")
        wait_until("the mode", lambda: create(namespace, pod("x", amd_only, **ARM), "--dry-run=server").text, 30)
        asked = len(podgate.decided(namespace, "held"))
        cluster.must("delete", "pod", "held", "-n", namespace, "--wait=false", "--grace-period=0", "--force")
        cluster.must("delete", "deployment", "held", "-n", namespace, "--wait=false", "--cascade=orphan")
        # While it goes even a change that would be denied passes: nothing comes of it any more.
        image = verdict(cluster.kubectl("set", "image", "deployment/held", f"app={amd_only}-none", "-n", namespace))
        assert image == Verdict("allow")
        for resource in ("pod", "deployment"):
            gone = '[{"op": "remove", "path": "/metadata/finalizers"}]'
            cluster.must("patch", resource, "held", "-n", namespace, "--type=json", "-p", gone)
            cluster.must("wait", resource, "held", "-n", namespace, "--for=delete", "--timeout=30s")
        assert len(podgate.decided(namespace, "held")) == asked


@pytest.mark.parametrize("namespace", ["kube-system", NAME])
def test_the_cluster_s_own_namespace_and_podgate_s_are_left_out(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str, namespace: str
):
    spec = pod("left-out", amd_only, securityContext=RESTRICTED, **ARM)["spec"]
    spec["containers"][0]["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    for kind in ("Pod", "Deployment", "Job"):
        seen = create(namespace, workload(kind, "left-out", amd_only, **spec), "--dry-run=server")
        assert seen == Verdict("allow")
    assert podgate.decided(namespace) == []


def test_a_debug_container_is_judged_on_the_node_of_its_pod(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str, both: str
):
    with cluster.namespace("debug") as namespace:
        assert create(namespace, pod("web", both, **ARM)) == Verdict("allow")
        assert cluster.node_of("web", namespace) == "arm-1"

        def debug(name: str, image: str) -> Verdict:
            words = ("debug", "web", "-n", namespace, f"--image={image}", f"--container={name}", "--profile=general")
            result = cluster.kubectl(*words, "--", "sh")
            return verdict(result)

        decision, text = debug("look", amd_only)
        assert decision == "deny"
        for words in ("container look", amd_only, "linux/amd64", "arm-1 (linux/arm64)"):
            assert words in text.replace('"', "")
        assert debug("see", both) == Verdict("allow")
        found = cluster.get("pod", "web", "-n", namespace)["spec"]["ephemeralContainers"]
        assert [container["name"] for container in found] == ["see"]
        event = cluster.audit_events(resource="pods", subresource="ephemeralcontainers", namespace=namespace)[-1]
        assert event["annotations"]["validate.podgate.dev/reason"] == "match"


def test_a_pod_that_is_bound_on_creation_is_judged_on_that_node(cluster: Cluster, create: Apply, amd_only: str):
    with cluster.namespace("named") as namespace:
        decision, text = create(namespace, pod("web", amd_only, nodeName="arm-1"))
        assert decision == "deny"
        assert "arm-1 (linux/arm64)" in text
        assert create(namespace, pod("web", amd_only, nodeName="amd-1")) == Verdict("allow")


def test_what_belongs_to_a_judged_owner_is_skipped_but_its_pods_are_not(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str
):
    with cluster.namespace("owned") as namespace:
        assert create(namespace, workload("Deployment", "web", amd_only)).decision == "warn"
        named = ("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}")
        wait_until("a pod", lambda: cluster.must(*named), 30)
        reasons = {line["kind"]: line["reason"] for line in podgate.decided(namespace)}
        assert reasons == {"Deployment": "partial", "ReplicaSet": "skipped", "Pod": "partial"}


def test_the_server_s_account_of_it_podgate_s_metrics_and_its_log_agree(
    cluster: Cluster, podgate: Podgate, create: Apply, amd_only: str
):
    labels = {"decision": "deny", "reason": "mismatch", "kind": "StatefulSet", "mode": "deny"}
    before = podgate.decisions(**labels)
    with cluster.namespace("account") as namespace:
        assert create(namespace, workload("StatefulSet", "db", amd_only, **ARM)).decision == "deny"
        assert podgate.decisions(**labels) == before + 1
        (line,) = podgate.decided(namespace)
        assert {key: line[key] for key in labels} == labels
        assert annotations(cluster, namespace, "db", "statefulsets") == ("deny", "mismatch")
