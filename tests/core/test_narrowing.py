"""The advice that narrows a pod to the nodes on which it runs."""

import pytest

from tests.support.scheduling import node
from webhook.core.grouping import NodeGroup
from webhook.core.narrowing import narrow
from webhook.core.scheduling import Node

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
