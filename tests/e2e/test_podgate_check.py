"""`podgate check` before the live cluster says what admission says, and the samples do what their comments say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import MANIFESTS, ROOT, Podgate, pod, wait_for_node
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import DENIED, WARNED, verdict
from tests.e2e.harness.workloads import KINDS, workload
from tests.support import images
from webhook.demo.images import CONFIG_TYPE, MANIFEST_TYPE, Repository, sample_repositories

DEMO_NODES = ROOT / "webhook" / "demo" / "nodes.yaml"
SAMPLES = sorted((MANIFESTS / "samples").glob("*.yaml"))
COMMENTED = {"# Denied:": "deny", "# Warned of:": "warn", "# Admitted:": "allow"}
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}


@pytest.fixture(scope="module")
def demo_nodes(cluster: Cluster, podgate: Podgate) -> Iterator[None]:
    """The nodes of the demo, as they are in its file, in the cluster."""
    # Of nodeInfo the file gives what decisions need; kubectl would have the whole of it.
    cluster.must("create", "-f", DEMO_NODES, "--validate=false")
    names = cluster.must("get", "-f", DEMO_NODES, "-o", "jsonpath={.items[*].metadata.name}").split()
    assert len(names) > 3
    for name in names:
        wait_for_node(cluster, name)
    yield
    cluster.must("delete", "-f", DEMO_NODES, "--wait=false")


@pytest.fixture(scope="module")
def sample_images(registry: Registry, samples_registry: Registry) -> None:
    """The images of the demo, in real registries: what needs a login apart from what needs none."""
    for name, repository in sample_repositories().items():
        for root in repository.tags.values():
            where = samples_registry if repository.login else registry
            where.push(
                name, as_image(repository, root), *(tag for tag, named in repository.tags.items() if named == root)
            )


def as_image(repository: Repository, root: str) -> images.Image:
    """A root of a demo's repository with everything that may belong to it."""
    contents = {digest: images.Content(blob.media_type, blob.body) for digest, blob in repository.blobs.items()}
    manifests = [one for one in contents.values() if one.media_type == MANIFEST_TYPE]
    configs = [one for one in contents.values() if one.media_type == CONFIG_TYPE]
    return images.Image(contents[root], tuple(manifests), tuple(configs))


@pytest.mark.usefixtures("demo_nodes", "sample_images")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_a_sample_does_what_its_comment_says(cluster: Cluster, sample: Path):
    first = sample.read_text().splitlines()[0]
    (expected,) = (decision for words, decision in COMMENTED.items() if first.startswith(words))
    with cluster.namespace("sample") as namespace:
        assert verdict(cluster.kubectl("apply", "-n", namespace, "-f", sample)).decision == expected


def test_the_samples_show_every_decision():
    assert {line for sample in SAMPLES for line in COMMENTED if sample.read_text().startswith(line)} == set(COMMENTED)


def scenarios(registry: Registry, private: Registry) -> list[Any]:
    """Objects of every kind and every verdict."""
    registry.push("check/app", images.multi("linux/amd64"), "1.0")
    registry.push("check/app", images.multi("linux/amd64", "linux/arm64"), "2.0")
    registry.push("check/single", images.single("linux/amd64"), "1.0")
    registry.push("check/nothing", images.single(None), "1.0")
    wrong = images.mislabelled("linux/arm64", "linux/amd64")
    registry.push("check/wrong", wrong, "1.0")
    private.push("check/private", images.multi("linux/amd64"), "1.0")
    amd, both = f"{registry.host}/check/app:1.0", f"{registry.host}/check/app:2.0"
    found: list[Any] = []
    for kind in KINDS:
        for name, image, spec in (("anywhere", amd, {}), ("pinned", amd, ARM), ("both", both, {})):
            found.append(workload(kind, f"{name}-{kind.lower()}", image, **spec))
    private_image = f"{private.host}/check/private:1.0"
    named = {"imagePullSecrets": [{"name": "pull"}]}
    by_both = f"{registry.host}/check/wrong:1.0@{wrong.manifests[0].digest}"
    affinity = {"key": "kubernetes.io/arch", "operator": "NotIn", "values": ["arm64"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [affinity]}]}
    tolerations = [{"key": "os", "operator": "Exists"}]
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "single": (f"{registry.host}/check/single:1.0", ARM),
        "nothing": (f"{registry.host}/check/nothing:1.0", {}),
        "wrong-tag": (f"{registry.host}/check/wrong:1.0", ARM),
        "wrong-digest": (by_both, ARM),
        "missing": (f"{registry.host}/check/none:1.0", {}),
        "invalid": ("Not/Valid", {}),
        "private": (private_image, ARM),
        "private-secret": (private_image, {**ARM, **named}),
        "private-missing": (private_image, {**ARM, "imagePullSecrets": [{"name": "none"}, {"name": "pull"}]}),
        "private-malformed": (private_image, {**ARM, "imagePullSecrets": [{"name": "pull"}, {"name": "malformed"}]}),
        "private-account": (private_image, {**ARM, "serviceAccountName": "puller"}),
        "by-name": (amd, {"nodeName": "arm-1"}),
        "nowhere": (both, {"nodeSelector": {"pool": "none"}}),
        "mainframe": (both, {"nodeSelector": {"kubernetes.io/arch": "s390x"}}),
        "affinity": (amd, {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}),
        "windows": (both, {"nodeSelector": {"kubernetes.io/os": "windows"}, "tolerations": tolerations}),
        "gated": (amd, {"schedulingGates": [{"name": "example.com/later"}]}),
        "never": (amd, {**ARM, "containers": [{"name": "app", "image": amd, "imagePullPolicy": "Never"}]}),
    }
    return [*found, *(pod(name, image, **spec) for name, (image, spec) in more.items())]


def admitted(cluster: Cluster, namespace: str, objects: list[Any]) -> dict[str, str]:
    """What admission decides of objects whose names differ, by one kubectl and as it prints it."""
    stdin = {"apiVersion": "v1", "kind": "List", "items": objects}
    result = cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=stdin)
    found = dict.fromkeys(re.findall(r"^\S+/(\S+) created \(server dry run\)$", result.stdout, re.MULTILINE), "allow")
    found |= dict.fromkeys(re.findall(rf"^{WARNED}\w+ ([^ :]+)", result.stderr, re.MULTILINE), "warn")
    denied = re.findall(rf"{DENIED}\w+ ([^ :]+)", result.stderr)
    assert not set(denied) & set(found)
    return found | dict.fromkeys(denied, "deny")


@pytest.mark.usefixtures("demo_nodes")
@pytest.mark.parametrize("labels", [{}, {"podgate.dev/mode": "warn"}], ids=["deny", "warn"])
def test_check_says_what_admission_says(
    cluster: Cluster, podgate: Podgate, registry: Registry, private_registry: Registry, labels
):
    objects = scenarios(registry, private_registry)
    login = private_registry.login
    assert login is not None
    with cluster.namespace("check", labels) as namespace:
        words = ("create", "secret", "docker-registry", "pull", "-n", namespace)
        server, user = f"--docker-server={private_registry.host}", f"--docker-username={login.username}"
        cluster.must(*words, server, user, f"--docker-password={login.password}")
        malformed = ("create", "secret", "generic", "malformed", "-n", namespace, f"--type={DOCKER_CONFIG}")
        cluster.must(*malformed, '--from-literal=.dockerconfigjson={"auths": []}')
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}}
        cluster.must("create", "-n", namespace, "-f", "-", stdin={**account, "imagePullSecrets": [{"name": "pull"}]})
        seen = admitted(cluster, namespace, objects)
        assert len(seen) == len(objects)
        stdin = {"apiVersion": "v1", "kind": "List", "items": objects}
        for context in ((), ("--context", "e2e")):
            code, document, complaints = podgate.check("--namespace", namespace, *context, stdin=stdin)
            assert {one["name"]: one["decision"] for one in document["objects"]} == seen
            nowhere = f"it is judged by the platform that it asks for: Pod {namespace}/mainframe (linux/s390x)"
            assert complaints == f"podgate: none of the nodes takes 1 object; {nowhere}\n"
            assert code == int("deny" in seen.values())
    assert set(seen.values()) == ({"warn", "allow"} if labels else {"deny", "warn", "allow"})
