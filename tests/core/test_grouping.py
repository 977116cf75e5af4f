"""Groups of nodes: the candidates are those that are found by asking each node, and few nodes are asked."""

from typing import Any

import pytest

from webhook.core.candidates import Admission, candidates
from webhook.core.grouping import WIDE, Names, NodeGroup, NodeIndex
from webhook.core.platform import Platform, parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Taint,
    Toleration,
)
from webhook.core.workload import PodConstraints

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64:10.0.20348"]
HOST = "kubernetes.io/hostname"
MANY = 2000


class Counting(Admission):
    """An Admission that counts how many nodes it was asked about."""

    asked = 0

    def admits(self, node: Node) -> bool:
        self.asked += 1
        return super().admits(node)


def shaped(number: int) -> Node:
    """One of 50 shapes: five platforms, five zones, tainted or not; and a name and labels that no other node has."""
    platform = parse_platform(PLATFORMS[number % 5])
    zone, tainted = (number // 5) % 5, (number // 25) % 2
    labels = {
        "kubernetes.io/os": platform.os,
        "kubernetes.io/arch": platform.architecture,
        "zone": f"z{zone}",
        HOST: f"n{number}",
        "serial": str(number),
    }
    taints = (Taint("team", "blue", "NoSchedule"),) if tainted else ()
    passing = (Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"),) if number % 3 == 0 else ()
    return Node(f"n{number}", platform, Runtime.parse("containerd://2.1.4"), labels, taints + passing)


NODES = tuple(map(shaped, range(MANY)))
INDEX = NodeIndex(NODES)


def requirement(key: str, operator: str, *values: str) -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key, operator, values)


def terms(*found: tuple[NodeSelectorRequirement, ...], fields: tuple[NodeSelectorRequirement, ...] = ()) -> Any:
    return {"affinity": NodeSelector(tuple(NodeSelectorTerm(one, fields) for one in found))}


BLUE = {"tolerations": (Toleration("team", "Exists"),)}
ARM = {"kubernetes.io/arch": "arm64"}
NAMED = (requirement("metadata.name", "In", "n7"),)
UNNAMED = (requirement("metadata.name", "NotIn", "n7"),)

PODS: dict[str, tuple[dict[str, Any], int]] = {
    "a pod that demands nothing": ({}, 10),
    "one that tolerates": (BLUE, 10),
    "an architecture": ({"node_selector": ARM}, 10),
    "an architecture and a zone": ({"node_selector": {**ARM, "zone": "z1"}}, 50),
    "a zone by affinity": (terms((requirement("zone", "In", "z1", "z2"),)) | BLUE, 50),
    "one of two terms": (terms((requirement("zone", "NotIn", "z1"),), (requirement(HOST, "In", "n1"),)), 51),
    "a label that no node has": ({"node_selector": {"nobody": "has"}}, 10),
    "not a label that no node has": (terms((requirement("nobody", "DoesNotExist"),)), 10),
    "a node by its label": ({"node_selector": {HOST: "n7"}}, 1),
    "a node by its label that is not there": ({"node_selector": {HOST: "n99999"}}, 0),
    "nodes by their labels": (terms((requirement(HOST, "In", "n7", "n8", "n25", "no"),)), 3),
    "a node by its name": (terms((), fields=NAMED), 1),
    "a node by its name, in a zone": (terms((requirement("zone", "In", "z1"),), fields=NAMED), 1),
    "all but a node, by its name": (terms((), fields=UNNAMED), 11),
    "all but some, by their labels": (terms((requirement(HOST, "NotIn", "n7", "n8", "n9"),)), 13),
    "any that has its label": (terms((requirement(HOST, "Exists"),)), 10),
    "none that has its label": (terms((requirement(HOST, "DoesNotExist"),)), 10),
    "a serial number above": (terms((requirement("serial", "Gt", "1990"),)), MANY),
    "bound": ({"node_name": "n7"}, 1),
    "bound to nowhere": ({"node_name": "none"}, 0),
    "an affinity that nothing meets": (terms((requirement("zone", "In"),)), 0),
}


@pytest.mark.parametrize(("pod", "most"), PODS.values(), ids=PODS)
@pytest.mark.parametrize("daemon_set", [False, True])
def test_candidates_are_the_same_and_few_nodes_are_asked(pod, most, daemon_set):
    constraints = PodConstraints(**pod)
    admission = Counting(constraints, daemon_set=daemon_set)
    groups = INDEX.candidates(admission)
    placed = sorted(pair for group in groups for pair in ((place, node.name) for place, node in group.placed()))
    wanted = candidates(constraints, NODES, daemon_set=daemon_set)
    assert [name for _, name in placed] == [node.name for node in wanted]
    assert [place for place, _ in placed] == [NODES.index(node) for node in wanted] if len(wanted) < 10 else True
    assert admission.asked <= most


def test_ten_thousand_nodes_of_fifty_shapes_are_asked_about_as_often_as_fifty():
    few, many = (NodeIndex(tuple(map(shaped, range(count)))) for count in (50, 10_000))
    for pod, _ in list(PODS.values())[:5]:
        counts = []
        for index in (few, many):
            admission = Counting(PodConstraints(**pod))
            groups = index.candidates(admission)
            counts.append((admission.asked, len(groups)))
        assert counts[0] == counts[1]


def test_what_decides_is_the_same_within_a_group():
    for group in INDEX.candidates(Admission(PodConstraints(node_selector={"zone": "z1"}))):
        assert len({(node.platform, node.runtime, node.labels["zone"]) for node in group}) == 1
        assert len(group) == MANY / 50


def test_taints_that_come_and_go_tell_no_nodes_apart():
    index = NodeIndex(NODES, ["team"])
    assert len(index.candidates(Admission(PodConstraints(), ["team"]))) == len(PLATFORMS)


def test_a_node_without_a_platform_is_told_apart_by_its_os():
    """The kubelet of such a node refuses pods for another os as far as its label says."""
    odd = [Node(f"n{number}", None, labels={"kubernetes.io/os": os}) for number, os in enumerate(("linux", "windows"))]
    assert len(NodeIndex(odd).candidates(Admission(PodConstraints()))) == 2


def test_emulated_platforms_tell_nodes_apart():
    plain, marked = Node("a", Platform("linux", "arm64")), Node("b", Platform("linux", "arm64"))
    marked = Node("b", Platform("linux", "arm64"), emulates=(Platform("linux", "amd64"),))
    assert len(NodeIndex([plain, marked]).candidates(Admission(PodConstraints()))) == 2


def test_groupings_are_kept_and_the_least_used_go_first():
    labels = {f"label-{number}": "x" for number in range(200)}
    index = NodeIndex([Node("a", None, labels=labels)])
    before = index.candidates(Admission(PodConstraints(node_selector={"label-0": "x"})))
    assert index.candidates(Admission(PodConstraints(node_selector={"label-0": "x"})))[0] is before[0]
    for number in range(1, 200):
        index.candidates(Admission(PodConstraints(node_selector={f"label-{number}": "x"})))
    assert len(index._groupings) == 64
    assert index.candidates(Admission(PodConstraints(node_selector={"label-0": "x"})))[0] is not before[0]


def test_labels_that_no_node_has_make_no_groupings():
    """Pods may mention any label, and whoever makes them must not fill the memory, or regroup the nodes each time."""
    index = NodeIndex(NODES)
    for number in range(100):
        index.candidates(Admission(PodConstraints(node_selector={f"label-{number}": "x"})))
    assert len(index._groupings) == 1


def without(*names: str) -> Admission:
    return Admission(PodConstraints(**terms((requirement(HOST, "NotIn", *names),))))


def test_groups_without_some_nodes_are_kept_too():
    index = NodeIndex(NODES)
    first, again = (index.candidates(without("n7", "n8")) for _ in range(2))
    large = [group for group in first if len(group) > 1]
    assert len(large) == 5  # the untainted ones of five platforms
    assert large == [group for group in again if len(group) > 1]  # the very same, a group equals no other
    for number in range(200):
        index.candidates(without("n7", f"n{number}"))
    assert len(index._partings) == 64
    assert large != [group for group in index.candidates(without("n7", "n8")) if len(group) > 1]


def test_groups_without_many_nodes_are_not_kept():
    index = NodeIndex(NODES)
    for number in range(10):
        index.candidates(without(*(f"n{place}" for place in range(number, number + 100))))
    assert len(index._partings) == 0


@pytest.mark.parametrize(("key", "groups"), [("few", WIDE), ("many", 1)])
def test_a_label_is_wide_from_many_values_on(key, groups):
    nodes = [Node(f"n{number}", None, labels={"few": str(number % WIDE), "many": str(number)}) for number in range(99)]
    demands = PodConstraints(**terms((requirement(key, "Exists"),)))
    assert len(NodeIndex(nodes).candidates(Admission(demands))) == groups


def test_names_come_in_the_order_of_all_nodes():
    nodes = [Node(name, None) for name in "abcdef"]
    names = Names([NodeGroup(nodes, (1, 4)), NodeGroup(nodes, (0, 2, 5)), NodeGroup.of((Node("z", None),), 6)])
    assert (len(names), names[:3], names[0], names[-1], list(names)) == (6, ("a", "b", "c"), "a", "z", list("abcefz"))
    with pytest.raises(IndexError):
        names[6]
