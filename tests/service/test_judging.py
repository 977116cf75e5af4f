"""What is judged and what follows: the table of the design's section 5, end to end."""

import copy
from typing import Any

import pytest

from tests.service.conftest import World, brief, node, outcomes, pod, templated
from tests.support import images
from tests.support.registry import Fault

AMD, ARM = node("amd", "linux/amd64"), node("arm", "linux/arm64")
ODD = node("odd", "")
ON_ARM: dict[str, Any] = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
KINDS = [
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ReplicationController",
    "PodTemplate",
]
IMAGE = "reg.example/amd:1"


@pytest.fixture
def shop(world: World) -> World:
    """A registry with amd:1, arm:1, both:1 (indexes), and down:1, which cannot be had."""
    world.registry.push("amd", images.multi("linux/amd64"), "1")
    world.registry.push("arm", images.multi("linux/arm64"), "1")
    world.registry.push("both", images.multi("linux/amd64", "linux/arm64"), "1")
    world.registry.faults.append(Fault(at="/v2/down/*", status=503))
    return world


TABLE = [
    # nodes, images, decision and reason for a pod, and for a DaemonSet
    ([AMD, ARM], ["both"], "allow match", "allow match"),
    ([AMD], ["amd"], "allow match", "allow match"),
    ([AMD, ODD], ["amd"], "allow match", "allow match"),
    ([AMD, ARM], ["amd"], "warn partial", "deny mismatch"),
    ([AMD, ARM, ODD], ["amd"], "warn partial", "deny mismatch"),
    ([AMD, ARM], ["both", "amd"], "warn partial", "deny mismatch"),
    ([ARM], ["amd"], "deny mismatch", "deny mismatch"),
    ([ARM], ["down", "amd"], "deny mismatch", "deny mismatch"),
    ([AMD, ARM], ["amd", "arm"], "deny mismatch", "deny mismatch"),
    ([AMD, ARM], ["down"], "warn undetermined", "warn undetermined"),
    ([AMD, ARM], ["down", "amd"], "warn undetermined", "warn undetermined"),
    ([ARM, ODD], ["amd"], "warn undetermined", "warn undetermined"),
    ([ODD], ["amd"], "warn undetermined", "warn undetermined"),
    ([], ["amd"], "warn no-candidates", "warn no-candidates"),
]


@pytest.mark.parametrize(("nodes", "names", "for_pod", "for_daemon_set"), TABLE)
async def test_the_table(
    shop: World, nodes: list[dict[str, Any]], names: list[str], for_pod: str, for_daemon_set: str
) -> None:
    shop.has(*nodes)
    references = [f"reg.example/{name}:1" for name in names]
    for obj, expected in ((pod(*references), for_pod), (templated("DaemonSet", *references), for_daemon_set)):
        judgement = await shop.judge(obj)
        assert brief(judgement) == expected
        assert bool(judgement.messages) is not expected.startswith("allow")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_judged_by_its_template(shop: World, kind: str) -> None:
    shop.has(AMD, ARM)
    judgement = await shop.judge(templated(kind, IMAGE, **ON_ARM))
    assert brief(judgement) == "deny mismatch"
    assert outcomes(judgement) == {"arm": ["fails no-matching-entry"]}
    assert judgement.messages[0].startswith(f"{kind} web cannot run on the only node it ")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_judged_kind_owns_is_skipped_and_what_another_owns_is_not(shop: World, kind: str) -> None:
    shop.has(ARM)

    def owned(api_version: str, owner: str, *, controller: bool = True) -> dict[str, Any]:
        reference = {"apiVersion": api_version, "kind": owner, "name": "x", "uid": "u", "controller": controller}
        return templated(kind, IMAGE, metadata={"ownerReferences": [reference]})

    assert brief(await shop.judge(owned("apps/v1", "Deployment"))) == "allow skipped"
    assert shop.registry.log == []
    assert brief(await shop.judge(owned("argoproj.io/v1alpha1", "Rollout"))) == "deny mismatch"
    assert brief(await shop.judge(owned("apps/v1", "Deployment", controller=False))) == "deny mismatch"


async def test_pods_are_never_skipped_for_an_owner_that_anybody_can_name(shop: World) -> None:
    shop.has(ARM)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "u", "controller": True}
    assert brief(await shop.judge(pod(IMAGE, metadata={"ownerReferences": [owner]}))) == "deny mismatch"


async def test_a_pod_of_a_daemon_set_is_warned_of(shop: World) -> None:
    shop.has(ARM)
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}
    judgement = await shop.judge(pod(IMAGE, metadata={"ownerReferences": [owner]}))
    assert (brief(judgement), judgement.wanted) == ("warn mismatch", "warn")


PASSED_OVER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (pod(IMAGE, metadata={"namespace": "kube-system"}), {}),
    (pod(IMAGE, metadata={"namespace": "infra-dns"}), {}),
    (pod(IMAGE, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {}),
    (templated("Deployment", IMAGE, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {}),
    (pod(IMAGE), {"mirror": True}),
    (pod(IMAGE), {"old": pod(IMAGE, metadata={"labels": {"a": "b"}})}),
    (pod(IMAGE, metadata={"namespace": "quiet"}), {}),
]


@pytest.mark.parametrize(("obj", "more"), PASSED_OVER)
async def test_what_is_passed_over_asks_nobody(shop: World, obj: dict[str, Any], more: dict[str, Any]) -> None:
    shop.settings = {"exempt": {"namespaces": ["kube-system", "infra-*"]}}
    quiet = {"metadata": {"name": "quiet", "labels": {"podgate.dev/mode": "off"}}}
    shop.has(ARM, {"apiVersion": "v1", "kind": "Namespace", **quiet})
    judgement = await shop.judge(obj, **more)
    assert (brief(judgement), judgement.messages, judgement.nodes) == ("allow skipped", (), ())
    assert shop.registry.log == []


async def test_a_template_is_no_static_pod_whatever_is_annotated(shop: World) -> None:
    shop.has(ARM)
    assert brief(await shop.judge(templated("Deployment", IMAGE), mirror=True)) == "deny mismatch"


CHANGES: list[dict[str, Any]] = [
    {"containers": [{"name": "a", "image": "reg.example/arm:1"}]},
    {"ephemeralContainers": [{"name": "debug", "image": "reg.example/arm:1"}]},
    {"nodeSelector": {"pool": "x"}},
    {"tolerations": [{"operator": "Exists"}]},
    {"nodeName": "amd"},
    {"runtimeClassName": "gvisor"},
    {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}},
]


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(change)) for change in CHANGES])
async def test_an_update_of_what_matters_is_judged_anew(shop: World, change: dict[str, Any]) -> None:
    shop.has(ARM)
    old = pod(IMAGE)
    old["spec"] |= change
    assert brief(await shop.judge(pod(IMAGE), old=old)) == "deny mismatch"


@pytest.mark.parametrize(
    ("mode", "label", "trust", "decision", "shown"),
    [
        ("deny", None, "any", "deny", True),
        ("deny", "warn", "any", "warn", True),
        ("deny", "audit", "any", "allow", True),
        ("deny", "off", "any", "allow", False),
        ("deny", "off", "stricter", "deny", True),
        ("deny", "off", "ignored", "deny", True),
        ("warn", "deny", "any", "deny", True),
        ("warn", "deny", "stricter", "deny", True),
        ("warn", "deny", "ignored", "warn", True),
        ("off", "deny", "any", "deny", True),
        ("warn", "nonsense", "any", "warn", True),
    ],
)
async def test_the_mode(shop: World, mode: str, label: str | None, trust: str, decision: str, shown: bool) -> None:
    shop.settings = {"mode": mode, "namespaceLabel": trust}
    labels = {"podgate.dev/mode": label} if label else {}
    shop.has(ARM, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": labels}})
    judgement = await shop.judge(pod(IMAGE))
    assert judgement.decision == decision
    assert judgement.reason == ("mismatch" if shown else "skipped")
    assert judgement.wanted == ("deny" if shown else "allow")
    assert bool(judgement.messages) is shown
    if decision == "deny":
        assert "\n" in judgement.messages[0]
    assert decision == "deny" or not any("\n" in text for text in judgement.messages)


async def test_gated_pods_and_suspended_jobs_are_denied_where_they_fail_everywhere_and_partial_is_silent(
    shop: World,
) -> None:
    shop.has(AMD, ARM)
    gates: dict[str, Any] = {"schedulingGates": [{"name": "example.com/later"}]}
    suspended, pinned = templated("Job", IMAGE), templated("Job", IMAGE, **ON_ARM)
    for job in (suspended, pinned):
        job["spec"]["suspend"] = True
    for partial in (pod(IMAGE, **gates), suspended):
        judgement = await shop.judge(partial)
        assert (brief(judgement), judgement.messages) == ("allow partial", ())
    for mismatch in (pod(IMAGE, **gates, **ON_ARM), pinned):
        assert brief(await shop.judge(mismatch)) == "deny mismatch"


async def test_all_image_lists_count_and_volumes_only_for_their_index(shop: World) -> None:
    shop.has(ARM)
    shop.registry.push("model", images.single("linux/amd64"), "1")
    volumes = [
        {"name": "single", "image": {"reference": "reg.example/model:1"}},
        {"name": "index", "image": {"reference": IMAGE}},
    ]
    obj = pod(
        "reg.example/both:1",
        initContainers=[{"name": "init", "image": IMAGE}],
        ephemeralContainers=[{"name": "debug", "image": "reg.example/arm:1"}],
        volumes=volumes,
    )
    judgement = await shop.judge(obj)
    assert [image.container for image in judgement.images] == ["init", "a", "debug", "single", "index"]
    refused = "fails no-matching-entry"
    assert outcomes(judgement) == {"arm": [refused, "runs fits", "runs fits", "runs fits", refused]}
    assert 'init container "init"' in judgement.messages[0]


async def test_exempt_images_run_everywhere_by_their_normalised_name(shop: World) -> None:
    shop.has(ARM, ODD)
    shop.settings = {"exempt": {"images": ["docker.io/library/*", "reg.example/infra/*"]}}
    judgement = await shop.judge(pod("busybox", "reg.example/infra/deep/agent:1"))
    assert brief(judgement) == "allow match"
    assert outcomes(judgement) == {"arm": ["runs exempt"] * 2, "odd": ["runs exempt"] * 2}
    assert shop.registry.log == []


async def test_a_short_name_is_uncertain_on_cri_o_alone(shop: World) -> None:
    shop.serve_as("docker.io")
    shop.registry.push("library/app", images.multi("linux/amd64"), "1")
    shop.has(AMD, node("crio", "linux/amd64", "cri-o://1.32.0"))
    assert outcomes(await shop.judge(pod("app:1"))) == {"amd": ["runs fits"], "crio": ["uncertain short-name"]}
    qualified = await shop.judge(pod("docker.io/library/app:1"))
    assert outcomes(qualified) == {"amd": ["runs fits"], "crio": ["runs fits"]}


async def test_a_pod_for_another_os_is_refused_by_the_kubelet(shop: World) -> None:
    shop.has(AMD)
    for obj in (
        pod(IMAGE, os={"name": "windows"}),
        pod(IMAGE, metadata={"labels": {"kubernetes.io/os": "windows"}}),
    ):
        judgement = await shop.judge(obj)
        assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"amd": ["fails refused-by-kubelet"]})
    assert shop.registry.log == []


async def test_a_bound_pod_is_judged_on_its_node_alone(shop: World) -> None:
    shop.has(AMD, node("arm", "linux/arm64", taints=["dedicated=x:NoSchedule"]))
    assert outcomes(await shop.judge(pod(IMAGE, nodeName="arm"))) == {"arm": ["fails no-matching-entry"]}
    assert brief(await shop.judge(pod(IMAGE, nodeName="amd"))) == "allow match"
    unknown = await shop.judge(pod(IMAGE, nodeName="gone", **ON_ARM))
    assert brief(unknown) == "warn no-candidates"
    assert "there is no node gone that takes it" in unknown.messages[0]
    refused = await shop.judge(pod(IMAGE, nodeName="arm", nodeSelector={"pool": "a"}))  # by the kubelet: NodeAffinity
    assert brief(refused) == "warn no-candidates"
    assert "there is no node arm that takes it" in refused.messages[0]


async def test_what_a_node_was_when_a_pod_came_to_it_plays_no_part_in_updates(shop: World) -> None:
    shop.has(AMD, node("arm", "linux/arm64", taints=["dedicated=x:NoExecute"]))
    old = pod("reg.example/both:1", nodeName="arm", nodeSelector={"pool": "that it was in"})
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = [{"name": "debug", "image": IMAGE}]
    judgement = await shop.judge(new, old=old)
    assert (brief(judgement), outcomes(judgement)) == (
        "deny mismatch",
        {"arm": ["runs fits", "fails no-matching-entry"]},
    )
    template = await shop.judge(
        templated("Deployment", IMAGE, nodeName="arm", nodeSelector={"pool": "a"}),
        old=templated("Deployment", "reg.example/both:1", nodeName="arm", nodeSelector={"pool": "a"}),
    )
    assert brief(template) == "warn no-candidates"


async def test_demanded_platforms_and_declared_shapes_stand_in_for_nodes(shop: World) -> None:
    shop.has(AMD)
    judgement = await shop.judge(pod(IMAGE, **ON_ARM))
    assert (brief(judgement), outcomes(judgement)) == ("deny mismatch", {"None": ["fails no-matching-entry"]})
    assert brief(await shop.judge(pod(IMAGE, nodeSelector={"pool": "later"}))) == "warn no-candidates"
    shop.settings = {"nodes": {"declared": [{"platform": "linux/arm64", "labels": {"pool": "later"}}]}}
    assert brief(await shop.judge(pod(IMAGE, nodeSelector={"pool": "later"}))) == "deny mismatch"


async def test_a_daemon_set_reaches_what_its_controller_lets_it_reach(shop: World) -> None:
    shop.has(AMD, node("arm", "linux/arm64", taints=["node.kubernetes.io/unschedulable=:NoSchedule"]))
    judgement = await shop.judge(templated("DaemonSet", IMAGE))
    assert (brief(judgement), set(outcomes(judgement))) == ("deny mismatch", {"amd", "arm"})
    text = judgement.messages[0].replace("\n  ", " ")
    assert "cannot run on 1 of the 2 nodes it is to run on" in text
    assert "add nodeSelector kubernetes.io/arch: amd64, or build the image for linux/arm64 too." in text


async def test_advice_for_several_terms_says_that_each_needs_it(shop: World) -> None:
    shop.has(
        node("a", "linux/amd64", labels={"pool": "x"}),
        node("b", "linux/s390x", labels={"pool": "y"}),
        node("c", "linux/arm64", labels={"pool": "x"}),
    )
    shop.registry.push("two", images.multi("linux/amd64", "linux/s390x"), "1")
    terms = [{"matchExpressions": [{"key": "pool", "operator": "In", "values": [pool]}]} for pool in "xy"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    judgement = await shop.judge(pod("reg.example/two:1", affinity={"nodeAffinity": required}))
    assert brief(judgement) == "warn partial"
    assert judgement.messages[0].endswith(
        "; add required node affinity kubernetes.io/arch In [amd64, s390x] in every term"
    )
