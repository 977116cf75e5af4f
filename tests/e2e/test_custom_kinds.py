"""Custom kinds with a real API server: CRDs of two versions, the rule and the settings of docs/custom-kinds.md."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import NAME, Podgate, podgate_settings, point_at, wait_until_called
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

Json = dict[str, Any]
ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
KINDS = [
    {"group": "argoproj.io", "resource": "rollouts", "podTemplate": ".spec.template"},
    {"group": "keda.sh", "resource": "scaledjobs", "podTemplate": ".spec.jobTargetRef.template"},
]
RULES = [
    {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": [resource],
        "operations": ["CREATE", "UPDATE"],
        "scope": "Namespaced",
    }
    for group, resource in (("argoproj.io", "rollouts"), ("keda.sh", "scaledjobs"))
]


def crd(group: str, kind: str, *versions: str) -> Json:
    """A kind whose schema takes anything."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    plural = f"{kind.lower()}s"
    served = [
        {"name": version, "served": True, "storage": version == versions[0], "schema": schema} for version in versions
    ]
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": served},
    }


CRDS = [crd("argoproj.io", "Rollout", "v1alpha1", "v1beta1"), crd("keda.sh", "ScaledJob", "v1alpha1")]


@pytest.fixture(scope="module")
def crds(cluster: Cluster) -> Iterator[None]:
    """The kinds, as far as an API server knows of them; nobody acts on their objects."""
    names = [f"crd/{one['metadata']['name']}" for one in CRDS]
    for one in CRDS:
        cluster.must("create", "-f", "-", stdin=one)
    try:
        cluster.must("wait", "--for=condition=Established", *names, "--timeout=30s")
        yield
    finally:
        cluster.must("delete", *names)


@pytest.fixture(scope="module")
def judging(
    cluster: Cluster, podgate: Podgate, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Podgate]:
    """A podgate whose settings name the kinds, called by a webhook that has their rules."""
    own = Podgate(cluster, tmp_path_factory.mktemp("kinds"), podgate_settings(kinds=KINDS))
    (webhook,) = cluster.get("validatingwebhookconfiguration", NAME)["webhooks"]
    own.start()
    try:
        set_rules(cluster, [*webhook["rules"], *RULES])
        point_at(cluster, own.port, own.ca)
        probe = rollout("podgate-e2e-kinds", template("Not/Valid"))

        def called() -> bool:
            cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=probe)
            return own.decisions(kind="Rollout") > 0

        wait_until("the API server to send Rollouts", called, 30, own.processes)
        yield own
    finally:
        set_rules(cluster, webhook["rules"])
        point_at(cluster, podgate.port, podgate.ca)
        wait_until_called(cluster)
        own.kill()


def set_rules(cluster: Cluster, rules: list[Json]) -> None:
    patch = json.dumps([{"op": "replace", "path": "/webhooks/0/rules", "value": rules}])
    cluster.must("patch", "validatingwebhookconfiguration", NAME, "--type=json", "-p", patch)


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An image for amd64 alone."""
    registry.push("custom/app", images.multi("linux/amd64"), "1")
    return f"{registry.host}/custom/app:1"


@pytest.fixture(scope="module")
def both(registry: Registry) -> str:
    """An image for both platforms."""
    registry.push("custom/app", images.multi("linux/amd64", "linux/arm64"), "2")
    return f"{registry.host}/custom/app:2"


@pytest.fixture
def namespace(cluster: Cluster, judging: Podgate) -> Iterator[str]:
    with cluster.namespace("custom") as name:
        yield name


def rollout(name: str, template: Any, version: str = "v1alpha1", **spec: Any) -> Json:
    spec = {"replicas": 2, **({} if template is None else {"template": template}), **spec}
    return {"apiVersion": f"argoproj.io/{version}", "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


def template(image: str, **spec: Any) -> Json:
    return {"spec": {"containers": [{"name": "app", "image": image}], **spec}}


def create(cluster: Cluster, namespace: str, obj: Json) -> Verdict:
    return verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=obj))


def patch(cluster: Cluster, namespace: str, what: str, change: Json) -> Verdict:
    return verdict(cluster.kubectl("patch", what, "-n", namespace, "--type=merge", "-p", json.dumps(change)))


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_they_are_judged_in_every_version(cluster: Cluster, namespace: str, amd_only: str, both: str, version: str):
    denied = create(cluster, namespace, rollout("wrong", template(amd_only, **ARM), version))
    assert denied.decision == "deny"
    assert "Rollout wrong cannot run on the only node it may be scheduled to." in denied.text
    warned = create(cluster, namespace, rollout("partly", template(amd_only), version))
    assert warned.decision == "warn"
    assert "add nodeSelector kubernetes.io/arch: amd64" in warned.text
    assert create(cluster, namespace, rollout("right", template(both), version)).decision == "allow"


def test_a_template_that_lies_deep_is_found(cluster: Cluster, namespace: str, amd_only: str):
    job = {"jobTargetRef": {"parallelism": 1, "template": template(amd_only, restartPolicy="Never", **ARM)}}
    made = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": "work"}, "spec": job}
    denied = create(cluster, namespace, made)
    assert denied.decision == "deny"
    assert "ScaledJob work" in denied.text


def test_what_has_no_template_or_one_that_is_none_is_let_through(cluster: Cluster, namespace: str, judging: Podgate):
    refers = rollout("refers", None, workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    assert create(cluster, namespace, refers).decision == "allow"
    assert [line["reason"] for line in judging.decided(namespace, "refers")] == ["skipped"]
    odd = create(cluster, namespace, rollout("odd", {"spec": {"containers": "none"}}))
    assert odd.decision == "warn"
    assert "spec.template.spec.containers: must be a list, not a string" in odd.text


def test_updates_are_judged_where_they_change_what_a_node_sees(
    cluster: Cluster, namespace: str, judging: Podgate, amd_only: str, both: str
):
    assert create(cluster, namespace, rollout("web", template(both, **ARM))).decision == "allow"

    def reasons() -> list[str]:
        return [line["reason"] for line in judging.decided(namespace, "web")]

    assert patch(cluster, namespace, "rollout/web", {"metadata": {"labels": {"a": "b"}}}).decision == "allow"
    assert reasons() == ["match"]  # it has not even reached podgate
    assert patch(cluster, namespace, "rollout/web", {"spec": {"replicas": 5}}).decision == "allow"
    assert reasons() == ["match", "skipped"]
    wrong = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": amd_only}]}}}}
    assert patch(cluster, namespace, "rollout/web", wrong).decision == "deny"
    assert reasons() == ["match", "skipped", "mismatch"]


def test_what_they_own_is_skipped(cluster: Cluster, namespace: str, judging: Podgate, amd_only: str):
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u-1", "controller": True}
    owned = workload("ReplicaSet", "of-web", amd_only, **ARM)
    owned["metadata"]["ownerReferences"] = [owner]
    result = cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=owned)
    assert verdict(result).decision == "allow"
    assert [line["reason"] for line in judging.decided(namespace, "of-web")] == ["skipped"]
