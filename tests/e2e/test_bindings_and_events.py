"""Bindings that the real scheduler asks for, and Events that real kubectl shows."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import (
    MANIFESTS,
    NAME,
    Podgate,
    install,
    pod,
    podgate_settings,
    point_at,
    wait_for_node,
    wait_until_called,
)
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

Json = dict[str, Any]
LATE = {"nodeSelector": {"pool": "late"}}
"""A node that no pod can have had in mind when it was made: it comes afterwards."""


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("events/app", images.multi("linux/amd64"), "1.0")
    return f"{registry.host}/events/app:1.0"


def events(cluster: Cluster, namespace: str, kind: str, name: str) -> list[Json]:
    """podgate's Events on an object, as kubectl finds them."""
    selector = f"involvedObject.kind={kind},involvedObject.name={name},type=Warning"
    found = cluster.get("events", "-n", namespace, "--field-selector", selector)["items"]
    return [each for each in found if each["source"].get("component") == "podgate"]


def wait_for_event(cluster: Cluster, namespace: str, kind: str, name: str) -> Json:
    """The first Event on an object."""
    found: list[Json] = wait_until(f"an Event on {kind} {name}", lambda: events(cluster, namespace, kind, name), 30)
    return found[0]


def create(cluster: Cluster, namespace: str, obj: Json, *more: str) -> str:
    """What kubectl shows of podgate's word on a new object: allow, warn or deny."""
    return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", *more, stdin=obj)).decision


def test_a_deployment_that_is_warned_of_and_its_pods_owner_have_events(
    cluster: Cluster, podgate: Podgate, amd_only: str
):
    with cluster.namespace("warned") as namespace:
        deployment = workload("Deployment", "web", amd_only)
        deployment["spec"]["replicas"] = 3
        assert create(cluster, namespace, deployment, "--dry-run=server") == "warn"
        assert create(cluster, namespace, workload("Deployment", "denied", amd_only, **_on("arm64"))) == "deny"
        assert create(cluster, namespace, deployment) == "warn"
        event = wait_for_event(cluster, namespace, "Deployment", "web")
        stored = cluster.get("deployment", "web", "-n", namespace)
        assert event["involvedObject"]["uid"] == stored["metadata"]["uid"]
        assert event["reason"] == "PlatformPartialMismatch"
        for words in (amd_only, "fails on arm-1 (linux/arm64)", "add nodeSelector kubernetes.io/arch: amd64"):
            assert words in event["message"]
        assert event["message"] in " ".join(cluster.must("describe", "deployment", "web", "-n", namespace).split())
        # The three pods have one owner, and one trouble; neither the dry run nor the denial left anything.
        wait_until("three pods", lambda: len(podgate.decided(namespace)) >= 6, 30)
        (replica_set,) = cluster.get("replicasets", "-n", namespace)["items"]
        name = replica_set["metadata"]["name"]
        about_pods = wait_for_event(cluster, namespace, "ReplicaSet", name)
        assert "fails on arm-1" in about_pods["message"]
        assert len(events(cluster, namespace, "ReplicaSet", name)) == 1
        assert len(events(cluster, namespace, "Deployment", "web")) == 1
        assert events(cluster, namespace, "Deployment", "denied") == []


def test_a_daemon_set_is_told_of_its_pods(cluster: Cluster, podgate: Podgate, amd_only: str):
    with cluster.namespace("agents", {"podgate.dev/mode": "warn"}) as namespace:
        # A new namespace may not be known yet, and would have the settings' mode, in which this is denied.
        wait_until(
            "the namespace's mode",
            lambda: create(cluster, namespace, workload("DaemonSet", "probe", amd_only), "--dry-run=server") == "warn",
            20,
        )
        before = warned_pods(podgate)
        assert create(cluster, namespace, workload("DaemonSet", "agent", amd_only)) == "warn"
        uid = cluster.get("daemonset", "agent", "-n", namespace)["metadata"]["uid"]

        def about_a_pod() -> list[Json]:
            found = events(cluster, namespace, "DaemonSet", "agent")
            return [each for each in found if "fails on arm-1 (linux/arm64)" in each["message"]]

        for event in wait_until("an Event on the DaemonSet", about_a_pod, 30):
            assert (event["involvedObject"]["uid"], event["reason"]) == (uid, "PlatformMismatch")
        wait_until("its pod on arm-1 to be counted", lambda: warned_pods(podgate) == before + 1, 30)


def warned_pods(podgate: Podgate) -> float:
    """How many pods of DaemonSets podgate has counted that it warned of."""
    found = re.findall(r"^podgate_daemon_set_pods_warned_total\{.*\} (\S+)$", podgate.metrics(), re.MULTILINE)
    return sum(map(float, found))


def _on(architecture: str) -> Json:
    return {"nodeSelector": {"kubernetes.io/arch": architecture}}


# Bindings.


@pytest.fixture(scope="module")
def component(cluster: Cluster, podgate: Podgate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The manifests with their component for bindings, as a user would switch it on; without it again at the end."""
    copy = tmp_path_factory.mktemp("component") / "manifests"
    shutil.copytree(MANIFESTS, copy)
    kustomization = copy / "kustomization.yaml"
    text = kustomization.read_text()
    kustomization.write_text(text.replace("# components:\n# - ", "components:\n- "))
    install(cluster, copy)
    yield
    # Without kubelets no pod becomes ready or ends, so that the Deployment would keep a pod of each template.
    cluster.must("delete", "deployment", NAME, "-n", NAME, "--wait=false")
    wait_until("the Deployment's pods to go", lambda: _without_pods(cluster), 30)
    install(cluster)
    point_at(cluster, podgate.port, podgate.ca)
    wait_until_called(cluster)


def _without_pods(cluster: Cluster) -> bool:
    cluster.must("delete", "pods", "--all", "-n", NAME, "--force", "--grace-period=0", "--wait=false")
    return not cluster.get("pods,replicasets", "-n", NAME)["items"]


@contextmanager
def judging(cluster: Cluster, folder: Path, binding: str) -> Iterator[Podgate]:
    """A podgate that judges bindings, and that the API server calls."""
    container = cluster.get("deployment", NAME, "-n", NAME)["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "PODGATE_BINDING", "value": "warn"} in container["env"]
    judge = Podgate(cluster, folder, podgate_settings(binding=binding))
    judge.start()
    try:
        point_at(cluster, judge.port, judge.ca)
        probe = pod("podgate-e2e-binding", "Not/Valid")

        def called() -> bool:
            cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=probe)
            return judge.decisions() > 0

        wait_until("the API server to call the podgate that judges bindings", called, 30, judge.processes)
        yield judge
    finally:
        judge.kill()


@contextmanager
def late_node(cluster: Cluster) -> Iterator[None]:
    """An arm64 node that the scheduler leaves alone until `let_go`, so that podgate knows it by then."""
    cluster.add_node("late-1", "linux/arm64", labels={"pool": "late"}, taints=["hold:NoSchedule"])
    try:
        wait_for_node(cluster, "late-1")
        yield
    finally:
        cluster.remove_node("late-1")


def let_go(cluster: Cluster) -> None:
    """The scheduler may bind pods to the late node from now on."""
    cluster.must("taint", "nodes", "late-1", "hold-")


def bindings(judge: Podgate, namespace: str) -> list[Json]:
    """What the log says of bindings in a namespace."""
    return [line for line in judge.decided(namespace) if line["kind"] == "Binding"]


def test_warn_binds_the_pod_and_says_so_on_it(cluster: Cluster, component, tmp_path: Path, amd_only: str):
    with judging(cluster, tmp_path, "warn") as judge, cluster.namespace("bound") as namespace:
        assert create(cluster, namespace, pod("early", amd_only, **LATE)) == "warn"  # there is no such node yet
        with late_node(cluster):
            let_go(cluster)
            assert cluster.node_of("early", namespace) == "late-1"
            wanted = "fails on late-1 (linux/arm64)"

            def on_the_pod() -> list[Json]:
                return [each for each in events(cluster, namespace, "Pod", "early") if wanted in each["message"]]

            (event,) = wait_until("an Event on the pod", on_the_pod, 30)
            uid = cluster.get("pod", "early", "-n", namespace)["metadata"]["uid"]
            assert (event["involvedObject"]["uid"], event["reason"]) == (uid, "PlatformMismatch")
            shown = cluster.must("get", "events", "-n", namespace)
            assert "PlatformMismatch" in shown
            assert wanted in shown
            (line,) = bindings(judge, namespace)
            assert (line["decision"], line["reason"], line["object"]) == ("warn", "mismatch", "early")


def test_deny_leaves_it_pending_and_binds_what_fits(cluster: Cluster, component, tmp_path: Path, amd_only: str):
    with judging(cluster, tmp_path, "deny") as judge, cluster.namespace("refused") as namespace:
        assert create(cluster, namespace, pod("early", amd_only, **LATE)) == "warn"
        with late_node(cluster):
            let_go(cluster)

            def refused() -> bool:
                told = cluster.get("events", "-n", namespace, "--field-selector", "reason=FailedScheduling")["items"]
                return any("cannot run on the node it is bound to" in each["message"] for each in told)

            # The scheduler writes the denial's text on the pod itself.
            wait_until("the scheduler to be refused", refused, 30)
            stored = cluster.get("pod", "early", "-n", namespace)
            assert "nodeName" not in stored["spec"]
            assert stored["status"]["phase"] == "Pending"
            assert {line["decision"] for line in bindings(judge, namespace)} == {"deny"}
            # Others are bound as ever, and by the older resource too, which names no uid.
            assert create(cluster, namespace, pod("fits", amd_only, **_on("amd64"))) == "allow"
            assert cluster.node_of("fits", namespace) in ("amd-1", "amd-2")
            assert create(cluster, namespace, pod("lone", amd_only, schedulerName="none")) == "warn"
            result = cluster.kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/bindings", "-f", "-",
                                     stdin=_binding(namespace, "lone", "late-1"))  # fmt: skip
            assert result.code != 0
            assert "cannot run on the node it is bound to" in " ".join(result.stderr.split())
            cluster.must("create", "--raw", f"/api/v1/namespaces/{namespace}/bindings", "-f", "-",
                         stdin=_binding(namespace, "lone", "amd-1"))  # fmt: skip
            assert cluster.node_of("lone", namespace) == "amd-1"


def _binding(namespace: str, name: str, node: str) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": {"kind": "Node", "name": node}}


def test_without_the_right_to_read_pods_nothing_is_refused(cluster: Cluster, component, tmp_path: Path, amd_only: str):
    """The right is the component's, and it is needed."""
    (role,) = (one for one in yaml.safe_load_all((MANIFESTS / "rbac.yaml").read_text()) if one["kind"] == "ClusterRole")
    with_it = cluster.get("clusterrole", NAME)["rules"]
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} in with_it
    with judging(cluster, tmp_path, "deny") as judge, cluster.namespace("blind") as namespace:
        assert create(cluster, namespace, pod("early", amd_only, **LATE)) == "warn"
        _set_rules(cluster, role["rules"])
        try:
            who = f"--as=system:serviceaccount:{NAME}:{NAME}"
            may = ("auth", "can-i", "get", "pods", "-n", namespace, who)
            wait_until("the right to be gone", lambda: cluster.kubectl(*may).code != 0, 30)
            with late_node(cluster):
                let_go(cluster)
                assert cluster.node_of("early", namespace) == "late-1"
                (line,) = bindings(judge, namespace)
                assert (line["decision"], line["reason"]) == ("warn", "undetermined")
                assert "podgate lacks the permission to get pods" in line["messages"][0]
        finally:
            _set_rules(cluster, with_it)


def _set_rules(cluster: Cluster, rules: Any) -> None:
    patch = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    cluster.must("patch", "clusterrole", NAME, "--type=json", "-p", patch)
