"""Mirrors by containerd's directory of hosts.toml files: who is asked, in which order, and what for."""

from collections.abc import Iterator

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import SAMPLES_LOGIN, Registry
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

SPEC = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}


@pytest.fixture
def first(absent_registry: Registry) -> Iterator[Registry]:
    """The first mirror of mirror.example, which is down."""
    absent_registry.stop()
    yield absent_registry
    absent_registry.stop()


def create(cluster: Cluster, image: str, namespace: str = "default", **spec: object) -> Verdict:
    words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    return verdict(cluster.kubectl(*words, stdin=pod("web", image, **SPEC, **spec)))


def test_where_the_first_mirror_is_down_the_next_one_answers_and_the_first_again_when_it_is_back(
    cluster: Cluster, podgate: Podgate, first: Registry, registry: Registry
):
    image = "mirror.example/mirrors/app:1"
    registry.push("mirrors/app", images.multi("linux/amd64"), "1")
    pushed = len(registry.requests())
    decision, text = create(cluster, image)
    assert decision == "deny"
    # The user is told of the image that he named, and not of where it was looked for.
    assert f"image {image} is for linux/amd64" in text
    assert registry.host not in text
    assert registry.requests()[pushed:] == ["GET /v2/mirrors/app/manifests/1?ns=mirror.example 200"]
    code, document, _ = podgate.run_json("inspect", image)
    assert code == 0
    assert [(one["host"], one["mirror"]) for one in document["images"][0]["answers"]] == [(registry.host, True)]
    first.start()
    first.push("mirrors/app", images.multi("linux/arm64"), "1")
    wait_until("the first mirror to be asked", lambda: create(cluster, image) == Verdict("allow"), 60)
    assert "GET /v2/mirrors/app/manifests/1?ns=mirror.example 200" in first.requests()


def test_what_the_first_mirror_lacks_the_next_one_gives_to_who_may_see_it(
    cluster: Cluster, registry: Registry, samples_registry: Registry
):
    image = "registry.example/mirrors/private:1"
    samples_registry.push("mirrors/private", images.multi("linux/amd64"), "1")
    pushed = len(registry.requests())
    with cluster.namespace("mirror") as namespace:
        refused = create(cluster, image, namespace)
        assert refused.decision == "warn"
        words = ("create", "secret", "docker-registry", "pull", "-n", namespace, "--docker-server=registry.example")
        user, password = f"--docker-username={SAMPLES_LOGIN.username}", f"--docker-password={SAMPLES_LOGIN.password}"
        cluster.must(*words, user, password)
        decision, text = create(cluster, image, namespace, imagePullSecrets=[{"name": "pull"}])
        assert decision == "deny"
        assert f"image {image} is for linux/amd64" in text
    asked = "GET /v2/mirrors/private/manifests/1?ns=registry.example"
    assert set(registry.requests()[pushed:]) == {f"{asked} 404"}
    assert samples_registry.requests()[-1] == f"{asked} 200"
