"""Images that a real builder has made and pushed: what it writes, podgate reads."""

from collections.abc import Iterator

import pytest

from tests.e2e.harness.builder import Builder, NoBuilder
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import Podgate, pod
from tests.e2e.harness.registry import Registry
from tests.e2e.harness.verdicts import Verdict, annotations, verdict
from tests.e2e.harness.workloads import workload
from tests.support import images

pytestmark = pytest.mark.usefixtures("mixed")

AMD, ARM = ({"nodeSelector": {"kubernetes.io/arch": architecture}} for architecture in ("amd64", "arm64"))
PINNED = {"linux/amd64": AMD, "linux/arm64": ARM}
KINDS = ("oci", "docker")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """buildah, with an image for each of two platforms built; without one these tests are skipped, and say why."""
    try:
        found = Builder(tmp_path_factory.mktemp("buildah"))
    except NoBuilder as error:
        pytest.skip(str(error))
    for platform in PINNED:
        found.build(name_of(platform), platform)
    return found


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for all: every object in it has a name of its own."""
    with cluster.namespace("built") as name:
        yield name


def name_of(platform: str) -> str:
    """What the built image for a platform is called."""
    return f"for-{platform.partition('/')[2]}"


def apply(cluster: Cluster, namespace: str, name: str, image: str, **spec: object) -> Verdict:
    """What kubectl shows of podgate's word on a pod."""
    return verdict(cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=pod(name, image, **spec)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("claimed", "other"), [("linux/arm64", "linux/amd64"), ("linux/amd64", "linux/arm64")])
def test_a_single_image_is_for_what_it_was_built_for(
    cluster: Cluster, namespace: str, registry: Registry, builder: Builder, kind: str, claimed: str, other: str
):
    tag = f"{kind}-{name_of(claimed)}"
    image = builder.push(name_of(claimed), registry, f"built/single:{tag}", kind)
    written = images.OCI_MANIFEST if kind == "oci" else images.DOCKER_MANIFEST
    assert registry.pull("built/single", tag, written).media_type == written
    assert apply(cluster, namespace, f"fits-{tag}", image, **PINNED[claimed]) == Verdict("allow")
    decision, text = apply(cluster, namespace, f"fits-not-{tag}", image, **PINNED[other])
    assert decision == "deny"
    for words in (f"image {image} is for {claimed}", f"({other})", "exec format error"):
        assert words in text
    decision, text = apply(cluster, namespace, f"anywhere-{tag}", image)
    assert decision == "warn"
    assert f"kubernetes.io/arch: {claimed.partition('/')[2]}" in text
    assert annotations(cluster, namespace, f"anywhere-{tag}") == ("warn", "partial")


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_list_is_for_what_it_lists(
    cluster: Cluster, namespace: str, registry: Registry, builder: Builder, kind: str
):
    builder.make_list(f"both-{kind}", {name_of(platform): "" for platform in PINNED})
    builder.make_list(f"one-{kind}", {name_of("linux/amd64"): ""})
    both = builder.push_list(f"both-{kind}", registry, f"built/list:both-{kind}", kind)
    one = builder.push_list(f"one-{kind}", registry, f"built/list:one-{kind}", kind)
    written = images.OCI_INDEX if kind == "oci" else images.DOCKER_LIST
    assert registry.pull("built/list", f"both-{kind}", written).media_type == written
    everywhere = workload("DaemonSet", f"agent-{kind}", both)
    assert verdict(cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=everywhere)) == Verdict("allow")
    for platform, pinned in PINNED.items():
        assert apply(cluster, namespace, f"both-{kind}-{name_of(platform)}", both, **pinned) == Verdict("allow")
    assert cluster.node_of(f"both-{kind}-for-arm64", namespace) == "arm-1"
    assert apply(cluster, namespace, f"one-{kind}", one, **AMD) == Verdict("allow")
    decision, text = apply(cluster, namespace, f"one-{kind}-not", one, **ARM)
    assert decision == "deny"
    for words in (f"image {one} is for linux/amd64", "arm-1 (linux/arm64)", "no match for platform in manifest"):
        assert words in text


def test_a_list_that_corrects_what_its_image_claims_is_believed(
    cluster: Cluster, namespace: str, podgate: Podgate, registry: Registry, builder: Builder
):
    """Built on amd64 without saying for what, and put into a list by hand: the origin of moby's fall-back."""
    builder.make_list("corrected", {name_of("linux/amd64"): "linux/arm64"})
    by_tag = builder.push_list("corrected", registry, "built/corrected:1")
    (entry,) = registry.pull("built/corrected", "1", images.OCI_INDEX).json["manifests"]
    assert entry["platform"] == images.platform("linux/arm64")
    by_both = f"{by_tag}@{entry['digest']}"
    assert apply(cluster, namespace, "by-tag", by_tag, **ARM) == Verdict("allow")
    assert apply(cluster, namespace, "by-both", by_both, **ARM) == Verdict("allow")
    # By the list it is an image for arm64, whatever its config says: a pull for amd64 is refused.
    assert apply(cluster, namespace, "refused", by_tag, **AMD).decision == "deny"
    code, document, _ = podgate.run_json("inspect", by_tag)
    assert code == 0
    (found,) = document["images"]
    assert (found["kind"], found["platforms"]) == ("index", ["linux/arm64"])
    assert found["entries"][0]["digest"] == entry["digest"]
