"""Advice that a pod can follow: not a condition beside others that leave it no node, no change that nobody can make."""

from typing import Any

import pytest

from tests.support.messages import ADD_AMD64, AMD, ARM_ONE, POD, demanding, image, on
from webhook.core.message import Facts, denial, warnings
from webhook.core.outcome import fails, runs, uncertain
from webhook.core.scheduling import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm

ADDED = "add nodeSelector kubernetes.io/arch: amd64."


def advice(facts: Facts) -> str:
    """The advice of a denial, in one line."""
    return " ".join(denial(facts).split("To mend it: ")[1].split())


def affinity(key: str, operator: str, *values: str) -> NodeSelector:
    return NodeSelector((NodeSelectorTerm((NodeSelectorRequirement(key, operator, values),)),))


@pytest.mark.parametrize(
    ("demands", "how"),
    [
        ({}, ADDED),
        ({"node_selector": {"kubernetes.io/os": "linux"}}, ADDED),
        ({"affinity": affinity("type", "NotIn", "virtual-kubelet")}, ADDED),
        ({"affinity": affinity("kubernetes.io/os", "In", "linux")}, ADDED),
        ({"node_selector": {"pool": "arm"}}, "nodeSelector kubernetes.io/arch: amd64 instead of pool: arm."),
        (
            {"node_selector": {"pool": "arm", "zone": "a"}},
            "nodeSelector kubernetes.io/arch: amd64 instead of what selects its nodes now.",
        ),
        (
            {"affinity": affinity("pool", "In", "arm")},
            "nodeSelector kubernetes.io/arch: amd64 instead of what selects its nodes now.",
        ),
        (
            {
                "affinity": NodeSelector(
                    (NodeSelectorTerm(fields=(NodeSelectorRequirement("metadata.name", "In", ("arm-1",)),)),)
                )
            },
            "nodeSelector kubernetes.io/arch: amd64 instead of what selects its nodes now.",
        ),
    ],
)
def test_a_pod_that_selects_its_nodes_is_not_told_to_select_among_them(demands: dict[str, Any], how: str):
    told = advice(Facts(demanding(**demands), "mismatch", (AMD,), (ARM_ONE,)))
    assert told == f"build the image for linux/arm64 too, or run it on linux/amd64 nodes: {how}"


def test_a_pod_on_its_node_is_not_told_to_go():
    facts = Facts(demanding(node_name="arm-1"), "mismatch", (AMD,), (ARM_ONE,), placed=True)
    assert advice(facts) == "build the image for linux/arm64 too."


def test_what_keeps_a_pod_from_nodes_that_refuse_it_is_all_it_needs():
    there = (on("a", "linux/amd64", runs("fits")), on("w", "windows/amd64", fails("refused-by-kubelet")))
    assert advice(Facts(demanding("DaemonSet"), "mismatch", (AMD,), there, remedy=ADD_AMD64)) == ADDED
    alone = Facts(POD, "mismatch", (image("reg.example/a:1"),), there[1:])
    assert advice(alone) == "make spec.os.name, the label kubernetes.io/os and the node selector agree."


@pytest.mark.parametrize(
    ("demands", "key", "value", "usual"),
    [
        ({"node_selector": {"kubernetes.io/arch": "x86_64"}}, "arch", "x86_64", "amd64"),
        ({"affinity": affinity("kubernetes.io/arch", "In", "arm64", "aarch64")}, "arch", "aarch64", "arm64"),
        ({"node_selector": {"kubernetes.io/os": "Windows"}}, "os", "Windows", "windows"),
    ],
)
def test_a_platform_that_no_kubelet_writes_so(demands: dict[str, Any], key: str, value: str, usual: str):
    [line] = warnings(Facts(demanding(**demands), "no-candidates", (), ()))
    assert line.endswith(f"kubelets do not write kubernetes.io/{key}: {value}; write kubernetes.io/{key}: {usual}")


def test_an_image_that_is_not_there_is_said_not_to_be():
    facts = Facts(POD, "mismatch", (image(""),), (on("a", "linux/amd64", fails("invalid-reference")),))
    assert 'container "app": image (none)\n' in denial(facts)
    assert 'container "app": (no image) fails on a (linux/amd64)' in warnings(facts)[0]


def test_the_advice_goes_with_the_place_that_is_told():
    facts = Facts(POD, "undetermined", (AMD,), (on("odd", None, uncertain("node-platform-unknown")), ARM_ONE))
    (line,) = warnings(facts)
    assert line == (
        'podgate: Pod web: container "app": reg.example/shop/web:1.4 (linux/amd64) may not run on odd (platform '
        "unknown) and 1 more node: the node does not say which platform it is; give the node the labels "
        "kubernetes.io/os and kubernetes.io/arch"
    )
