"""Objects read into workloads: what the API server sends and accepts, and the path to what it would not accept."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from webhook.core.errors import MalformedObject
from webhook.core.kinds import BUILT_IN, JUDGED
from webhook.core.scheduling import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Toleration
from webhook.core.workload import (
    ContainerImage,
    Workload,
    parse_pod_spec,
    parse_workload,
    what_matters,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
REVIEWS = Path(__file__).resolve().parent.parent / "admission" / "reviews"


def review(name: str, part: str = "object") -> dict[str, Any]:
    """The object (or oldObject) of a recorded review."""
    found: dict[str, Any] = json.loads((REVIEWS / f"{name}.json").read_bytes())["request"][part]
    return found


def parsed(obj: dict[str, Any]) -> Workload:
    workload = parse_workload(obj)
    assert workload is not None
    return workload


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "app", "image": "reg.example/app:1"}], **spec},
    }


def deployment(**spec: Any) -> dict[str, Any]:
    one = pod(**spec)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"metadata": one["metadata"], "spec": one["spec"]}},
    }


@pytest.mark.parametrize(
    ("name", "kind", "called", "images"),
    [
        ("CREATE-CronJob", "CronJob", "rec/nightly", ["reg.example/team/job:1"]),
        ("CREATE-DaemonSet", "DaemonSet", "rv-adm/ds", ["x/y:1"]),
        ("CREATE-Deployment", "Deployment", "rec/web", ["reg.example/team/app:1", "reg.example/team/model:1"]),
        ("CREATE-Job", "Job", "rv-adm/jdeny", ["x/y:1"]),
        ("CREATE-Pod", "Pod", "rv-adm/jdeny-ppfh2", ["x/y:1"]),
        ("CREATE-PodTemplate", "PodTemplate", "rec/tpl", ["reg.example/team/app:1"]),
        ("CREATE-ReplicaSet", "ReplicaSet", "rv-adm/dep-77f579cc69", ["x/y:1"]),
        ("CREATE-ReplicationController", "ReplicationController", "rec/old", ["reg.example/team/app:1"]),
        ("CREATE-StatefulSet", "StatefulSet", "rec/db", ["reg.example/log:1", "reg.example/team/db:1"]),
        ("UPDATE-Pod-ephemeralcontainers", "Pod", "rv-adm/warn1", ["x/y:1", "busybox"]),
    ],
)
def test_every_recorded_kind(name, kind, called, images):
    workload = parsed(review(name))
    assert workload.kind == kind
    assert f"{workload.namespace}/{workload.name}" == called
    assert [image.image for image in workload.images] == images
    assert workload.uid
    assert workload.template == (kind != "Pod")
    assert (workload.deleting, workload.mirror) == (False, False)


def test_every_judged_kind_is_recorded():
    kinds = {json.loads(path.read_bytes())["request"]["kind"]["kind"] for path in REVIEWS.glob("CREATE-*.json")}
    assert {kind for _, kind in JUDGED} == kinds - {"Binding"}


def test_owner_is_the_controlling_one():
    assert parsed(review("CREATE-Pod")).owner == ("batch/v1", "Job", "jdeny")
    assert parsed(review("CREATE-ReplicaSet")).owner is not None
    several = pod()
    several["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True},
    ]
    assert parsed(several).owner == ("apps/v1", "ReplicaSet", "r")
    several["metadata"]["ownerReferences"].pop()
    assert parsed(several).owner is None


@pytest.mark.parametrize(
    ("owner", "judged"),
    [
        (None, False),
        (("apps/v1", "Deployment", "d"), True),
        (("apps/v1beta2", "Deployment", "d"), True),
        (("v1", "ReplicationController", "r"), True),
        (("batch/v1", "CronJob", "c"), True),
        (("batch/v1", "Deployment", "d"), False),
        (("v1", "Deployment", "d"), False),
        (("example.com/v1", "Deployment", "d"), False),
        (("apps.example.com/v1", "Deployment", "d"), False),
        (("argoproj.io/v1alpha1", "Rollout", "r"), False),
        (("apps/v1", "deployment", "d"), False),
        (("", "", ""), False),
    ],
)
def test_judged_owner(owner, judged):
    assert (BUILT_IN.owner(owner) is not None) is judged


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "Service"), ("v1", "Binding"), ("v1", "List"), ("apps/v1", "Pod"), ("example.com/v1", "Job"), ("", "Job")],
)
def test_other_kinds_are_none(api_version, kind):
    assert parse_workload({"apiVersion": api_version, "kind": kind, "spec": 7}) is None


def test_images_in_the_order_of_the_pod_with_their_part():
    workload = parsed(
        pod(
            volumes=[
                {"name": "data", "emptyDir": {}},
                {"name": "model", "image": {"reference": "reg.example/model:1", "pullPolicy": "Never"}},
            ],
            ephemeralContainers=[{"name": "debug", "image": "busybox"}],
            initContainers=[
                {"name": "sidecar", "image": "reg.example/side:1", "restartPolicy": "Always"},
                {"name": "local", "image": "reg.example/local", "imagePullPolicy": "Never"},
            ],
        )
    )
    assert workload.images == (
        ContainerImage("sidecar", "reg.example/side:1", "init"),
        ContainerImage("local", "reg.example/local", "init", never_pulled=True),
        ContainerImage("app", "reg.example/app:1"),
        ContainerImage("debug", "busybox", "ephemeral"),
        ContainerImage("model", "reg.example/model:1", "volume", never_pulled=True),
    )


@pytest.mark.parametrize("blank", [{}, {"image": None}, {"image": ""}, {"image": " "}, {"image": "\t\u00a0\u3000"}])
def test_blank_images_are_passed_over_in_templates_only(blank):
    containers = [{"name": "filled-in", **blank}, {"name": "app", "image": "a"}]
    spec = {"containers": containers, "volumes": [{"name": "v", "image": {"reference": blank.get("image")}}]}
    assert [image.container for image in parsed(deployment(**spec)).images] == ["app"]
    # In a pod nothing will fill it in: the kubelet refuses it as an invalid reference, and so it has to be seen.
    assert [image.container for image in parsed(pod(**spec)).images] == ["filled-in", "app", "v"]


def test_spaces_around_an_image_are_kept():
    assert parsed(deployment(containers=[{"name": "app", "image": " a "}])).images[0].image == " a "


def test_all_constraints():
    requirement = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    name = {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}
    workload = parsed(
        pod(
            nodeName="n2",
            nodeSelector={"pool": "web"},
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [requirement], "matchFields": [name]}, {}]
                    },
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}],
                }
            },
            tolerations=[
                {"operator": "Exists"},
                {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 3},
            ],
            runtimeClassName="win",
            os={"name": "windows"},
            serviceAccountName="robot",
            imagePullSecrets=[{"name": "one"}, {"name": "two"}],
            schedulingGates=[{"name": "a/b"}],
        )
        | {"metadata": {"generateName": "web-", "namespace": "team", "labels": {"kubernetes.io/os": "windows"}}}
    )
    needs = workload.constraints
    assert (workload.name, workload.namespace) == ("web-", "team")
    assert (needs.node_name, needs.node_selector) == ("n2", {"pool": "web"})
    assert needs.affinity == NodeSelector(
        (
            NodeSelectorTerm(
                (NodeSelectorRequirement("zone", "In", ("a", "b")),),
                (NodeSelectorRequirement("metadata.name", "NotIn", ("n1",)),),
            ),
            NodeSelectorTerm(),
        )
    )
    assert needs.tolerations == (Toleration(operator="Exists"), Toleration("a", "", "b", "NoExecute"))
    assert (needs.runtime_class, needs.os_name, needs.os_label) == ("win", "windows", "windows")
    assert (needs.service_account, needs.pull_secrets, needs.gated) == ("robot", ("one", "two"), True)


def test_a_template_has_its_own_labels():
    obj = deployment()
    obj["metadata"]["labels"] = {"kubernetes.io/os": "windows"}
    assert parsed(obj).constraints.os_label is None
    obj["spec"]["template"]["metadata"] = {"labels": {"kubernetes.io/os": ""}}
    assert parsed(obj).constraints.os_label == ""


@pytest.mark.parametrize(
    ("affinity", "read"),
    [
        (None, None),
        ({}, None),
        ({"nodeAffinity": None}, None),
        ({"podAffinity": {"anything": 1}}, None),
        ({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}, NodeSelector()),
        (
            {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": None}}},
            NodeSelector(),
        ),
    ],
)
def test_no_affinity_and_one_that_matches_nothing(affinity, read):
    assert parse_pod_spec({"affinity": affinity}).affinity == read


def test_null_is_absent_wherever_the_api_server_accepts_it():
    nothing = parsed(
        pod(
            **dict.fromkeys(
                (
                    "volumes",
                    "initContainers",
                    "ephemeralContainers",
                    "nodeName",
                    "nodeSelector",
                    "affinity",
                    "tolerations",
                )
            ),
            **dict.fromkeys(("runtimeClassName", "os", "serviceAccountName", "imagePullSecrets", "schedulingGates")),
        )
        | {"metadata": dict.fromkeys(("name", "namespace", "labels", "annotations", "ownerReferences"))}
    )
    assert nothing == replace(parsed(pod()), name="")
    assert parsed({**pod(), "metadata": None}) == replace(parsed(pod()), name="")


@pytest.mark.parametrize(
    ("field", "state"),
    [
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "deleting"),
        ({"annotations": {"kubernetes.io/config.mirror": "0fc8"}}, "mirror"),
        ({"annotations": {"kubernetes.io/config.mirror": ""}}, "mirror"),  # IsMirrorPod looks for the key alone
    ],
)
def test_states_told_by_metadata(field, state):
    for obj in (pod(), deployment()):
        assert getattr(parsed(obj), state) is False
        obj["metadata"].update(field)
        assert getattr(parsed(obj), state) is True


@pytest.mark.parametrize(("own", "jobs", "suspended"), [(None, None, False), (True, None, True), (False, True, True)])
def test_suspended(own, jobs, suspended):
    template = deployment()["spec"]["template"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"suspend": own or jobs, "template": template}}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "spec": {"suspend": own, "jobTemplate": {"spec": {"suspend": jobs, "template": template}}},
    }
    assert parsed(job).suspended is suspended
    assert parsed(cron).suspended is suspended


MALFORMED: list[tuple[Any, str]] = [
    ({}, "kind"),
    ({"kind": None}, "kind"),
    ({"kind": 1}, "kind"),
    ({"kind": "Pod", "apiVersion": 1}, "apiVersion"),
    ({"kind": "Pod", "apiVersion": "v1"}, "spec"),
    ({"kind": "Pod", "apiVersion": "v1", "spec": []}, "spec"),
    ({"kind": "Pod", "apiVersion": "v1", "spec": {}}, "spec.containers"),
    (pod(containers=[]), "spec.containers"),
    (pod(containers={"name": "a"}), "spec.containers"),
    (pod(containers=["a"]), "spec.containers[0]"),
    (pod(containers=[{"name": "a", "image": 1}]), "spec.containers[0].image"),
    (pod(containers=[{"name": ["a"], "image": "b"}]), "spec.containers[0].name"),
    (pod(initContainers=[{}, {"imagePullPolicy": True}]), "spec.initContainers[1].imagePullPolicy"),
    (pod(ephemeralContainers=[{"image": {}}]), "spec.ephemeralContainers[0].image"),
    (pod(volumes=[{"image": "a"}]), "spec.volumes[0].image"),
    (pod(volumes=[{"image": {"reference": 1}}]), "spec.volumes[0].image.reference"),
    (pod(nodeSelector={"a": 1}), "spec.nodeSelector[a]"),
    (pod(nodeSelector={1: "a"}), "spec.nodeSelector"),
    (pod(nodeSelector=[]), "spec.nodeSelector"),
    (pod(nodeName=7), "spec.nodeName"),
    (pod(affinity=[]), "spec.affinity"),
    (pod(affinity={"nodeAffinity": ""}), "spec.affinity.nodeAffinity"),
    (pod(tolerations=[{"value": True}]), "spec.tolerations[0].value"),
    (pod(tolerations="all"), "spec.tolerations"),
    (pod(os="linux"), "spec.os"),
    (pod(imagePullSecrets=["a"]), "spec.imagePullSecrets[0]"),
    (pod(imagePullSecrets=[{"name": 1}]), "spec.imagePullSecrets[0].name"),
    (pod(schedulingGates=[1]), "spec.schedulingGates[0]"),
    (pod() | {"metadata": []}, "metadata"),
    (pod() | {"metadata": {"name": 1}}, "metadata.name"),
    (pod() | {"metadata": {"deletionTimestamp": 1}}, "metadata.deletionTimestamp"),
    (pod() | {"metadata": {"ownerReferences": [{"controller": "true"}]}}, "metadata.ownerReferences[0].controller"),
    (pod() | {"metadata": {"labels": {"a": []}}}, "metadata.labels[a]"),
    (deployment() | {"spec": {}}, "spec.template"),
    (deployment() | {"spec": {"template": {}}}, "spec.template.spec"),
    (deployment(containers=[{"name": "a", "image": 1}]), "spec.template.spec.containers[0].image"),
    ({"kind": "PodTemplate", "apiVersion": "v1"}, "template"),
    ({"kind": "CronJob", "apiVersion": "batch/v1", "spec": {"jobTemplate": {}}}, "spec.jobTemplate.spec"),
    ({"kind": "CronJob", "apiVersion": "batch/v1", "spec": {"suspend": 1}}, "spec.suspend"),
    (
        pod(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["a", 8]}]}]}}}),
        f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values[1]",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "path"), MALFORMED)
def test_malformed_objects_say_where(obj, path):
    with pytest.raises(MalformedObject) as caught:
        parse_workload(obj)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_the_problem_is_said_in_words():
    with pytest.raises(MalformedObject, match=r"^spec\.containers\[0\]\.image: must be a string, not a number$"):
        parse_workload(pod(containers=[{"name": "a", "image": 1}]))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("UPDATE-Deployment", False),  # another image
        ("UPDATE-Job", False),  # a nodeSelector, while suspended
        ("UPDATE-Pod", True),  # a label
        ("UPDATE-ReplicaSet", True),  # replicas
        ("UPDATE-Pod-ephemeralcontainers", False),
    ],
)
def test_what_matters_in_recorded_updates(name, same):
    new, old = parsed(review(name)), parsed(review(name, "oldObject"))
    assert (what_matters(new) == what_matters(old)) is same


MATTERS: list[dict[str, Any]] = [
    {"containers": [{"name": "app", "image": "reg.example/app:2"}]},
    {"containers": [{"name": "app", "image": "reg.example/app:1", "imagePullPolicy": "Never"}]},
    {"initContainers": [{"name": "i", "image": "i"}]},
    {"ephemeralContainers": [{"name": "e", "image": "e"}]},
    {"volumes": [{"name": "v", "image": {"reference": "v"}}]},
    {"nodeName": "n1"},
    {"nodeSelector": {"a": "b"}},
    {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}},
    {"tolerations": [{"operator": "Exists"}]},
    {"runtimeClassName": "win"},
    {"os": {"name": "linux"}},
    {"imagePullSecrets": [{"name": "s"}]},
    {"serviceAccountName": "s"},
]
MATTERS_NOT: list[dict[str, Any]] = [
    {"containers": [{"name": "app", "image": "reg.example/app:1", "command": ["a"], "resources": {}}]},
    {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}, "podAntiAffinity": {}}},
    {"schedulingGates": [{"name": "a/b"}]},
    {"activeDeadlineSeconds": 3, "hostNetwork": True},
    {"nodeSelector": {}, "tolerations": []},
]


@pytest.mark.parametrize("make", [pod, deployment])
@pytest.mark.parametrize(("spec", "same"), [*((one, False) for one in MATTERS), *((one, True) for one in MATTERS_NOT)])
def test_what_matters(make, spec, same):
    assert (what_matters(parsed(make(**spec))) == what_matters(parsed(make()))) is same


def test_metadata_and_the_way_it_was_written_do_not_matter():
    before = parsed(pod(nodeSelector={"a": "1", "b": "2"}))
    obj = pod(nodeSelector={"b": "2", "a": "1"})
    obj["metadata"] |= {"labels": {"x": "y"}, "annotations": {"x": "y"}, "finalizers": ["x"], "resourceVersion": "2"}
    assert what_matters(parsed(obj)) == what_matters(before)
    assert hash(what_matters(before)) == hash(what_matters(parsed(copy.deepcopy(obj))))
