"""What is special about some objects: they can still be narrowed, have owners, mirror static pods, or are bound."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, annotations, verdict
from tests.e2e.harness.workloads import KINDS, workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

Json = dict[str, Any]

ARCH = "kubernetes.io/arch"
ARM = {"nodeSelector": {ARCH: "arm64"}}
GATE = "example.com/later"
MIRROR = "kubernetes.io/config.mirror"
TEMPLATED = [kind for kind in KINDS if kind not in ("Pod", "Job")]
"""Kinds whose template may change at any time: a Pod has none, and that of a Job may not."""


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("kinds/app", images.multi("linux/amd64"), "1.4")
    return f"{registry.host}/kinds/app:1.4"


@pytest.fixture(scope="module")
def both(registry: Registry) -> str:
    """An index for both platforms."""
    registry.push("kinds/app", images.multi("linux/amd64", "linux/arm64"), "2.0")
    return f"{registry.host}/kinds/app:2.0"


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    with cluster.namespace("kinds") as name:
        yield name


def apply(cluster: Cluster, namespace: str, obj: Json) -> Verdict:
    return verdict(cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=obj))


def patch(cluster: Cluster, namespace: str, what: str, change: Json) -> Verdict:
    return verdict(cluster.kubectl("patch", what, "-n", namespace, "--type=merge", "-p", json.dumps(change)))


def reasons(podgate: Podgate, namespace: str, name: str) -> list[str]:
    """What podgate has decided of an object, and why, in order."""
    return [f"{line['decision']} {line['reason']}" for line in podgate.decided(namespace, name)]


def decided_of_kind(podgate: Podgate, namespace: str, kind: str) -> list[str]:
    found = [line for line in podgate.decided(namespace) if line["kind"] == kind]
    return [f"{line['decision']} {line['reason']}" for line in found]


def test_an_update_without_news_for_nodes_reaches_podgate_in_no_kind(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str, both: str
):
    objects = {kind: workload(kind, f"same-{kind.lower()}", both, **ARM) for kind in KINDS}
    for obj in objects.values():
        assert apply(cluster, namespace, obj) == Verdict("allow")
    first = {kind: reasons(podgate, namespace, obj["metadata"]["name"]) for kind, obj in objects.items()}
    assert first == {kind: ["allow match"] for kind in KINDS}
    for obj in objects.values():
        changed = copy.deepcopy(obj)
        changed["metadata"] |= {"labels": {"tier": "front"}, "annotations": {"note": "x"}}
        assert apply(cluster, namespace, changed) == Verdict("allow")
        what = f"{obj['kind'].lower()}/{obj['metadata']['name']}"
        assert cluster.get(what, "-n", namespace)["metadata"]["labels"]["tier"] == "front"
        for finalizers in (["example.com/hold"], None):
            assert patch(cluster, namespace, what, {"metadata": {"finalizers": finalizers}}) == Verdict("allow")
    assert {kind: reasons(podgate, namespace, obj["metadata"]["name"]) for kind, obj in objects.items()} == first


@pytest.mark.parametrize("kind", TEMPLATED)
def test_a_new_image_in_a_template_is_judged(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str, both: str, kind: str
):
    name = "new-image"
    assert apply(cluster, namespace, workload(kind, name, both, **ARM)) == Verdict("allow")
    decision, text = apply(cluster, namespace, workload(kind, name, amd_only, **ARM))
    assert decision == "deny"
    assert f"{kind} {name} cannot run on the only node " in text
    assert reasons(podgate, namespace, name) == ["allow match", "deny mismatch"]


def test_a_gated_pod_may_still_be_narrowed(cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str):
    gated = {"schedulingGates": [{"name": GATE}]}
    assert apply(cluster, namespace, pod("never", amd_only, **gated, **ARM)).decision == "deny"
    assert apply(cluster, namespace, pod("later", amd_only, **gated)) == Verdict("allow")
    assert annotations(cluster, namespace, "later") == ("allow", "partial")
    assert patch(cluster, namespace, "pod/later", {"spec": ARM}).decision == "deny"
    assert patch(cluster, namespace, "pod/later", {"spec": {"nodeSelector": {ARCH: "amd64"}}}) == Verdict("allow")
    assert patch(cluster, namespace, "pod/later", {"spec": {"schedulingGates": None}}) == Verdict("allow")
    assert cluster.node_of("later", namespace) in ("amd-1", "amd-2")
    decided = ["allow partial", "deny mismatch", "allow match", "allow skipped"]
    assert reasons(podgate, namespace, "later") == decided


def test_a_suspended_job_may_still_be_narrowed(cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str):
    def suspended(name: str, **spec: Any) -> Json:
        job = workload("Job", name, amd_only, **spec)
        job["spec"]["suspend"] = True
        return job

    def narrowed(name: str, architecture: str) -> Verdict:
        template = {"spec": {"nodeSelector": {ARCH: architecture}}}
        return patch(cluster, namespace, f"job/{name}", {"spec": {"template": template}})

    assert apply(cluster, namespace, suspended("never", **ARM)).decision == "deny"
    for name in ("narrowed", "wide"):
        assert apply(cluster, namespace, suspended(name)) == Verdict("allow")
    assert narrowed("narrowed", "arm64").decision == "deny"
    assert narrowed("narrowed", "amd64") == Verdict("allow")
    for name in ("narrowed", "wide"):
        assert patch(cluster, namespace, f"job/{name}", {"spec": {"suspend": False}}) == Verdict("allow")
    assert reasons(podgate, namespace, "narrowed") == ["allow partial", "deny mismatch", "allow match"]
    assert reasons(podgate, namespace, "wide") == ["allow partial"]
    # Of one that nobody narrowed the pods tell.
    wait_until("both pods", lambda: len(decided_of_kind(podgate, namespace, "Pod")) == 2, 30)
    assert sorted(decided_of_kind(podgate, namespace, "Pod")) == ["allow match", "warn partial"]


def test_the_jobs_of_a_cron_job_are_skipped_and_their_pods_are_not(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str
):
    nightly = workload("CronJob", "nightly", amd_only)
    assert apply(cluster, namespace, nightly).decision == "warn"
    nightly["spec"]["suspend"] = True  # what says no more than: not now
    assert apply(cluster, namespace, nightly) == Verdict("allow")
    assert reasons(podgate, namespace, "nightly") == ["warn partial"]
    made = cluster.kubectl("create", "job", "tonight", "--from=cronjob/nightly", "-n", namespace)
    assert verdict(made) == Verdict("allow")
    assert annotations(cluster, namespace, "tonight", "jobs") == ("allow", "skipped")
    wait_until("the Job's pod", lambda: decided_of_kind(podgate, namespace, "Pod") == ["warn partial"], 30)


def test_a_forged_owner_only_puts_the_verdict_off(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str, both: str
):
    paused = workload("Deployment", "web", both)
    paused["spec"] |= {"paused": True, "replicas": 0}
    assert apply(cluster, namespace, paused) == Verdict("allow")
    uid = cluster.get("deployment", "web", "-n", namespace)["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid, "controller": True}
    forged = workload("ReplicaSet", "forged", amd_only, **ARM)
    forged["metadata"]["ownerReferences"] = [owner]
    assert apply(cluster, namespace, forged) == Verdict("allow")
    assert reasons(podgate, namespace, "forged") == ["allow skipped"]
    wait_until("its pods to be denied", lambda: "deny mismatch" in decided_of_kind(podgate, namespace, "Pod"), 30)
    assert cluster.get("pods", "-n", namespace)["items"] == []
    bare = pod("bare", amd_only, **ARM)
    bare["metadata"]["ownerReferences"] = [owner | {"kind": "ReplicaSet", "name": "forged"}]
    assert apply(cluster, namespace, bare).decision == "deny"


def test_a_kubelet_s_mirror_pod_passes_and_the_annotation_exempts_nothing(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str
):
    pair = cluster.control_plane.authority.client("kubelet", "system:node:arm-1", "system:nodes")
    user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    kubelet = cluster.control_plane.kubeconfig("kubelet", user)
    shown = pod("static-arm-1", amd_only, nodeName="arm-1")
    shown["metadata"]["annotations"] = {MIRROR: "0123456789abcdef", "kubernetes.io/config.source": "file"}
    words = ("create", "-n", namespace, "-f", "-")
    # Whoever else says so is asked what everybody is asked.
    assert verdict(cluster.kubectl(*words, stdin=shown)).decision == "deny"
    asked = len(podgate.decided(namespace))
    assert verdict(cluster.kubectl(*words, stdin=shown, kubeconfig=kubelet)) == Verdict("allow")
    assert cluster.get("pod", "static-arm-1", "-n", namespace)["spec"]["nodeName"] == "arm-1"
    assert len(podgate.decided(namespace)) == asked == 1


def test_a_pod_that_is_bound_is_judged_on_its_node_alone(
    cluster: Cluster, podgate: Podgate, namespace: str, amd_only: str, both: str
):
    for name, node in (("here", "amd-1"), ("there", "arm-1")):
        assert apply(cluster, namespace, pod(name, both, affinity=preferring(node))) == Verdict("allow")
        assert cluster.node_of(name, namespace) == node
    images_of = {name: cluster.kubectl("set", "image", f"pod/{name}", f"app={amd_only}", "-n", namespace)
                 for name in ("here", "there")}  # fmt: skip
    # Not bound yet both would be warned of: one of the three nodes does not fit.
    assert verdict(images_of["here"]) == Verdict("allow")
    decision, text = verdict(images_of["there"])
    assert decision == "deny"
    assert "on arm-1 (linux/arm64)" in text
    assert "amd-" not in text
    # A toleration is all that may be added to such a pod; it lets it onto no further node.
    added = [{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "other", "operator": "Exists"}}]
    words = ("patch", "pod/here", "-n", namespace, "--type=json", "-p", json.dumps(added))
    assert verdict(cluster.kubectl(*words)) == Verdict("allow")
    assert reasons(podgate, namespace, "here") == ["allow match"] * 3
    assert reasons(podgate, namespace, "there") == ["allow match", "deny mismatch"]


def preferring(node: str) -> Json:
    """An affinity that the scheduler follows where it can, and that excludes no node."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}
