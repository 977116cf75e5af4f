"""podgate as an operator installs it, asked by a real API server for a real kubectl: what it says of which image."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import pod, wait_for_node
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import LOGIN, Login, Registry
from tests.e2e.harness.verdicts import Verdict, annotations, verdict
from tests.e2e.harness.workloads import KINDS, workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
AMD = {"nodeSelector": {"kubernetes.io/arch": "amd64"}}


@pytest.fixture(scope="module")
def amd_only(registry: Registry) -> str:
    """An index for amd64 alone."""
    registry.push("team/app", images.multi("linux/amd64"), "1.4")
    return f"{registry.host}/team/app:1.4"


@pytest.fixture(scope="module")
def both(registry: Registry) -> str:
    """An index for both platforms."""
    registry.push("team/app", images.multi("linux/amd64", "linux/arm64"), "2.0")
    return f"{registry.host}/team/app:2.0"


def apply(cluster: Cluster, namespace: str, obj: Any, *more: str) -> Verdict:
    """What kubectl shows of podgate's word on an object."""
    return verdict(cluster.kubectl("apply", "-n", namespace, "-f", "-", *more, stdin=obj))


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[str]:
    """A namespace for all kinds: every object in it has a name of its own."""
    with cluster.namespace("kinds") as namespace:
        yield namespace


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_for_amd64_is_denied_to_what_is_pinned_to_arm64(
    cluster: Cluster, shared: str, amd_only: str, kind: str
):
    name, resource = f"denied-{kind.lower()}", KINDS[kind][1]
    decision, text = apply(cluster, shared, workload(kind, name, amd_only, **ARM))
    assert decision == "deny"
    facts, mend, remedy = text.partition("To mend it: ")
    assert mend
    assert facts.startswith(f"{kind} {name} cannot run on the only node ")
    for words in ("container app", f"image {amd_only} is for linux/amd64", "on arm-1 (linux/arm64): "):
        assert words in facts.replace('"', "")
    # Either the image changes, or the pod.
    for words in ("linux/arm64", "kubernetes.io/arch", "amd64"):
        assert words in remedy
    assert "NotFound" in cluster.kubectl("get", resource, name, "-n", shared).stderr
    assert annotations(cluster, shared, name, resource) == ("deny", "mismatch")


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_for_both_platforms_is_admitted_in_silence(cluster: Cluster, shared: str, both: str, kind: str):
    name, resource = f"silent-{kind.lower()}", KINDS[kind][1]
    assert apply(cluster, shared, workload(kind, name, both)) == Verdict("allow")
    assert cluster.get(resource, name, "-n", shared)["metadata"]["name"] == name
    assert annotations(cluster, shared, name, resource) == ("allow", "match")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "DaemonSet"])
def test_an_image_for_amd64_without_a_selector_is_warned_of(cluster: Cluster, shared: str, amd_only: str, kind: str):
    name = f"warned-{kind.lower()}"
    decision, text = apply(cluster, shared, workload(kind, name, amd_only))
    assert decision == "warn"
    # Of the image at least the end, which tells it from its sisters.
    mend = "kubernetes.io/arch: amd64"
    for words in (f"{kind} {name}: ", "container app", "app:1.4", "linux/amd64", "arm-1 (linux/arm64)", mend):
        assert words in text.replace('"', "")
    assert annotations(cluster, shared, name, KINDS[kind][1]) == ("warn", "partial")


def test_a_daemon_set_that_fails_on_some_nodes_is_denied(cluster: Cluster, amd_only: str):
    with cluster.namespace("everywhere") as namespace:
        decision, text = apply(cluster, namespace, workload("DaemonSet", "agent", amd_only))
        assert decision == "deny"
        assert "arm-1 (linux/arm64)" in text
        assert apply(cluster, namespace, workload("DaemonSet", "agent", amd_only, **AMD)) == Verdict("allow")


def test_whoever_follows_the_remedy_is_admitted_and_bound_to_a_node_that_runs_it(
    cluster: Cluster, amd_only: str, both: str
):
    with cluster.namespace("bound") as namespace:
        warned = apply(cluster, namespace, pod("anywhere", amd_only))
        assert "add nodeSelector kubernetes.io/arch: amd64" in warned.text
        assert apply(cluster, namespace, pod("narrowed", amd_only, **AMD)) == Verdict("allow")
        assert apply(cluster, namespace, pod("pinned", both, **ARM)) == Verdict("allow")
        assert cluster.node_of("narrowed", namespace) in ("amd-1", "amd-2")
        assert cluster.node_of("pinned", namespace) == "arm-1"
        assert cluster.node_of("anywhere", namespace) in ("amd-1", "amd-2", "arm-1")


def test_the_pods_of_an_admitted_deployment_are_admitted_and_bound_too(cluster: Cluster, both: str):
    with cluster.namespace("rolled") as namespace:
        assert apply(cluster, namespace, workload("Deployment", "web", both, **ARM)) == Verdict("allow")
        cluster.must("rollout", "status", "deployment/web", "-n", namespace, "--watch=false")
        cluster.must("wait", "pods", "-n", namespace, "-l", "app=web", "--for=condition=PodScheduled", "--timeout=30s")
        nodes = cluster.must("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].spec.nodeName}")
        assert nodes == "arm-1"


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_a_single_manifest_with_the_wrong_config_is_denied(cluster: Cluster, registry: Registry, docker: bool):
    repository = f"team/single-{docker}".lower()
    registry.push(repository, images.single("linux/amd64", docker=docker), "1.0")
    with cluster.namespace("single") as namespace:
        image = f"{registry.host}/{repository}:1.0"
        decision, text = apply(cluster, namespace, pod("worker", image, **ARM))
        assert decision == "deny"
        for words in (f"image {image} is for linux/amd64", "arm-1 (linux/arm64)", "exec format error"):
            assert words in text
        assert apply(cluster, namespace, pod("worker", image, **AMD)) == Verdict("allow")


def test_a_mislabelled_config_is_admitted_where_the_list_of_the_tag_is_right(cluster: Cluster, registry: Registry):
    image = images.mislabelled("linux/arm64", "linux/amd64")
    digest = image.manifests[0].digest
    registry.push("team/listed", image, "7")
    registry.push("team/alone", images.Image(image.manifests[0], (), image.blobs), "7")
    with cluster.namespace("mislabelled") as namespace:
        by_tag, by_both = f"{registry.host}/team/listed:7", f"{registry.host}/team/listed:7@{digest}"
        assert apply(cluster, namespace, pod("by-tag", by_tag, **ARM)) == Verdict("allow")
        assert apply(cluster, namespace, pod("by-both", by_both, **ARM)) == Verdict("allow")
        assert cluster.node_of("by-both", namespace) == "arm-1"
        # The API server keeps what was written, tag and digest.
        assert cluster.get("pod", "by-both", "-n", namespace)["spec"]["containers"][0]["image"] == by_both
        # The same manifest where no list speaks for it.
        alone = f"{registry.host}/team/alone:7@{digest}"
        decision, text = apply(cluster, namespace, pod("alone", alone, **ARM))
        assert decision == "deny"
        assert "exec format error" in text


def test_every_part_of_a_pod_counts_and_is_named(cluster: Cluster, amd_only: str, both: str):
    with cluster.namespace("parts") as namespace:
        init = {"name": "prepare", "image": amd_only}
        sidecar = {"name": "proxy", "image": amd_only, "restartPolicy": "Always"}
        for container in (init, sidecar):
            decision, text = apply(cluster, namespace, pod("web", both, initContainers=[container], **ARM))
            assert decision == "deny"
            assert f"container {container['name']}: image {amd_only}" in text.replace('"', "")
            assert "container app" not in text.replace('"', "")


def secret(cluster: Cluster, namespace: str, registry: Registry, login: Login, name: str = "pull") -> None:
    """What an operator types to make a pull secret."""
    words = ("create", "secret", "docker-registry", name, "-n", namespace, f"--docker-server={registry.host}")
    cluster.must(*words, f"--docker-username={login.username}", f"--docker-password={login.password}")


def test_a_private_image_is_looked_up_with_the_pull_secret_of_the_pod(cluster: Cluster, private_registry: Registry):
    private_registry.push("shop/billing", images.multi("linux/amd64"), "3.1")
    image = f"{private_registry.host}/shop/billing:3.1"
    named = {"imagePullSecrets": [{"name": "pull"}]}
    with cluster.namespace("private") as namespace, cluster.namespace("stranger") as other:
        # Before anybody has seen it, and after: a look-up is nobody else's.
        for turn in ("before", "after"):
            unknown = apply(cluster, other, pod(turn, image, **AMD, **named))
            assert unknown.decision == "warn"
            assert "linux/amd64)" in unknown.text  # the node's, not the image's
            assert "has linux" not in unknown.text
            assert annotations(cluster, other, turn) == ("warn", "undetermined")
            if turn == "before":
                secret(cluster, namespace, private_registry, LOGIN)
                assert apply(cluster, namespace, pod("fits", image, **AMD, **named)) == Verdict("allow")
                decision, text = apply(cluster, namespace, pod("fits-not", image, **ARM, **named))
                assert decision == "deny"
                assert f"image {image} is for linux/amd64" in text
        # A wrong password is as good as none.
        secret(cluster, other, private_registry, Login(LOGIN.username, "wrong", ""))
        assert apply(cluster, other, pod("wrong", image, **ARM, **named)).decision == "warn"
        assert annotations(cluster, other, "wrong") == ("warn", "undetermined")


def test_the_pull_secrets_of_a_service_account_count_for_pods_and_templates(
    cluster: Cluster, private_registry: Registry
):
    private_registry.push("shop/accounts", images.multi("linux/amd64"), "1.0")
    image = f"{private_registry.host}/shop/accounts:1.0"
    with cluster.namespace("account") as namespace:
        cluster.must("create", "serviceaccount", "puller", "-n", namespace)
        secret(cluster, namespace, private_registry, LOGIN)
        patch = '{"imagePullSecrets": [{"name": "pull"}]}'
        cluster.must("patch", "serviceaccount", "puller", "-n", namespace, "-p", patch)
        for kind in ("Pod", "Deployment", "CronJob"):
            account = {"serviceAccountName": "puller"}
            assert apply(cluster, namespace, workload(kind, "denied", image, **ARM, **account)).decision == "deny"
            assert apply(cluster, namespace, workload(kind, "admitted", image, **AMD, **account)) == Verdict("allow")


def test_what_is_not_in_the_registry_is_admitted_with_a_warning(cluster: Cluster, registry: Registry):
    with cluster.namespace("missing") as namespace:
        decision, text = apply(cluster, namespace, pod("web", f"{registry.host}/team/none:1", **ARM))
        assert decision == "warn"
        assert "not found in the registry" in text
        assert annotations(cluster, namespace, "web") == ("warn", "undetermined")


def test_a_reference_that_no_kubelet_pulls_is_denied(cluster: Cluster):
    with cluster.namespace("invalid") as namespace:
        decision, text = apply(cluster, namespace, pod("web", "Team/App:latest"))
        assert decision == "deny"
        assert "Team/App:latest" in text
        assert "reference" in text


def test_a_registry_that_is_down_costs_a_warning_and_one_that_was_seen_is_remembered(
    cluster: Cluster, components, tmp_path
):
    registry = Registry(components, tmp_path)
    registry.start()
    try:
        for name in ("seen", "unseen"):
            registry.push(f"team/{name}", images.multi("linux/amd64"), "1.0")
        seen, unseen = (f"{registry.host}/team/{name}:1.0" for name in ("seen", "unseen"))
        with cluster.namespace("down") as namespace:
            assert apply(cluster, namespace, pod("before", seen, **AMD)) == Verdict("allow")
            registry.stop()
            decision, text = apply(cluster, namespace, pod("web", unseen, **ARM))
            assert decision == "warn"
            assert "the registry cannot be reached or is failing" in text
            assert unseen in text
            assert registry.host not in text.replace(unseen, "")
            assert annotations(cluster, namespace, "web") == ("warn", "undetermined")
            assert cluster.node_of("web", namespace) == "arm-1"
            assert apply(cluster, namespace, pod("stale", seen, **ARM)).decision == "deny"
            registry.start()

            def found() -> bool:  # a registry that failed is left alone for a while
                return apply(cluster, namespace, pod("again", unseen, **ARM), "--dry-run=server").decision == "deny"

            wait_until("the registry to be asked again", found, 60)
    finally:
        registry.stop()


def test_a_pod_that_no_node_takes_is_judged_by_the_platform_it_asks_for(cluster: Cluster, amd_only: str, both: str):
    with cluster.namespace("nowhere") as namespace:
        decision, text = apply(cluster, namespace, pod("pool", both, nodeSelector={"pool": "none"}))
        assert decision == "warn"
        assert annotations(cluster, namespace, "pool") == ("warn", "no-candidates")
        s390x = {"nodeSelector": {"kubernetes.io/arch": "s390x"}}
        decision, text = apply(cluster, namespace, pod("mainframe", amd_only, **s390x))
        assert decision == "deny"
        assert "linux/s390x" in text


def test_a_node_that_comes_and_goes_changes_the_verdict(cluster: Cluster, amd_only: str):
    labels = {"pool": "new"}
    with cluster.namespace("nodes") as namespace:
        wanted = pod("web", amd_only, nodeSelector=labels)
        cluster.add_node("arm-new", "linux/arm64", labels=labels)
        try:
            wait_for_node(cluster, "arm-new")
            decision, text = apply(cluster, namespace, wanted, "--dry-run=server")
            assert decision == "deny"
            assert "arm-new" in text
        finally:
            cluster.remove_node("arm-new")
        wait_for_node(cluster, "arm-new", known=False)
        assert apply(cluster, namespace, wanted).decision == "warn"
        assert annotations(cluster, namespace, "web") == ("warn", "no-candidates")
