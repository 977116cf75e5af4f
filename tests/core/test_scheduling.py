"""Candidate nodes: the cases in which a checker goes wrong easily, and every clause of the rules they follow."""

from typing import Any

import pytest

from webhook.core.candidates import candidates, demanded_platforms, merge_runtime_class, refused_by_kubelet
from webhook.core.errors import MalformedObject
from webhook.core.grouping import NodeGroup
from webhook.core.narrowing import narrow
from webhook.core.node_selector import LabelTest, RequiredNodes, term_problem
from webhook.core.platform import Platform
from webhook.core.scheduling import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Taint,
    Toleration,
    parse_node,
    parse_runtime_class,
)
from webhook.core.taints import DAEMON_TOLERATIONS, TRANSIENT, is_transient, tolerates, untolerated
from webhook.core.workload import PodConstraints, parse_pod_spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str, platform: str = "linux/amd64", *taints: str, **labels: str) -> Node:
    """A node as the kubelet registers one, with further labels; taints as key=value:Effect."""
    os, _, architecture = platform.partition("/")
    own = {"kubernetes.io/os": os, "kubernetes.io/arch": architecture, "kubernetes.io/hostname": name}
    return Node(
        name, Platform(os, architecture), labels={**own, **labels}, taints=tuple(taint(written) for written in taints)
    )


def taint(written: str) -> Taint:
    rest, _, effect = written.rpartition(":")
    key, _, value = rest.partition("=")
    return Taint(key, value, effect)


def pod(**spec: Any) -> PodConstraints:
    return parse_pod_spec(spec)


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def fields(*requirements: dict[str, Any]) -> dict[str, Any]:
    return {"matchFields": list(requirements)}


def expressions(*requirements: dict[str, Any]) -> dict[str, Any]:
    return {"matchExpressions": list(requirements)}


def names(found: tuple[Node, ...]) -> list[str | None]:
    return [one.name for one in found]


NAMED = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
UNNAMED = {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}
BUT_N3 = {"key": "metadata.name", "operator": "NotIn", "values": ["n3"]}
ARM64 = expression("kubernetes.io/arch", "In", "arm64")


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
        "kubernetes.io/arch",
        "node-role.kubernetes.io/control-plane",
        "tobedeletedbyclusterautoscaler",
        "",
    ],
)
def test_other_taints_last(key):
    assert not is_transient(key, ["example.com/", ""])
    assert candidates(pod(), [node("n1", "linux/amd64", f"{key}=x:NoSchedule")]) == ()


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


def test_daemon_tolerations_are_about_transient_taints():
    assert all(toleration.key in TRANSIENT for toleration in DAEMON_TOLERATIONS)
    assert untolerated([Taint("node.kubernetes.io/not-ready", "", "NoSchedule")], DAEMON_TOLERATIONS) is not None
    assert untolerated([Taint("node.kubernetes.io/not-ready", "", "NoExecute")], DAEMON_TOLERATIONS) is None


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


LABELS = {"pool": "web", "empty": "", "cores": "8", "odd": "0x8", "big": "9223372036854775808", "padded": "+008"}


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        (("pool", "In", "a", "web"), True),
        (("pool", "In", "a"), False),
        (("missing", "In", "a", ""), False),
        (("empty", "In", ""), True),
        (("pool", "NotIn", "a"), True),
        (("pool", "NotIn", "web"), False),
        (("missing", "NotIn", "a"), True),
        (("empty", "NotIn", ""), False),
        (("pool", "Exists"), True),
        (("empty", "Exists"), True),
        (("missing", "Exists"), False),
        (("pool", "DoesNotExist"), False),
        (("missing", "DoesNotExist"), True),
        (("cores", "Gt", "7"), True),
        (("cores", "Gt", "8"), False),
        (("cores", "Lt", "9"), True),
        (("cores", "Lt", "8"), False),
        (("padded", "Gt", "7"), True),
        (("padded", "Lt", "9"), True),
        (("missing", "Gt", "0"), False),
        (("missing", "Lt", "1"), False),
        (("odd", "Gt", "0"), False),
        (("empty", "Lt", "1"), False),
        (("big", "Gt", "1"), False),
    ],
)
def test_operators(written, holds):
    key, operator, *values = written
    requirement = NodeSelectorRequirement(key, operator, tuple(values))
    assert term_problem(NodeSelectorTerm((requirement,))) == ""
    assert LabelTest(requirement).holds(LABELS) is holds


@pytest.mark.parametrize(
    "written",
    [
        ("pool", "In"),
        ("pool", "NotIn"),
        ("pool", "Exists", "web"),
        ("pool", "DoesNotExist", ""),
        ("cores", "Gt"),
        ("cores", "Gt", "1", "2"),
        ("cores", "Lt", "1.5"),
        ("cores", "Lt", " 4"),
        ("cores", "Gt", "-1"),  # an integer, but no label value, and the scheduler wants both
        ("cores", "Gt", "+5"),
        ("cores", "Lt", "1_000"),
        ("cores", "Lt", "\u0664"),
        ("cores", "Gt", "9223372036854775808"),
        ("pool", "in", "web"),
        ("pool", "", "web"),
        ("", "Exists"),
        ("a b", "Exists"),
        ("a/b/c", "Exists"),
        ("/x", "Exists"),
        ("kubernetes.io/", "Exists"),
        ("UPPER/x", "Exists"),
        ("a" * 64, "Exists"),
        ("a\n", "Exists"),
        ("pool", "In", "web", "a/b"),
        ("pool", "In", "x" * 64),
        ("pool", "In", "web\n"),
        ("pool", "NotIn", "\u00fc"),
    ],
)
def test_an_invalid_requirement_spoils_its_term_and_no_other(written):
    key, operator, *values = written
    bad = NodeSelectorTerm((NodeSelectorRequirement(key, operator, tuple(values)),))
    good = NodeSelectorTerm((NodeSelectorRequirement("pool", "In", ("web",)),))
    assert term_problem(bad)
    assert not RequiredNodes({}, NodeSelector((bad,))).admit("n1", LABELS)
    for terms in ((bad, good), (good, bad)):
        required = RequiredNodes({}, NodeSelector(terms))
        assert required.admit("n1", LABELS)
        assert required.problem
    assert not RequiredNodes({}, NodeSelector((NodeSelectorTerm(bad.expressions + good.expressions),))).admit(
        "n1", LABELS
    )


@pytest.mark.parametrize(
    ("terms", "admitted"),
    [
        ((), False),
        ((NodeSelectorTerm(),), False),
        ((NodeSelectorTerm(), NodeSelectorTerm((NodeSelectorRequirement("pool", "Exists"),))), True),
    ],
)
def test_an_empty_term_matches_nothing(terms, admitted):
    assert RequiredNodes({}, NodeSelector(terms)).admit("n1", LABELS) is admitted
    assert RequiredNodes({}, None).admit("n1", {})


@pytest.mark.parametrize(
    ("key", "operator", "values", "admitted"),
    [
        ("metadata.name", "In", ("n1",), True),
        ("metadata.name", "In", ("N1",), False),
        ("metadata.name", "NotIn", ("n2",), True),
        ("metadata.name", "In", ("n1", "n2"), False),
        ("metadata.name", "In", (), False),
        ("metadata.name", "Exists", (), False),
        ("spec.nodeName", "In", ("n1",), False),
        ("spec.nodeName", "In", ("",), True),  # the scheduler reads every other field as an empty string
        ("spec.nodeName", "NotIn", ("n1",), True),
    ],
)
def test_fields(key, operator, values, admitted):
    term = NodeSelectorTerm(fields=(NodeSelectorRequirement(key, operator, values),))
    assert RequiredNodes({}, NodeSelector((term,))).admit("n1", {}) is admitted


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


def platforms(constraints: PodConstraints) -> list[str]:
    found = demanded_platforms(constraints)
    assert all(one.name is None and one.runtime.text == "" and one.platform is not None for one in found)
    return [f"{one.platform.os}/{one.platform.architecture}" for one in found if one.platform]


def arch(operator: str, *values: str) -> dict[str, Any]:
    return expression("kubernetes.io/arch", operator, *values)


def system(operator: str, *values: str) -> dict[str, Any]:
    return expression("kubernetes.io/os", operator, *values)


@pytest.mark.parametrize(
    ("spec", "demanded"),
    [
        ({}, []),
        ({"nodeSelector": {"pool": "not-there-yet"}}, []),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64"}}, ["linux/arm64"]),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64", "kubernetes.io/os": "windows"}}, ["windows/arm64"]),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "os": {"name": "windows"}}, ["windows/amd64"]),
        ({"nodeSelector": {"kubernetes.io/arch": ""}}, []),
        ({"affinity": affinity(expressions(arch("In", "arm64"), system("In", "linux")))}, ["linux/arm64"]),
        ({"affinity": affinity(expressions(arch("In", "arm64", "amd64")))}, ["linux/arm64", "linux/amd64"]),
        (
            {"affinity": affinity(expressions(arch("In", "arm64"), system("In", "linux", "windows")))},
            ["linux/arm64", "windows/arm64"],
        ),
        ({"affinity": affinity(expressions(arch("NotIn", "arm64")))}, []),
        ({"affinity": affinity(expressions(arch("Exists")))}, []),
        ({"affinity": affinity(expressions(arch("In", "arm64", "amd64"), arch("NotIn", "arm64")))}, ["linux/amd64"]),
        (
            {"affinity": affinity(expressions(arch("In", "arm64")), expressions(arch("In", "amd64", "arm64")))},
            ["linux/arm64", "linux/amd64"],
        ),
        ({"affinity": affinity(expressions(arch("In", "arm64")), expressions(expression("zone", "Exists")))}, []),
        ({"affinity": affinity(expressions(arch("In", "arm64")), fields(NAMED))}, []),
        # A term that cannot match, or contradicts itself or the selector, opens no architecture.
        ({"affinity": affinity(expressions(arch("In", "arm64")), {}, expressions(arch("Is", "x")))}, ["linux/arm64"]),
        (
            {"affinity": affinity(expressions(arch("In", "a"), arch("DoesNotExist")), expressions(ARM64))},
            ["linux/arm64"],
        ),
        (
            {
                "nodeSelector": {"kubernetes.io/arch": "arm64"},
                "affinity": affinity(expressions(arch("In", "amd64")), expressions(expression("zone", "Exists"))),
            },
            ["linux/arm64"],
        ),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity(expressions(ARM64))}, []),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity()}, []),
        # The default os is a guess that must not contradict what the pod says.
        (
            {
                "nodeSelector": {"kubernetes.io/arch": "amd64"},
                "affinity": affinity(expressions(system("NotIn", "linux"))),
            },
            [],
        ),
        (
            {"nodeSelector": {"kubernetes.io/arch": "amd64"}, "affinity": affinity(expressions(system("NotIn", "a")))},
            ["linux/amd64"],
        ),
    ],
)
def test_demanded_platforms(spec, demanded):
    assert platforms(pod(**spec)) == demanded


def test_a_pod_that_names_more_platforms_than_there_are_demands_none():
    many = [f"a{number}" for number in range(50_000)]
    assert len(platforms(pod(affinity=affinity(expressions(arch("In", *many[:64])))))) == 64
    assert platforms(pod(affinity=affinity(expressions(arch("In", *many), system("In", *many))))) == []
    assert platforms(pod(affinity=affinity(*(expressions(arch("In", one)) for one in many[:65])))) == []
    assert len(platforms(pod(affinity=affinity(*[expressions(arch("In", *many[:40]))] * 3)))) == 40


def test_a_stand_in_has_the_labels_that_are_asked_of_it():
    selector = {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "windows", "pool": "win"}
    (one,) = demanded_platforms(pod(nodeSelector={**selector, "node.kubernetes.io/windows-build": "10.0.20348"}))
    assert one.platform == Platform("windows", "amd64", "", "10.0.20348")
    assert one.labels["pool"] == "win"
    assert names(candidates(pod(nodeSelector=selector), [one])) == [None]


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


AMD, ARM, RISC = node("amd", pool="a"), node("arm", "linux/arm64", pool="b"), node("risc", "linux/riscv64", pool="c")
WIN = node("win", "windows/amd64", **{"node.kubernetes.io/windows-build": "10.0.20348"})
OLD = node("old", "windows/amd64", **{"node.kubernetes.io/windows-build": "10.0.17763"})


@pytest.mark.parametrize(
    ("running", "failing", "advice"),
    [
        ([AMD], [ARM], "nodeSelector kubernetes.io/arch: amd64"),
        ([AMD], [WIN], "nodeSelector kubernetes.io/os: linux"),
        ([AMD], [ARM, WIN], "nodeSelector kubernetes.io/os: linux, kubernetes.io/arch: amd64"),
        ([AMD, ARM], [RISC], "required node affinity kubernetes.io/arch In [amd64, arm64]"),
        (
            [AMD, ARM],
            [RISC, WIN],
            "required node affinity kubernetes.io/os In [linux] and kubernetes.io/arch In [amd64, arm64]",
        ),
        ([WIN], [OLD], "nodeSelector node.kubernetes.io/windows-build: 10.0.20348"),
        (
            [node("a", **{"cloud.google.com/gke-nodepool": "new"})],
            [node("b", **{"cloud.google.com/gke-nodepool": "old"})],
            "nodeSelector cloud.google.com/gke-nodepool: new",
        ),
        # A zone, or another label, separates by chance only.
        ([node("a", zone="1")], [node("b", zone="2")], "nodeSelector kubernetes.io/hostname: a"),
        ([node("a"), node("b")], [node("c")], "required node affinity kubernetes.io/hostname NotIn [c]"),
        (
            [node("a"), node("b")],
            [node("c"), node("d"), node("e")],
            "required node affinity kubernetes.io/hostname In [a, b]",
        ),
        ([Node("bare", None)], [ARM], "required node affinity kubernetes.io/arch NotIn [arm64]"),
        ([Node("bare", None)], [Node("other", None)], "None"),
        ([node(f"r{number}") for number in range(20)], [node(f"f{number}") for number in range(9)], "None"),
        ([AMD], [], "None"),
        ([], [AMD], "None"),
    ],
)
def test_narrowing(running, failing, advice):
    kept, shut_out = ([NodeGroup.of((one,)) for one in side] for side in (running, failing))
    assert str(narrow(kept, shut_out)) == advice
    together = [[NodeGroup.of(side)] if side else [] for side in (running, failing)]
    assert str(narrow(*together)) == advice


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
