"""What the ClusterRole of manifests/ allows is what podgate needs: all of it, and nothing else."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import MANIFESTS, NAME, Podgate, pod, podgate_settings
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str


def rights() -> list[Right]:
    """Those of the ClusterRole, one by one, but for what concerns the certificate (test_self_managed has that)."""
    documents = yaml.safe_load_all((MANIFESTS / "rbac.yaml").read_text())
    (role,) = (document for document in documents if document["kind"] == "ClusterRole")
    return [
        Right(group, resource, verb)
        for rule in role["rules"]
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


RIGHTS = rights()
OPTIONAL = [right for right in RIGHTS if right.resource == "nodepools"]
"""What is none where it may not be read, and where, as here, the API is not served."""
APART = {Right("", "namespaces", "get"), *OPTIONAL}
"""Those that test_podgate_rights_apart.py is about."""
FOLLOWED = [right for right in RIGHTS if right.verb in ("list", "watch") and right not in OPTIONAL]
READ = ("secrets", "serviceaccounts", "runtimeclasses")
WRITTEN = Right("", "events", "create")


def test_every_right_has_its_test():
    assert {right.resource for right in FOLLOWED} == {"nodes", "namespaces"}
    assert {right.verb for right in OPTIONAL} == {"list", "watch"}
    rest = {right for right in RIGHTS if right not in FOLLOWED and right not in OPTIONAL}
    assert {(right.resource, right.verb) for right in rest - APART - {WRITTEN}} == {(each, "get") for each in READ}
    assert {WRITTEN, *APART} <= set(RIGHTS)


@pytest.fixture
def role(cluster: Cluster) -> Iterator[None]:
    """Puts the ClusterRole right again."""
    yield
    cluster.must("apply", "-f", MANIFESTS / "rbac.yaml")
    for right in RIGHTS:
        if right not in OPTIONAL:  # of a resource that is not there kubectl does not know the group
            wait_for_right(cluster, right, allowed=True)


@pytest.fixture(scope="module")
def private_image(private_registry: Registry) -> str:
    """An image for amd64 that wants a login."""
    private_registry.push("rights/app", images.multi("linux/amd64"), "1.0")
    return f"{private_registry.host}/rights/app:1.0"


@pytest.fixture
def arm_class(cluster: Cluster) -> Iterator[str]:
    """A RuntimeClass whose pods go to arm64 nodes, and which podgate has not read before."""
    name = f"arm-{secrets.token_hex(4)}"
    scheduling = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    body = {"metadata": {"name": name}, "handler": "none", "scheduling": scheduling}
    cluster.must("create", "-f", "-", stdin={"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", **body})
    yield name
    cluster.must("delete", "runtimeclass", name)


def take(cluster: Cluster, *taken: Right) -> None:
    """Takes rights from podgate's ClusterRole."""
    rules = [
        {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
        for right in RIGHTS
        if right not in taken
    ]
    patch = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    cluster.must("patch", "clusterrole", NAME, "--type=json", "-p", patch)
    for right in taken:
        wait_for_right(cluster, right, allowed=False)


def wait_for_right(cluster: Cluster, right: Right, *, allowed: bool) -> None:
    """Waits until the authorizer, which sees a change after a moment, has seen it."""
    resource = f"{right.resource}.{right.group}" if right.group else right.resource
    words = ("auth", "can-i", right.verb, resource, "--all-namespaces", f"--as=system:serviceaccount:{NAME}:{NAME}")
    wait_until(f"{right} to be {allowed}", lambda: (cluster.kubectl(*words).code == 0) == allowed, 30)


def with_secret(cluster: Cluster, namespace: str, registry: Registry) -> None:
    """A pull secret, which the ServiceAccount `puller` has too."""
    assert registry.login is not None
    login = (f"--docker-username={registry.login.username}", f"--docker-password={registry.login.password}")
    words = ("create", "secret", "docker-registry", "pull", "-n", namespace, f"--docker-server={registry.host}")
    cluster.must(*words, *login)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}}
    cluster.must("create", "-n", namespace, "-f", "-", stdin={**account, "imagePullSecrets": [{"name": "pull"}]})


def object_that_needs(resource: str, image: str, arm_class: str) -> Any:
    """What is denied only where podgate may read that resource."""
    arm = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
    if resource == "secrets":
        return pod("needs-it", image, **arm, imagePullSecrets=[{"name": "pull"}])
    if resource == "serviceaccounts":
        return workload("Deployment", "needs-it", image, **arm, serviceAccountName="puller")
    spec = {"runtimeClassName": arm_class, "imagePullSecrets": [{"name": "pull"}]}
    return workload("Deployment", "needs-it", image, **spec)


def create(cluster: Cluster, namespace: str, obj: Any, warnings: int = 1) -> Verdict:
    result = cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=obj)
    return verdict(result, warnings)


def test_with_all_rights_nothing_is_forbidden(
    cluster: Cluster, podgate: Podgate, private_registry: Registry, private_image: str, arm_class: str
):
    with cluster.namespace("all") as namespace:
        with_secret(cluster, namespace, private_registry)
        for resource in READ:
            denied = create(cluster, namespace, object_that_needs(resource, private_image, arm_class))
            assert denied.decision == "deny", resource
            assert "linux/arm64" in denied.text
    assert [line for line in podgate.log_lines() if "forbidden" in json.dumps(line).lower()] == []


@pytest.mark.parametrize("resource", READ)
def test_what_may_not_be_read_is_missed(
    cluster: Cluster,
    podgate: Podgate,
    role,
    private_registry: Registry,
    private_image: str,
    arm_class: str,
    resource: str,
):
    with cluster.namespace("taken") as namespace:
        with_secret(cluster, namespace, private_registry)
        obj = object_that_needs(resource, private_image, arm_class)
        (right,) = (right for right in RIGHTS if right.resource == resource)
        take(cluster, right)
        # Without the RuntimeClass the pods are judged as if they could go anywhere, and that is said too.
        unknown_class = resource == "runtimeclasses"
        missed = create(cluster, namespace, obj, warnings=2 if unknown_class else 1)
        assert missed.decision == "warn"
        for words in (f"RuntimeClass {arm_class}",) if unknown_class else ("podgate lacks", f"get {resource}"):
            assert words in missed.text


def test_what_may_not_be_written_is_missed(cluster: Cluster, podgate: Podgate, role, private_image: str):
    """Where Events may not be written, the warning is the same, and the log says what is missing."""

    def told() -> list[Any]:
        return [line for line in podgate.log_lines() if "Events cannot be written" in line["message"]]

    def written() -> list[Any]:
        selector = "involvedObject.kind=Pod,reason=PlatformUndetermined"
        return list(cluster.get("events", "-n", namespace, "--field-selector", selector)["items"])

    assert told() == []
    with cluster.namespace("mute") as namespace:
        # An image that nobody may see without a login is undetermined.
        assert create(cluster, namespace, pod("dry", private_image)).decision == "warn"
        take(cluster, WRITTEN)
        assert verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=pod("first", private_image))).text
        wait_until("a word about it in the log", told, 20, podgate.processes)
        assert "forbidden" in told()[0]["message"]
        assert written() == []
        cluster.must("apply", "-f", MANIFESTS / "rbac.yaml")
        wait_for_right(cluster, WRITTEN, allowed=True)
        assert verdict(cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=pod("second", private_image))).text
        wait_until("an Event", written, 20, podgate.processes)


@pytest.mark.parametrize("right", FOLLOWED, ids=lambda right: f"{right.verb} {right.resource}")
def test_what_may_not_be_followed_is_missed(cluster: Cluster, role, tmp_path: Path, right: Right):
    take(cluster, right)
    podgate = Podgate(cluster, tmp_path, podgate_settings())
    podgate.launch()
    try:

        def told() -> bool:
            return any("forbidden" in json.dumps(line).lower() for line in podgate.log_lines())

        wait_until("a word about it in the log", told, 20, podgate.processes)
        # Without the list it never becomes ready; without the watch it is, and lists again and again.
        if right.verb == "list":
            assert not podgate.ready()
        else:
            wait_until("readiness", podgate.ready, 20, podgate.processes)
    finally:
        podgate.kill()
