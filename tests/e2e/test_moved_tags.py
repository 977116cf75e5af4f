"""How often a real registry is asked: by its own access log, for pods that come one after the other."""

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import pod
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, verdict
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
INDEX, SINGLE = "tags/index", "tags/single"


class Asked:
    """The requests for manifests and blobs of one repository, from now on."""

    def __init__(self, registry: Registry, repository: str) -> None:
        self._registry = registry
        self._path = f"/v2/{repository}/"
        self._skipped = 0
        self._skipped = len(self.all())

    def all(self) -> list[str]:
        """As `METHOD what/name status`, oldest first."""
        found = [line for line in self._registry.requests() if f" {self._path}" in line]
        return [line.replace(self._path, "") for line in found][self._skipped :]


def create(cluster: Cluster, image: str) -> Verdict:
    """podgate's word on a pod that needs arm64, and which is not kept."""
    words = ("create", "--dry-run=server", "-f", "-")
    return verdict(cluster.kubectl(*words, stdin=pod("web", image, **ARM)))


def until_asked_again(cluster: Cluster, image: str, asked: Asked) -> list[str]:
    """Pods until the tag's time is up: what was asked by then."""
    before = len(asked.all())

    def again() -> bool:
        create(cluster, image)
        return len(asked.all()) > before

    wait_until("the tag's time to be up", again, 30)
    return asked.all()[before:]


@pytest.mark.parametrize(
    ("repository", "image", "first"),
    [
        (INDEX, images.multi("linux/amd64", text="1\n"), ["GET manifests/1 200"]),
        (SINGLE, images.single("linux/amd64", text="1\n"), ["GET manifests/1 200", "GET blobs/{config} 200"]),
    ],
    ids=["index", "single"],
)
def test_a_tag_whose_time_is_up_costs_one_head_where_nothing_moved(
    cluster: Cluster, registry: Registry, repository: str, image: images.Image, first: list[str]
):
    registry.push(repository, image, "1")
    asked, name = Asked(registry, repository), f"{registry.host}/{repository}:1"
    assert create(cluster, name).decision == "deny"
    config = image.root.json["config"]["digest"] if "config" in image.root.json else ""
    assert asked.all() == [line.format(config=config) for line in first]
    for _ in range(2):
        assert until_asked_again(cluster, name, asked) == ["HEAD manifests/1 200"]


def test_a_tag_that_moved_is_noticed_when_its_time_is_up(cluster: Cluster, registry: Registry):
    old, new = images.single("linux/amd64", text="moving\n"), images.single("linux/arm64", text="moving\n")
    registry.push("tags/moving", old, "latest")
    asked, name = Asked(registry, "tags/moving"), f"{registry.host}/tags/moving:latest"
    assert create(cluster, name).decision == "deny"
    fetched = []
    for image, decision in ((new, "allow"), (old, "deny")):
        registry.push("tags/moving", image, "latest")
        pushed = len(asked.all())

        def noticed(decision: str = decision) -> bool:
            return create(cluster, name).decision == decision

        wait_until("the change", noticed, 30)
        since = asked.all()[pushed:]
        assert "HEAD manifests/latest 200" in since
        fetched.append([line for line in since if not line.startswith("HEAD")])
    config = new.root.json["config"]["digest"]
    # A config that is known by its digest is not fetched a second time.
    assert fetched == [["GET manifests/latest 200", f"GET blobs/{config} 200"], ["GET manifests/latest 200"]]


def test_a_digest_is_asked_for_once(cluster: Cluster, registry: Registry):
    image = images.multi("linux/amd64", text="by digest\n")
    registry.push("tags/digest", image, "1")
    asked, name = Asked(registry, "tags/digest"), f"{registry.host}/tags/digest"
    assert create(cluster, f"{name}@{image.digest}").decision == "deny"
    assert asked.all() == [f"GET manifests/{image.digest} 200"]
    assert create(cluster, f"{name}@{image.digest}").decision == "deny"
    # And the tag that names it only has to be resolved.
    assert create(cluster, f"{name}:1").decision == "deny"
    assert asked.all()[1:] in (["HEAD manifests/1 200"], ["GET manifests/1 200"])
