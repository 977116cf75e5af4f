"""Taints and tolerations: which keep a pod away, and which pass by themselves."""

import pytest

from tests.support.scheduling import (
    names,
    node,
    pod,
)
from webhook.core.candidates import candidates
from webhook.core.scheduling import (
    Taint,
    Toleration,
)
from webhook.core.taints import DAEMON_TOLERATIONS, TRANSIENT, is_transient, tolerates, untolerated


@pytest.mark.parametrize(
    ("tolerations", "found"),
    [
        ([], ["n1", "n4"]),
        ([{"operator": "Exists"}], ["n1", "n2", "n3", "n4"]),
        ([{"key": "kubernetes.io/arch", "operator": "Exists", "effect": "NoExecute"}], ["n1", "n3", "n4"]),
        ([{"key": "kubernetes.io/arch", "operator": "Equal", "value": "amd64"}], ["n1", "n4"]),
        ([{"key": "kubernetes.io/arch", "value": "arm64"}], ["n1", "n2", "n3", "n4"]),
        ([{"key": "kubernetes.io/arch", "operator": "Gt", "value": "1"}], ["n1", "n4"]),
        ([{"key": "kubernetes.io/arch", "operator": "exists"}], ["n1", "n4"]),
    ],
)
def test_taints(tolerations, found):
    nodes = [
        node("n1"),
        node("n2", "linux/arm64", "kubernetes.io/arch=arm64:NoSchedule"),
        node("n3", "linux/arm64", "kubernetes.io/arch=arm64:NoExecute"),
        node("n4", "linux/arm64", "kubernetes.io/arch=arm64:PreferNoSchedule"),
    ]
    assert names(candidates(pod(tolerations=tolerations), nodes)) == found


@pytest.mark.parametrize("daemon_set", [False, True])
def test_transient_taints_keep_nobody_away_for_long(daemon_set):
    nodes = [
        node(
            "n2", "linux/arm64", "node.kubernetes.io/unschedulable:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"
        ),
        node("n3", "linux/arm64", "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule"),
        node("n4", "linux/arm64", "node.kubernetes.io/unreachable:NoExecute", "dedicated=batch:NoSchedule"),
    ]
    assert names(candidates(pod(), nodes, daemon_set=daemon_set)) == ["n2", "n3"]


@pytest.mark.parametrize(
    "key",
    [
        *(key for key in TRANSIENT if not key.endswith("/")),
        "startup-taint.cluster-autoscaler.kubernetes.io/anything",
        "karpenter.sh/disrupted",
        "karpenter.sh/unregistered",
        "readiness.k8s.io/network",
        "aws-node-termination-handler/spot-itn",
        "node.cilium.io/agent-not-ready",
        "ebs.csi.aws.com/agent-not-ready",
        "disk.csi.azure.com/agent-not-ready",
        "example.com/starting",
    ],
)
@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_each_transient_taint(key, effect):
    assert names(candidates(pod(), [node("n1", "linux/amd64", f"{key}:{effect}")], transient=["example.com/"]))


@pytest.mark.parametrize(
    "key",
    [
        "node.kubernetes.io/not-ready-for-you",
        "karpenter.shop/x",
        "agent-not-ready",
        "kubernetes.azure.com/scalesetpriority",
        "virtual-kubelet.io/provider",
        "kubernetes.io/arch",
        "node-role.kubernetes.io/control-plane",
        "tobedeletedbyclusterautoscaler",
        "",
    ],
)
def test_other_taints_last(key):
    assert not is_transient(key, ["example.com/", ""])
    assert candidates(pod(), [node("n1", "linux/amd64", f"{key}=x:NoSchedule")]) == ()


def test_daemon_tolerations_are_about_transient_taints():
    assert all(toleration.key in TRANSIENT for toleration in DAEMON_TOLERATIONS)
    assert untolerated([Taint("node.kubernetes.io/not-ready", "", "NoSchedule")], DAEMON_TOLERATIONS) is not None
    assert untolerated([Taint("node.kubernetes.io/not-ready", "", "NoExecute")], DAEMON_TOLERATIONS) is None


@pytest.mark.parametrize(
    ("toleration", "covers"),
    [
        (Toleration("a", "Equal", "b", "NoSchedule"), True),
        (Toleration("a", "", "b", ""), True),
        (Toleration("", "Equal", "b"), True),  # not valid in the API; the library compares the value all the same
        (Toleration("a", "Equal", "", ""), False),
        (Toleration("a", "Exists", "else"), True),
        (Toleration("b", "Exists"), False),
        (Toleration("a", "Exists", effect="NoExecute"), False),
        (Toleration("a", "In", "b"), False),
    ],
)
def test_tolerates(toleration, covers):
    assert tolerates(toleration, Taint("a", "b", "NoSchedule")) is covers


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "covers"),
    [
        ("Gt", "1", "2", True),
        ("Gt", "2", "2", False),
        ("Lt", "2", "-5", True),
        ("Lt", "2", "2", False),
        ("Gt", "0", "007", False),
        ("Gt", "+1", "2", False),
        ("Gt", "-0", "2", False),
        ("Gt", "", "2", False),
        ("Gt", "1", "9223372036854775807", True),
        ("Gt", "1", "9223372036854775808", False),
    ],
)
def test_comparing_tolerations_count_only_where_they_are_switched_on(operator, wanted, given, covers):
    toleration, tainted = Toleration("level", operator, wanted), Taint("level", given, "NoSchedule")
    assert tolerates(toleration, tainted, comparing=True) is covers
    assert not tolerates(toleration, tainted)
