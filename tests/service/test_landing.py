"""Where pods may land: taints that pass, by the table and by settings; what a pod merely prefers; variants."""

from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images

APP = "reg.example/app:1"
ARM = {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}


@pytest.fixture
def mixed(world: World) -> World:
    """An image for amd64, a node that has it and a tainted one that has not."""
    world.registry.push("app", images.multi("linux/amd64"), "1")
    return world


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "DaemonSet"])
@pytest.mark.parametrize(
    ("taint", "prefixes", "counts"),
    [
        ("node.kubernetes.io/unschedulable=:NoSchedule", [], True),
        ("karpenter.sh/disrupted=:NoSchedule", [], True),
        ("vendor.example/starting=yes:NoSchedule", [], False),
        ("vendor.example/starting=yes:NoExecute", ["vendor.example/"], True),
        ("vendor.example/starting=yes:NoSchedule", ["other.example/", "vendor.example/start"], True),
        ("vendor.example/starting=yes:NoSchedule", ["other.example/"], False),
        ("vendor.example/starting=yes:PreferNoSchedule", [], True),
    ],
)
async def test_taints_that_pass_keep_no_node_out(
    mixed: World, kind: str, taint: str, prefixes: list[str], counts: bool
) -> None:
    mixed.settings = {"nodes": {"transientTaints": prefixes}}
    mixed.has(node("plain", "linux/amd64"), node("tainted", "linux/arm64", taints=[taint]))
    judgement = await mixed.judge(pod(APP) if kind == "Pod" else templated(kind, APP))
    found = {"plain": ["runs fits"]} | ({"tainted": ["fails no-matching-entry"]} if counts else {})
    assert outcomes(judgement) == found


async def test_what_a_pod_prefers_leaves_no_node_out(mixed: World) -> None:
    mixed.has(node("amd", "linux/amd64"), node("arm", "linux/arm64"))
    wishes: dict[str, Any] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": [{**ARM, "operator": "NotIn"}]}},
            {
                "weight": 100,
                "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["amd"]}]},
            },
        ]
    }
    plain = await mixed.judge(pod(APP))
    wishing = await mixed.judge(pod(APP, affinity={"nodeAffinity": wishes}))
    assert outcomes(wishing) == outcomes(plain) == {"amd": ["runs fits"], "arm": ["fails no-matching-entry"]}
    assert brief(wishing) == "warn partial"
    required = {"nodeSelectorTerms": [{"matchExpressions": [ARM]}]}
    both = {"nodeAffinity": {**wishes, "requiredDuringSchedulingIgnoredDuringExecution": required}}
    assert outcomes(await mixed.judge(pod(APP, affinity=both))) == {"arm": ["fails no-matching-entry"]}


@pytest.mark.parametrize(
    ("platform", "variant", "offer", "runtime", "outcome"),
    [
        ("linux/amd64", "v3", "linux/amd64/v3", "containerd://2.1.4", "runs fits"),
        ("linux/amd64", "", "linux/amd64/v3", "containerd://2.1.4", "fails no-matching-entry"),
        ("linux/amd64", "v4", "linux/amd64/v2", "containerd://2.0.5", "runs fits"),
        ("linux/amd64", "v4", "linux/amd64/v2", "containerd://2.1.4", "fails no-matching-entry"),
        ("linux/amd64", "v4", "linux/amd64/v2", "", "uncertain matchers-disagree"),
        ("linux/arm64", "v9", "linux/arm64/v8", "docker://28.5.2", "runs fits"),
        ("linux/arm64", "V8.2", "linux/arm64/v8.1", "containerd://2.0.5", "runs fits"),
        ("linux/arm64", "v8.2", "linux/arm64/v8.2", "cri-o://1.33.0", "runs fits"),
        ("linux/arm", "", "linux/arm/v7", "containerd://2.1.4", "runs fits"),
        ("linux/arm", "v6", "linux/arm/v7", "containerd://2.1.4", "fails no-matching-entry"),
        ("linux/riscv64", "", "linux/riscv64", "cri-o://1.33.0", "runs fits"),
        ("linux/ppc64le", "", "linux/ppc64le", "containerd://2.4.2", "runs fits"),
        ("linux/s390x", "", "linux/s390x", "docker://24.0.9", "runs fits"),
        ("linux/loong64", "", "linux/loong64", "containerd://2.4.2", "runs fits"),
        ("linux/loong64", "", "linux/mips64le", "containerd://2.4.2", "fails no-matching-entry"),
        ("windows/amd64:10.0.20348", "", "windows/amd64:10.0.17763.1", "containerd://2.1.4", "fails no-matching-entry"),
        ("windows/amd64:10.0.26100", "", "windows/amd64:10.0.20348.1", "containerd://2.1.4", "runs fits"),
    ],
)
async def test_a_node_takes_what_its_runtime_takes_for_its_variant(
    world: World, platform: str, variant: str, offer: str, runtime: str, outcome: str
) -> None:
    world.registry.push("app", images.multi(offer), "1")
    labels = {"podgate.dev/variant": variant} if variant else {}
    world.has(node("n1", platform, runtime, labels=labels))
    assert outcomes(await world.judge(pod(APP))) == {"n1": [outcome]}
