"""Candidate nodes: the cases in which a checker goes wrong easily, and every clause of the rules they follow."""

from typing import Any

import pytest

from tests.support.scheduling import (
    ARM64,
    BUT_N3,
    NAMED,
    UNNAMED,
    affinity,
    expression,
    expressions,
    fields,
    names,
    node,
    pod,
)
from webhook.core.candidates import candidates, merge_runtime_class, refused_by_kubelet
from webhook.core.errors import MalformedObject
from webhook.core.platform import Platform
from webhook.core.scheduling import (
    Node,
    Taint,
    Toleration,
    parse_node,
    parse_runtime_class,
)
from webhook.core.workload import PodConstraints


@pytest.mark.parametrize(
    ("spec", "daemon_set", "found"),
    [
        ({"affinity": affinity(fields(NAMED))}, False, ["n1"]),
        ({"affinity": affinity(fields(UNNAMED))}, False, ["n2", "n3"]),
        ({"affinity": affinity(fields(NAMED)), "nodeSelector": {"pool": "b"}}, False, []),
        ({"affinity": affinity({**fields(BUT_N3), **expressions(ARM64)})}, False, ["n2"]),
        ({"affinity": affinity(fields(NAMED), expressions(ARM64))}, False, ["n1", "n2", "n3"]),
        ({"nodeSelector": {"pool": "a"}}, True, ["n1", "n2"]),
        ({}, True, ["n1", "n2", "n3"]),
    ],
)
def test_a_daemon_sets_pod_is_for_one_node_and_the_daemon_set_for_all(spec, daemon_set, found):
    # The controller replaces the affinity of each pod by a match of metadata.name (k/k pkg/controller/daemon/util).
    nodes = [node("n1", pool="a"), node("n2", "linux/arm64", pool="a"), node("n3", "linux/arm64", pool="b")]
    assert names(candidates(pod(**spec), nodes, daemon_set=daemon_set)) == found


def test_terms_are_ored_expressions_anded_and_the_selector_with_the_whole():
    nodes = [
        node("n1", pool="web"),
        node("n2", "linux/arm64", pool="web", zone="a"),
        node("n3"),
        node("n4", "linux/arm64", pool="web", zone="b"),
    ]
    amd64 = expression("kubernetes.io/arch", "In", "amd64")
    zone = expression("zone", "In", "a")
    both = pod(nodeSelector={"pool": "web"}, affinity=affinity(expressions(amd64), expressions(zone)))
    assert names(candidates(both, nodes)) == ["n1", "n2"]
    assert candidates(pod(affinity=affinity(expressions(amd64, zone))), nodes) == ()


@pytest.mark.parametrize(
    ("name", "spec", "found"),
    [
        ("n2", {}, ["n2"]),
        ("n1", {}, ["n1"]),
        ("n9", {}, []),
        ("n3", {}, []),
        ("n3", {"tolerations": [{"key": "gone", "operator": "Exists"}]}, ["n3"]),
        ("n2", {"nodeSelector": {"kubernetes.io/arch": "amd64"}}, []),
        ("n2", {"affinity": affinity(expressions(ARM64))}, ["n2"]),
        ("n1", {"affinity": affinity(expressions(ARM64))}, []),
    ],
)
def test_a_node_name_asks_the_kubelet_alone(name, spec, found):
    nodes = [
        node("n1"),
        node("n2", "linux/arm64", "dedicated=arm:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule"),
        node("n3", "linux/arm64", "gone=yes:NoExecute"),
    ]
    assert names(candidates(pod(nodeName=name, **spec), nodes)) == found


def test_the_controller_of_a_daemon_set_looks_at_taints_for_a_node_name_too():
    nodes = [node("n1", "linux/amd64", "dedicated=web:NoSchedule")]
    assert names(candidates(pod(nodeName="n1"), nodes)) == ["n1"]
    assert candidates(pod(nodeName="n1"), nodes, daemon_set=True) == ()


def test_preferences_exclude_no_node():
    preferred = [{"weight": 100, "preference": expressions(ARM64)}]
    wish = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    assert names(candidates(pod(affinity=wish), [node("n1")])) == ["n1"]


def test_labels_are_compared_literally():
    bare = Node("virtual", None, labels={"beta.kubernetes.io/os": "linux"})
    assert candidates(pod(nodeSelector={"kubernetes.io/os": "linux"}), [bare]) == ()
    assert names(candidates(pod(), [bare])) == ["virtual"]


def test_a_node_to_come_is_none_that_has_a_name():
    shape = Node(None, Platform("linux", "arm64"))
    assert candidates(pod(affinity=affinity(fields(NAMED))), [shape]) == ()
    assert candidates(pod(affinity=affinity(fields(UNNAMED))), [shape]) == (shape,)
    assert candidates(pod(nodeName="n1"), [shape]) == ()


LINUX, WINDOWS = Node("l", Platform("linux", "amd64")), Node("w", Platform("windows", "amd64"))


@pytest.mark.parametrize(
    ("constraints", "on_linux", "on_windows"),
    [
        (PodConstraints(), False, False),
        (PodConstraints(os_name="linux"), False, True),
        (PodConstraints(os_name="windows"), True, False),
        (PodConstraints(os_label="windows"), True, False),
        (PodConstraints(os_label=""), True, True),
        (PodConstraints(os_name="linux", os_label="windows"), True, True),
    ],
)
def test_refused_by_kubelet(constraints, on_linux, on_windows):
    assert refused_by_kubelet(constraints, LINUX) is on_linux
    assert refused_by_kubelet(constraints, WINDOWS) is on_windows
    assert not refused_by_kubelet(constraints, Node("silent", None))
    assert refused_by_kubelet(constraints, Node("by-label", None, labels={"kubernetes.io/os": "linux"})) is on_linux


def test_runtime_class_is_merged_into_a_template():
    windows = parse_runtime_class(
        {
            "metadata": {"name": "win"},
            "handler": "runhcs",
            "scheduling": {
                "nodeSelector": {"kubernetes.io/os": "windows"},
                "tolerations": [{"key": "os", "value": "windows", "effect": "NoSchedule"}],
            },
        }
    )
    assert (windows.name, windows.handler) == ("win", "runhcs")
    nodes = [node("lin"), node("win", "windows/amd64", "os=windows:NoSchedule")]
    for template in (pod(), pod(nodeSelector={"kubernetes.io/os": "windows"}), pod(tolerations=[{"key": "a"}])):
        merged = merge_runtime_class(template, windows.node_selector, windows.tolerations)
        assert merged is not None
        assert names(candidates(merged, nodes)) == ["win"]
    assert names(candidates(pod(), nodes)) == ["lin"]


def test_a_contradicting_runtime_class_leaves_no_pod():
    linux = pod(nodeSelector={"kubernetes.io/os": "linux"})
    assert merge_runtime_class(linux, {"kubernetes.io/os": "windows"}, ()) is None
    assert merge_runtime_class(linux, {}, ()) == linux
    once = merge_runtime_class(linux, {"a": "b"}, (Toleration("x"),))
    assert once is not None
    assert merge_runtime_class(once, {"a": "b"}, (Toleration("x"),)) == once
    assert parse_runtime_class({"metadata": {"name": "plain"}, "handler": "runc"}).node_selector == {}


NODE: dict[str, Any] = {
    "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux", "a": "b"}},
    "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule", "timeAdded": "x"}, {"key": "c"}]},
    "status": {
        "nodeInfo": {
            "operatingSystem": "linux",
            "architecture": "arm64",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.1",
        }
    },
}


def test_parse_node():
    found = parse_node(NODE)
    assert (found.name, found.platform) == ("n1", Platform("linux", "arm64"))
    assert found.runtime.text == "containerd://2.1.4"
    assert found.labels == {"kubernetes.io/os": "linux", "a": "b"}
    assert found.taints == (Taint("a", "b", "NoSchedule"), Taint("c"))


@pytest.mark.parametrize(
    ("status", "labels", "platform"),
    [
        (None, None, None),
        ({}, {}, None),
        ({"nodeInfo": None}, {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}, Platform("linux", "arm64")),
        ({"nodeInfo": {"operatingSystem": "Linux", "architecture": ""}}, {"beta.kubernetes.io/arch": "amd64"}, None),
        ({"nodeInfo": {"operatingSystem": "Linux", "architecture": "arm64"}}, {}, Platform("linux", "arm64")),
    ],
)
def test_a_node_says_what_it_is_or_is_unknown(status, labels, platform):
    found = parse_node({"metadata": {"name": "n1", "labels": labels}, "status": status})
    assert found.platform == platform
    assert (found.runtime.text, found.taints) == ("", ())


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ([], ""),
        ({}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": ""}}, "metadata.name"),
        ({"metadata": {"name": 1}}, "metadata.name"),
        ({**NODE, "metadata": {"name": "n", "labels": {"a": True}}}, "metadata.labels[a]"),
        ({**NODE, "spec": []}, "spec"),
        ({**NODE, "spec": {"taints": {}}}, "spec.taints"),
        ({**NODE, "spec": {"taints": [{"key": "a"}, {"effect": 1}]}}, "spec.taints[1].effect"),
        ({**NODE, "status": {"nodeInfo": []}}, "status.nodeInfo"),
        ({**NODE, "status": {"nodeInfo": {"architecture": 64}}}, "status.nodeInfo.architecture"),
    ],
)
def test_malformed_nodes_say_where(obj, path):
    with pytest.raises(MalformedObject) as caught:
        parse_node(obj)
    assert caught.value.path == path
