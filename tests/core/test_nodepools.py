"""Karpenter NodePools: which nodes may come of them for which pods."""

from collections import Counter
from typing import Any

import pytest

from webhook.core import nodepools
from webhook.core.candidates import Admission
from webhook.core.errors import MalformedObject
from webhook.core.nodepools import MOST_COMPARED, nodes_to_come, parse_node_pool
from webhook.core.platform import format_platform
from webhook.core.workload import PodConstraints, parse_pod_spec

AMD = "kubernetes.io/arch In amd64"
ARM = "kubernetes.io/arch In arm64"
BOTH = "kubernetes.io/arch In amd64 arm64"
LINUX = "kubernetes.io/os In linux"
OPEN = "open: linux/amd64 linux/arm64"


def requirements(*texts: str) -> list[dict[str, Any]]:
    split = (text.split() for text in texts)
    return [{"key": key, "operator": operator, "values": values} for key, operator, *values in split]


def pool(*texts: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "general"},
        "spec": {
            "template": {
                "metadata": {"labels": labels or {}},
                "spec": {
                    "requirements": requirements(*texts),
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
                    **spec,
                },
            },
            "limits": {"cpu": "0"},
            "weight": 10,
        },
    }


def affinity(*terms: list[str], fields: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    selector = [{"matchExpressions": requirements(*term), "matchFields": fields or []} for term in terms]
    return {
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": selector}}
        }
    }


def found(obj: dict[str, Any], *, daemon_set: bool = False, **spec: Any) -> list[str]:
    """The platforms of the nodes that may come; of one without, those that it may have."""
    constraints: PodConstraints = parse_pod_spec(spec)
    pools = [parse_node_pool(obj)]
    nodes = list(nodes_to_come(pools, constraints, Admission(constraints, daemon_set=daemon_set)))
    assert all(node.name == "nodepool general" and not node.runtime.text for node in nodes)
    return [
        format_platform(node.platform) if node.platform else " ".join(["open:", *map(format_platform, node.may_be)])
        for node in nodes
    ]


@pytest.mark.parametrize(
    ("texts", "platforms"),
    [
        ([LINUX, AMD], ["linux/amd64"]),
        ([LINUX, BOTH], ["linux/amd64", "linux/arm64"]),
        ([LINUX, BOTH, "kubernetes.io/arch NotIn arm64"], ["linux/amd64"]),
        ([LINUX, "beta.kubernetes.io/arch In arm64"], ["linux/arm64"]),
        ([LINUX, "kubernetes.io/arch In riscv64 s390x"], ["linux/riscv64", "linux/s390x"]),
        ([LINUX, "kubernetes.io/arch In arm"], ["linux/arm/v7"]),
        # What the provider decides has no platform that anybody could be sure of.
        ([], [OPEN]),
        ([LINUX], [OPEN]),
        ([LINUX, "kubernetes.io/arch Exists"], [OPEN]),
        ([LINUX, "kubernetes.io/arch NotIn arm64"], ["open: linux/amd64"]),
        ([LINUX, "kubernetes.io/arch NotIn arm64 amd64"], ["open:"]),
        ([AMD], ["open: linux/amd64"]),
        (["kubernetes.io/os NotIn linux"], ["open: windows/amd64"]),
        (["kubernetes.io/os In windows"], ["open: windows/amd64"]),
        (["kubernetes.io/os In windows", BOTH], ["windows/amd64"]),
        (["kubernetes.io/os In linux windows", AMD], ["linux/amd64", "windows/amd64"]),
        (
            ["kubernetes.io/os In linux windows", AMD, "node.kubernetes.io/windows-build In 10.0.17763 10.0.20348"],
            ["linux/amd64", "windows/amd64:10.0.17763", "windows/amd64:10.0.20348"],
        ),
        # No node has no architecture, and none of none.
        ([LINUX, "kubernetes.io/arch DoesNotExist"], []),
        ([LINUX, AMD, ARM], []),
        (
            [LINUX, AMD, "node.kubernetes.io/instance-type Gt 4", "karpenter.k8s.aws/instance-cpu Gte 4"],
            ["linux/amd64"],
        ),
    ],
)
def test_the_platforms_of_a_pool(texts, platforms):
    assert found(pool(*texts)) == platforms


@pytest.mark.parametrize(
    ("texts", "spec", "platforms"),
    [
        ([LINUX, BOTH], {"nodeSelector": {"kubernetes.io/arch": "arm64"}}, ["linux/arm64"]),
        ([LINUX], {"nodeSelector": {"kubernetes.io/arch": "arm64"}}, ["linux/arm64"]),
        ([LINUX], {"nodeSelector": {"beta.kubernetes.io/arch": "arm64"}}, ["linux/arm64"]),
        ([LINUX], affinity([BOTH]), ["linux/amd64", "linux/arm64"]),
        ([LINUX], affinity([AMD], [ARM]), ["linux/amd64", "linux/arm64"]),
        ([LINUX], affinity(["kubernetes.io/arch NotIn arm64"]), ["open: linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"kubernetes.io/arch": "arm64"}}, []),
        ([LINUX, AMD], {"nodeSelector": {"kubernetes.io/os": "windows"}}, []),
        ([], {"nodeSelector": {"kubernetes.io/os": "windows"}}, ["open: windows/amd64"]),
        ([], {"os": {"name": "windows"}}, ["open: windows/amd64"]),
        ([LINUX, AMD], affinity([ARM], ["kubernetes.io/arch In amd64 s390x"]), ["linux/amd64"]),
        ([LINUX, AMD], affinity([AMD, ARM]), []),
        ([LINUX], affinity([AMD, ARM]), []),
        # Well-known labels are open; others are there only where the pool says so.
        ([LINUX, AMD], {"nodeSelector": {"topology.kubernetes.io/zone": "a"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.sh/capacity-type": "spot"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.k8s.aws/instance-family": "m7"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.azure.com/sku-family": "D"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.sh/whatever": "x"}}, []),
        ([LINUX, AMD], {"nodeSelector": {"team": "blue"}}, []),
        ([LINUX, AMD, "team In blue red"], {"nodeSelector": {"team": "blue"}}, ["linux/amd64"]),
        ([LINUX, AMD, "team Exists"], {"nodeSelector": {"team": "blue"}}, ["linux/amd64"]),
        ([LINUX, AMD], affinity(["team NotIn blue"]), ["linux/amd64"]),
        ([LINUX, AMD, "karpenter.sh/capacity-type In spot"], affinity(["karpenter.sh/capacity-type In on-demand"]), []),
        (
            [LINUX, AMD, "node.kubernetes.io/instance-type In m6"],
            {"nodeSelector": {"node.kubernetes.io/instance-type": "m7"}},
            [],
        ),
        # Labels of the pool itself.
        ([LINUX, AMD], {"nodeSelector": {"karpenter.sh/nodepool": "general"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.sh/nodepool": "other"}}, []),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.k8s.aws/ec2nodeclass": "default"}}, ["linux/amd64"]),
        ([LINUX, AMD], {"nodeSelector": {"karpenter.k8s.aws/ec2nodeclass": "other"}}, []),
        # A node that is not there has a name that nobody knows.
        ([LINUX, AMD], {"nodeSelector": {"kubernetes.io/hostname": "n1"}}, []),
        ([LINUX, AMD], affinity(["kubernetes.io/hostname NotIn n1"]), ["linux/amd64"]),
        ([LINUX, AMD], affinity(["kubernetes.io/hostname Exists"]), ["linux/amd64"]),
        ([LINUX, AMD], affinity([], fields=[{"key": "metadata.name", "operator": "In", "values": ["n1"]}]), []),
        (
            [LINUX, AMD],
            affinity([], fields=[{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]),
            ["linux/amd64"],
        ),
        ([LINUX, AMD], {"nodeName": "n1"}, []),
        ([LINUX, AMD], affinity(["kubernetes.io/arch In"]), []),
    ],
)
def test_a_pool_for_a_pod(texts, spec, platforms):
    assert found(pool(*texts), **spec) == platforms


TAINT = {"key": "team", "value": "blue", "effect": "NoSchedule"}


def test_taints_count_and_startup_taints_do_not():
    tainted, starting = pool(LINUX, AMD, taints=[TAINT]), pool(LINUX, AMD, startupTaints=[TAINT])
    assert found(tainted) == []
    assert found(tainted, tolerations=[{"key": "team", "operator": "Exists"}]) == ["linux/amd64"]
    assert found(starting) == ["linux/amd64"]
    assert found(pool(LINUX, AMD, taints=[{**TAINT, "effect": "PreferNoSchedule"}])) == ["linux/amd64"]
    assert found(tainted, daemon_set=True) == []


def test_labels_of_the_template_are_those_of_the_nodes():
    obj = pool(LINUX, labels={"kubernetes.io/arch": "arm64", "team": "blue", "podgate.dev/emulates": "linux-amd64"})
    assert found(obj, nodeSelector={"team": "blue"}) == ["linux/arm64"]
    constraints = PodConstraints()
    (node,) = nodes_to_come([parse_node_pool(obj)], constraints, Admission(constraints))
    assert list(map(format_platform, node.emulates)) == ["linux/amd64"]
    assert node.labels["karpenter.sh/nodepool"] == "general"
    assert "kubernetes.io/hostname" not in node.labels


def test_minimal_values_are_passed_over_and_a_pool_that_goes_away_makes_nothing():
    obj = pool(LINUX, AMD)
    obj["spec"]["template"]["spec"]["requirements"][0]["minValues"] = 5
    assert found(obj) == ["linux/amd64"]
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert found(obj) == []


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ({}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": "x"}}, "spec"),
        ({"metadata": {"name": "x"}, "spec": {}}, "spec.template"),
        (
            {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"requirements": 1}}}},
            "spec.template.spec.requirements",
        ),
        (
            {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"taints": [{"key": 1}]}}}},
            "spec.template.spec.taints[0].key",
        ),
    ],
)
def test_what_is_malformed_is_named(obj, path):
    with pytest.raises(MalformedObject) as caught:
        parse_node_pool(obj)
    assert caught.value.path == path


def test_thousands_of_terms_cost_no_more_than_the_platforms_that_a_pool_has(monkeypatch: pytest.MonkeyPatch):
    calls: Counter[str] = Counter()
    for name in ("gathered", "compatible"):
        original = getattr(nodepools, name)

        def counted(*arguments: Any, name: str = name, original: Any = original) -> Any:
            calls[name] += 1
            return original(*arguments)

        monkeypatch.setattr(nodepools, name, counted)
    pools = [parse_node_pool(pool(LINUX, BOTH)) for _ in range(20)]
    calls.clear()
    many = affinity(*([f"karpenter.k8s.aws/cpu-{number} In 4"] for number in range(1000)))
    constraints = parse_pod_spec(many)
    nodes = list(nodes_to_come(pools, constraints, Admission(constraints)))
    assert len(nodes) == 40
    assert calls == {"gathered": 1000, "compatible": 20}


def test_a_later_term_adds_what_an_earlier_one_leaves_out():
    terms = affinity(["kubernetes.io/arch In arm64"], ["kubernetes.io/arch In arm64"], ["kubernetes.io/arch In amd64"])
    assert found(pool(LINUX, BOTH), **terms) == ["linux/arm64", "linux/amd64"]
    windows = affinity(*([f"node.kubernetes.io/windows-build In {build}"] for build in ("10.0.17763", "10.0.20348")))
    builds = ["windows/amd64:10.0.17763", "windows/amd64:10.0.20348"]
    assert found(pool("kubernetes.io/os In windows", AMD), **windows) == builds


def test_of_more_terms_than_are_compared_the_rest_is_not_known():
    """Bounded work: each pool has its share of comparisons, and then a node whose platform nobody knows."""
    pools = [parse_node_pool(pool(LINUX, BOTH, "zone In a")) for _ in range(20)]
    terms = [f"zone In z{number}" for number in range(MOST_COMPARED + 1)]
    for count, unknown in ((MOST_COMPARED // 20, 0), (MOST_COMPARED // 20 + 1, 20), (MOST_COMPARED + 1, 20)):
        constraints = parse_pod_spec(affinity(*([term] for term in terms[:count])))
        nodes = list(nodes_to_come(pools, constraints, Admission(constraints)))
        assert [node.platform for node in nodes] == [None] * unknown
    constraints = parse_pod_spec(affinity(*([term] for term in [*terms[:9], "zone In a"])))
    assert len(list(nodes_to_come(pools, constraints, Admission(constraints)))) == 40
