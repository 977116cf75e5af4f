"""What the mode of a namespace makes of podgate's word: for kubectl, in the API server's audit log, and in metrics."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import WEBHOOK, Verdict, annotations, verdict
from tests.e2e.harness.workloads import KINDS, workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
MODE = "podgate.dev/mode"
# What is seen at the terminal, and what is written down, of a pod that runs nowhere it may go.
MODES = {
    "deny": ("deny", ("deny", "mismatch")),
    "warn": ("warn", ("warn", "mismatch")),
    "audit": ("allow", ("allow", "mismatch")),
    "off": ("allow", ("allow", "skipped")),
    "no-mode": ("deny", ("deny", "mismatch")),  # a slip of the pen changes nothing
}

Create = Callable[..., Verdict]


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("modes/app", images.multi("linux/amd64"), "1.4")
    return f"{registry.host}/modes/app:1.4"


@pytest.fixture
def create(cluster: Cluster) -> Create:
    """What kubectl shows when it creates an object."""

    def run(namespace: str, obj: Any, *more: str) -> Verdict:
        return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", *more, stdin=obj))

    return run


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_of_a_namespace(cluster: Cluster, podgate: Podgate, create: Create, amd_only: str, mode: str):
    seen, written = MODES[mode]
    counted = {
        "decision": written[0],
        "reason": written[1],
        "kind": "Pod",
        "mode": "deny" if mode == "no-mode" else mode,
    }
    before = podgate.decisions(**counted)
    with cluster.namespace("mode", {MODE: mode}) as namespace:
        decision, text = create(namespace, pod("web", amd_only, **ARM))
        assert decision == seen
        assert (decision == "allow") == (not text)
        assert annotations(cluster, namespace, "web") == written
        assert podgate.decisions(**counted) == before + 1
        (line,) = podgate.decided(namespace)
        assert {key: line[key] for key in counted} == counted


def test_a_mode_that_changes_counts_from_then_on(cluster: Cluster, create: Create, amd_only: str):
    bad = pod("web", amd_only, **ARM)
    with cluster.namespace("label") as namespace:
        assert create(namespace, bad, "--dry-run=server").decision == "deny"
        for mode in ("audit", "warn", "off", "deny", ""):
            cluster.must("label", "namespace", namespace, f"{MODE}={mode}" if mode else f"{MODE}-", "--overwrite")
            expected = MODES[mode or "deny"]

            def changed(expected: tuple[str, tuple[str, str]] = expected) -> bool:
                # Its watch tells podgate a moment later.
                seen = create(namespace, bad, "--dry-run=server").decision
                return (seen, annotations(cluster, namespace, "web")) == expected

            wait_until(f"mode {mode or 'of the settings'}", changed, 30)


@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "DaemonSet"])
def test_audit_lets_every_kind_through_in_silence_and_writes_down_why(
    cluster: Cluster, podgate: Podgate, create: Create, amd_only: str, kind: str
):
    counted = {"decision": "allow", "reason": "mismatch", "kind": kind, "mode": "audit"}
    before = podgate.decisions(**counted)
    with cluster.namespace("audit", {MODE: "audit"}) as namespace:
        assert create(namespace, workload(kind, "web", amd_only, **ARM)) == Verdict("allow")
        assert cluster.get(KINDS[kind][1], "web", "-n", namespace)["metadata"]["name"] == "web"
        (event,) = cluster.audit_events(resource=KINDS[kind][1], namespace=namespace, name="web", verb="create")
        # The keys as the API server writes them, and no further ones of podgate's.
        said = {key: value for key, value in event["annotations"].items() if "podgate" in key}
        assert said == {f"{WEBHOOK}/decision": "allow", f"{WEBHOOK}/reason": "mismatch"}
        assert event["responseStatus"]["code"] == 201
        assert podgate.decisions(**counted) == before + 1


def test_audit_is_silent_about_everything_that_another_mode_warns_of(
    cluster: Cluster, create: Create, registry: Registry, amd_only: str
):
    with cluster.namespace("audit", {MODE: "audit"}) as namespace:
        for name, obj, reason in (
            ("some", pod("some", amd_only), "partial"),
            ("unknown", pod("unknown", f"{registry.host}/modes/none:1"), "undetermined"),
            ("nowhere", pod("nowhere", amd_only, nodeSelector={"pool": "none"}), "no-candidates"),
        ):
            assert create(namespace, obj) == Verdict("allow")
            assert annotations(cluster, namespace, name) == ("allow", reason)


def test_under_audit_the_pods_of_a_deployment_come_into_being_where_they_cannot_run(
    cluster: Cluster, podgate: Podgate, create: Create, amd_only: str
):
    with cluster.namespace("audit", {MODE: "audit"}) as namespace:
        assert create(namespace, workload("Deployment", "web", amd_only, **ARM)) == Verdict("allow")
        names = ("get", "pods", "-n", namespace, "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")
        name = wait_until("the pod", lambda: cluster.must(*names), 30)
        assert cluster.node_of(name, namespace) == "arm-1"
        (line,) = (line for line in podgate.decided(namespace) if line["kind"] == "Pod")
        assert (line["decision"], line["reason"], line["mode"]) == ("allow", "mismatch", "audit")


def test_where_podgate_is_off_no_registry_is_asked(cluster: Cluster, create: Create, registry: Registry):
    registry.push("modes/off", images.multi("linux/amd64"), "1")
    pushed = len(registry.requests())
    wanted = pod("web", f"{registry.host}/modes/off:1", **ARM)
    with cluster.namespace("off", {MODE: "off"}) as off, cluster.namespace("audit", {MODE: "audit"}) as audit:
        assert create(off, wanted) == Verdict("allow")
        assert registry.requests()[pushed:] == []
        assert create(audit, wanted) == Verdict("allow")
        assert registry.requests()[pushed:] == ["GET /v2/modes/off/manifests/1 200"]
