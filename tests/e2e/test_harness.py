"""The components of the end-to-end tests are the real ones, and do what these tests rely on."""

import re

import httpx
import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import KUBERNETES
from tests.e2e.harness.podgate import pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import LOGIN, Registry
from tests.support import images

NOWHERE = "none.example/none"


@pytest.fixture(scope="module")
def nodes(cluster: Cluster):
    """Three kinds of nodes, for this module only."""
    cluster.add_node("harness-amd64", "linux/amd64")
    cluster.add_node("harness-arm64", "linux/arm64", labels={"pool": "harness"}, taints=["arch=arm64:NoSchedule"])
    cluster.add_node("harness-windows", "windows/amd64:10.0.20348.2402")
    yield
    for name in ("harness-amd64", "harness-arm64", "harness-windows"):
        cluster.remove_node(name)


def test_server_and_kubectl_are_of_the_version_that_was_built(cluster: Cluster):
    client, _, server = cluster.must("version").strip().partition("\nKustomize")
    versions = {*re.findall(r"v\d+\.\d+\.\d+", client), *re.findall(r"Server Version: (v\d+\.\d+\.\d+)", server)}
    if cluster.own_control_plane:
        assert versions == {f"v{KUBERNETES}"}
    else:
        assert "Server Version" in server


def test_pods_are_bound_by_the_scheduler_to_the_node_that_they_select(cluster: Cluster, nodes):
    with cluster.namespace("bound") as namespace:
        toleration = {"key": "arch", "operator": "Exists"}
        arm = pod("arm", NOWHERE, nodeSelector={"kubernetes.io/arch": "arm64"}, tolerations=[toleration])
        windows = pod("windows", NOWHERE, nodeSelector={"kubernetes.io/os": "windows"})
        for one in (arm, windows):
            cluster.must("create", "-n", namespace, "-f", "-", stdin=one)
        assert cluster.node_of("arm", namespace) == "harness-arm64"
        assert cluster.node_of("windows", namespace) == "harness-windows"


def test_a_pod_that_does_not_tolerate_the_taint_of_its_only_node_stays_unbound(cluster: Cluster, nodes):
    with cluster.namespace("tainted") as namespace:
        refused = pod("refused", NOWHERE, nodeSelector={"pool": "harness"})
        cluster.must("create", "-n", namespace, "-f", "-", stdin=refused)
        message = "jsonpath={.status.conditions[?(@.type=='PodScheduled')].message}"
        words = ("get", "pod", "refused", "-n", namespace, "-o", message)
        said = wait_until("the scheduler's word", lambda: cluster.must(*words), 30)
        assert "untolerated taint" in said


def test_a_deployment_gets_its_pods_from_the_real_controllers(cluster: Cluster, nodes):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("web", NOWHERE)["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    with cluster.namespace("deployed") as namespace:
        cluster.must("apply", "-n", namespace, "-f", "-", stdin=deployment)
        names = ("get", "pods", "-n", namespace, "-l", "app=web", "-o", "name")
        wait_until("two pods", lambda: len(cluster.must(*names).split()) == 2, 30)
        cluster.must("delete", "deployment", "web", "-n", namespace, "--wait=false")


def test_a_service_account_may_do_what_a_role_gives_it_and_no_more(cluster: Cluster):
    with cluster.namespace("rights") as namespace:
        kubeconfig = cluster.service_account_kubeconfig(namespace, "default")
        before = cluster.kubectl("get", "pods", "-n", namespace, kubeconfig=kubeconfig)
        assert before.code == 1
        assert f"system:serviceaccount:{namespace}:default" in before.stderr
        cluster.must("create", "role", "reader", "--verb=list", "--resource=pods", "-n", namespace)
        subject = f"--serviceaccount={namespace}:default"
        cluster.must("create", "rolebinding", "reader", "--role=reader", subject, "-n", namespace)

        def allowed() -> bool:  # the authorizer sees a new binding after a moment
            return cluster.kubectl("get", "pods", "-n", namespace, kubeconfig=kubeconfig).code == 0

        wait_until("the role to count", allowed, 30)
        assert cluster.kubectl("get", "secrets", "-n", namespace, kubeconfig=kubeconfig).code == 1


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_index_comes_back_from_the_registry_as_it_was_pushed(registry: Registry, docker: bool):
    image = images.multi("linux/amd64", "linux/arm64", docker=docker)
    repository = f"harness/multi-{docker}".lower()
    assert registry.push(repository, image, "1.0", "latest") == image.digest
    for name in ("1.0", "latest", image.digest):
        assert registry.pull(repository, name, image.root.media_type) == image.root
    for manifest in image.manifests:
        assert registry.pull(repository, manifest.digest, manifest.media_type) == manifest
    assert f"GET /v2/{repository}/manifests/1.0 200" in registry.requests()


@pytest.mark.parametrize(
    "image",
    [
        images.single("linux/arm/v7"),
        images.single(None),
        images.mislabelled("linux/arm64", "linux/amd64"),
        images.attested(images.multi("linux/amd64")),
        images.artifact(),
    ],
    ids=["single", "no platform", "mislabelled", "attested", "artifact"],
)
def test_every_sort_of_image_is_accepted_by_the_registry(registry: Registry, image: images.Image):
    registry.push("harness/sorts", image)
    assert registry.pull("harness/sorts", image.digest, image.root.media_type) == image.root


def test_a_registry_refuses_a_manifest_whose_blobs_it_does_not_have(registry: Registry):
    whole = images.single("linux/amd64", text="not there\n")
    with pytest.raises(AssertionError, match="MANIFEST_BLOB_UNKNOWN"):
        registry.push("harness/holes", images.Image(whole.root), "1.0")


def test_the_private_registry_asks_for_its_login(private_registry: Registry):
    private_registry.push("harness/private", images.single("linux/amd64"), "1.0")
    url = f"http://{private_registry.host}/v2/harness/private/manifests/1.0"
    refused = httpx.get(url, trust_env=False)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert httpx.get(url, auth=(LOGIN.username, "wrong"), trust_env=False).status_code == 401
    accept = {"Accept": images.OCI_MANIFEST}
    assert httpx.get(url, auth=(LOGIN.username, LOGIN.password), headers=accept, trust_env=False).status_code == 200


def test_a_registry_that_was_stopped_refuses_connections_and_comes_back_with_its_images(components, tmp_path):
    registry = Registry(components, tmp_path)
    image = images.single("linux/amd64")
    registry.start()
    try:
        registry.push("harness/kept", image, "1.0")
        registry.stop()
        with pytest.raises(httpx.ConnectError):
            registry.pull("harness/kept", "1.0", images.OCI_MANIFEST)
        registry.start()
        assert registry.pull("harness/kept", "1.0", images.OCI_MANIFEST) == image.root
    finally:
        registry.stop()
