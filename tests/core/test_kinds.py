"""Kinds: those of Kubernetes, those of settings, and how objects of the latter are read."""

from typing import Any

import pytest

from webhook.core.errors import MalformedObject
from webhook.core.kinds import BUILT_IN, JUDGED, FurtherKind, Kinds, parse_way, plural_of
from webhook.core.workload import PodConstraints, Workload, parse_workload, what_matters

ROLLOUTS = FurtherKind("argoproj.io", "rollouts", ("spec", "template"))
DAEMONS = FurtherKind("apps.kruise.io", "daemonsets", ("spec", "template"), every_node=True)
DEEP = FurtherKind("example.io", "things", ("spec", "run", "of"), kind="Thingy")
KINDS = Kinds([ROLLOUTS, DAEMONS, DEEP])

POD = {"containers": [{"name": "app", "image": "reg.example/app:1"}], "nodeSelector": {"a": "b"}}


def rollout(template: Any, **metadata: Any) -> dict[str, Any]:
    spec = {} if template is None else {"template": template}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "team", **metadata},
        "spec": {"replicas": 2, **spec},
    }


def parsed(obj: dict[str, Any], resource: str = "") -> Workload:
    workload = parse_workload(obj, KINDS, resource)
    assert workload is not None
    return workload


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("Rollout", "rollouts"),
        ("CloneSet", "clonesets"),
        ("NetworkPolicy", "networkpolicies"),
        ("IngressClass", "ingressclasses"),
        ("Endpoints", "endpoints"),
        ("MyEndpoints", "myendpoints"),
        ("Gateway", "gatewaies"),  # what a CRD calls gateways: its kind has to be named
        ("", "s"),
    ],
)
def test_the_plural_of_a_kind_is_guessed_as_kubernetes_does(kind: str, plural: str):
    assert plural_of(kind) == plural


def test_a_way_is_the_names_of_fields():
    assert parse_way(".spec.jobTargetRef.template") == ("spec", "jobTargetRef", "template")


@pytest.mark.parametrize(
    ("api_version", "kind", "resource", "further"),
    [
        ("argoproj.io/v1alpha1", "Rollout", "", ROLLOUTS),
        ("argoproj.io/v2", "Rollout", "rollouts", ROLLOUTS),
        ("argoproj.io/v1alpha1", "Rollout", "renamed", ROLLOUTS),
        ("argoproj.io/v1alpha1", "Ausrollung", "rollouts", ROLLOUTS),  # the API server's word for the plural counts
        ("argoproj.io/v1alpha1", "Ausrollung", "", None),
        ("argoproj.io/v1alpha1", "rollouts", "", None),
        ("argoproj.io/v1alpha1", "Workflow", "workflows", None),
        ("v1", "Rollout", "", None),
        ("example.argoproj.io/v1", "Rollout", "", None),
        ("apps.kruise.io/v1alpha1", "DaemonSet", "", DAEMONS),
        ("example.io/v1", "Thingy", "", DEEP),
        ("example.io/v1", "Thing", "", DEEP),
    ],
)
def test_a_further_kind_is_found_by_group_and_name_in_any_version(
    api_version: str, kind: str, resource: str, further: FurtherKind | None
):
    found = KINDS.find(api_version, kind, resource)
    assert (found.way if found else None) == (further.way if further else None)
    assert found is None or (found.further, found.every_node) == (True, further is DAEMONS)
    assert BUILT_IN.find(api_version, kind, resource) is None


def test_kubernetes_own_kinds_stay_as_they_are():
    for (group, kind), way in JUDGED.items():
        found = KINDS.find(f"{group}/v1" if group else "v1", kind)
        assert found is not None
        assert (found.way, found.further, found.every_node) == (way, False, kind == "DaemonSet")


def test_a_template_is_read_like_a_deployments():
    deployment = parse_workload(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {"spec": POD}}}
    )
    assert deployment is not None
    found = parsed(rollout({"spec": POD}))
    assert (found.images, found.constraints) == (deployment.images, deployment.constraints)
    assert (found.kind, found.namespace, found.name) == ("Rollout", "team", "shop")
    assert (found.template, found.has_template, found.every_node) == (True, True, False)
    thing = {"apiVersion": "example.io/v1", "kind": "Thingy", "spec": {"run": {"of": {"spec": POD}}}}
    assert parsed(thing).images == deployment.images


@pytest.mark.parametrize(
    "template",
    [
        None,
        {},
        {"metadata": {"labels": {"a": "b"}}},
        {"spec": None},
        {"spec": {}},
        {"spec": {"containers": []}},
        {"spec": {"containers": None, "initContainers": [{"image": "reg.example/app:1"}]}},
    ],
)
def test_where_there_is_no_pod_there_is_nothing_to_judge(template: Any):
    found = parsed(rollout(template))
    assert (found.has_template, found.images, found.constraints) == (False, (), PodConstraints())
    # Once there is a pod, an update has changed what matters.
    assert what_matters(found) != what_matters(parsed(rollout({"spec": POD})))


def test_without_a_spec_at_all_too():
    assert not parsed({"apiVersion": "argoproj.io/v1", "kind": "Rollout"}).has_template
    assert not parsed({"apiVersion": "example.io/v1", "kind": "Thingy", "spec": {"run": {}}}).has_template


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("text", "spec.template"),
        ([{"spec": POD}], "spec.template"),
        ({"spec": "text"}, "spec.template.spec"),
        ({"spec": {"containers": {}}}, "spec.template.spec.containers"),
        ({"spec": {"containers": ["app"]}}, "spec.template.spec.containers[0]"),
        ({"spec": {"containers": [{"image": 7}]}}, "spec.template.spec.containers[0].image"),
        ({"spec": {**POD, "nodeSelector": {"a": 1}}}, "spec.template.spec.nodeSelector[a]"),
    ],
)
def test_what_is_no_pod_template_says_where(template: Any, path: str):
    with pytest.raises(MalformedObject) as caught:
        parsed(rollout(template))
    assert caught.value.path == path


def owned(api_version: str, kind: str) -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": "o", "uid": "u", "controller": True}]}


@pytest.mark.parametrize(
    ("api_version", "kind", "every_node"),
    [
        ("apps.kruise.io/v1alpha1", "DaemonSet", True),
        ("apps.kruise.io/v1beta1", "DaemonSet", True),
        ("apps/v1", "DaemonSet", True),
        ("argoproj.io/v1alpha1", "Rollout", False),
        ("example.com/v1", "DaemonSet", False),
    ],
)
def test_the_pods_of_what_works_like_a_daemon_set_are_known(api_version: str, kind: str, every_node: bool):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": owned(api_version, kind), "spec": POD}
    assert parsed(pod).every_node is every_node


def test_a_judged_owner_of_a_further_kind():
    replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": {"spec": POD}}}
    found = parsed({**replica_set, "metadata": owned("argoproj.io/v1alpha1", "Rollout")})
    assert KINDS.owner(found.owner) is not None
    assert BUILT_IN.owner(found.owner) is None


def test_a_kind_that_is_called_pod_elsewhere_has_a_template():
    kinds = Kinds([FurtherKind("example.io", "pods", ("spec", "template"))])
    found = parse_workload({"apiVersion": "example.io/v1", "kind": "Pod", "spec": {"template": {"spec": POD}}}, kinds)
    assert found is not None
    assert found.template
