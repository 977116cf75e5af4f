"""The lookup of an image: the cases of area manifest, roots of other kinds, and the bounds of a walk."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from tests.support import images
from tests.support.images import Content, Image
from tests.support.runtimes import CRIO, DOCKERD, NEW, OLD, OTHER
from tests.support.walks import document, drive, examined, offered, on, outcome
from webhook.core.descriptor import Descriptor
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.lookup import Lists
from webhook.core.manifest import Document
from webhook.core.platform import Platform
from webhook.core.pull import PullRefused, pull
from webhook.core.runtime import Runtime
from webhook.core.selection import MAX_CONCLUSIONS, MAX_NESTING, takes

# man-index-right-config-wrong, man-attestations, man-single-manifest-not-amd64, man-artifact-and-empty-config


@pytest.mark.parametrize("runtime", [OLD, NEW, DOCKERD, CRIO])
def test_a_fitting_entry_decides_without_a_second_request(runtime):
    found = examined(images.mislabelled("linux/arm64", "linux/amd64"), "linux/arm64", runtime)
    assert (found.answer.outcome.verdict, found.answer.outcome.why, found.wants) == ("runs", "fits", [])


def test_attestations_fit_no_node_and_are_no_platform():
    both = images.attested(images.multi("linux/amd64"))
    assert outcome(both, "linux/amd64") == "runs fits"
    assert outcome(both, "linux/arm64") == "fails no-matching-entry"
    assert offered(both) == ["linux/amd64"]
    proof = both.manifests[-1]
    only = images.with_root(both, images.index([images.entry(proof, "unknown/unknown")]))
    assert outcome(only, "linux/amd64") == outcome(only, "linux/arm64") == "fails no-matching-entry"
    assert offered(only) == []
    half = images.multi("linux/unknown", "unknown/arm64")
    assert outcome(half, "linux/amd64") == outcome(half, "linux/arm64") == "fails no-matching-entry"


def test_the_annotation_of_attestations_decides_nothing():
    inner = images.single("linux/amd64")
    marked = images.entry(inner.root, "linux/amd64", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    assert outcome(images.with_root(inner, images.index([marked])), "linux/amd64") == "runs fits"


def test_no_platform_to_be_had_is_uncertain_never_a_guess():
    empty = Content("application/vnd.oci.empty.v1+json", b"{}")
    helm = Content("application/vnd.cncf.helm.config.v1+json", b'{"os":"linux","architecture":"amd64"}')
    bare = Content(images.OCI_CONFIG, b"{}")
    for image, wants in [
        (images.artifact(), 0),
        (Image(images.manifest(empty), (), (empty,)), 0),
        (Image(images.manifest(helm), (), (helm,)), 0),  # a foreign config is not even asked for
        (Image(images.manifest(bare), (), (bare,)), 1),
        (images.single(None), 1),
    ]:
        found = examined(image, "linux/amd64")
        assert (found.answer.outcome.verdict, found.answer.outcome.why) == ("uncertain", "platform-unknown")
        assert found.answer.platforms == ()
        assert len(found.wants) == wants
        assert offered(image) == []


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", "application/json", "text/html"])
def test_old_names_of_image_configs(media_type):
    config = Content(media_type, images.config("linux/arm64").body)
    assert outcome(Image(images.manifest(config), (), (config,)), "linux/amd64") == "fails config-mismatch"


def test_an_empty_os_in_an_image_is_the_nodes():
    config = images.document(images.OCI_CONFIG, {"architecture": "amd64", "rootfs": {}})
    single = Image(images.manifest(config), (), (config,))
    assert outcome(single, "windows/amd64") == outcome(single, "linux/amd64") == "runs fits"
    assert outcome(single, "linux/arm64") == "fails config-mismatch"


def test_an_embedded_config_is_used_where_it_is_the_one_of_the_digest():
    config = images.config("linux/amd64")
    good = config.descriptor(data="e30=")
    for data, size, wants in [
        (_base64(config.body), len(config.body), 0),
        (_base64(config.body), 7, 1),
        ("e30=", 2, 1),  # another document than the digest's: asked for
    ]:
        root = images.document(images.OCI_MANIFEST, {"config": {**good, "data": data, "size": size}, "layers": []})
        found = examined(Image(root, (), (config,)), "linux/amd64")
        assert (found.answer.outcome.why, len(found.wants)) == ("fits", wants)


def _base64(body):
    return base64.b64encode(body).decode()


@pytest.mark.parametrize("claims", ["wasip1/wasm", "wasi/wasm", "linux/wasm", "wasi/amd64"])
def test_a_root_manifest_for_wasm_is_uncertain(claims):
    assert outcome(images.single(claims), "linux/amd64") == "uncertain platform-unknown"


def test_an_index_of_wasm_alone_fits_no_ordinary_node():
    assert outcome(images.multi("wasi/wasm"), "linux/amd64") == "fails no-matching-entry"


# Entries without a platform


def test_containerd_looks_into_the_first_entry_without_a_platform_and_no_further():
    image = images.listed([(None, images.single("linux/arm64")), (None, images.single("linux/amd64"))])
    for runtime in (OLD, NEW):
        found = examined(image, "linux/arm64", runtime)
        assert found.answer.outcome.why == "fits"
        assert [want.split()[0] for want in found.wants] == ["manifest", "config"]
        assert outcome(image, "linux/amd64", runtime) == "fails no-matching-entry"


def test_crio_takes_it_unseen_so_nobody_knows():
    image = images.listed([("linux/s390x", images.single("linux/s390x")), (None, images.single("linux/arm64"))])
    found = examined(image, "linux/arm64", CRIO)
    assert (found.answer.outcome.verdict, found.answer.outcome.why) == ("uncertain", "platform-unknown")
    assert found.wants == []
    docker = images.listed([(None, images.single("linux/arm64", docker=True))], docker=True)
    assert outcome(docker, "linux/arm64", CRIO) == "fails no-matching-entry"
    assert outcome(docker, "linux/arm64") == "runs fits"


def test_an_entry_without_a_platform_comes_after_all_that_fit():
    image = images.listed([(None, images.single("linux/arm64")), ("linux/amd64", images.single("linux/amd64"))])
    for runtime in (OLD, NEW, CRIO, OTHER):
        found = examined(image, "linux/amd64", runtime)
        assert (found.answer.outcome.why, found.wants) == ("fits", [])


# Nested indexes


def _nested(depth, platform="linux/arm64"):
    image = images.multi(platform)
    for _ in range(depth):
        image = images.listed([(None, image)])
    return image


def test_containerd_walks_nested_indexes_and_crio_does_not():
    image = _nested(2)
    assert outcome(image, "linux/arm64") == "runs fits"
    assert outcome(image, "linux/amd64") == "fails no-matching-entry"
    assert outcome(image, "linux/arm64", CRIO) == "fails no-matching-entry"


def test_nesting_is_bounded():
    assert outcome(_nested(MAX_NESTING), "linux/arm64") == "runs fits"
    with pytest.raises(MalformedDocument, match="nested"):
        outcome(_nested(MAX_NESTING + 1), "linux/arm64")


def test_a_document_that_is_not_there_stops_the_walk():
    image = _nested(1)
    with pytest.raises(RegistryError) as caught:
        outcome(Image(image.root), "linux/arm64")
    assert caught.value.code == "not-found"


@pytest.mark.parametrize("digest", ["", "x", "sha256:../../../secret", "sha256:" + "A" * 64, "md5:abc"])
def test_only_a_digest_is_ever_asked_for(digest):
    config = {"mediaType": images.OCI_CONFIG, "digest": digest, "size": 5}
    root = images.document(images.OCI_MANIFEST, {"config": config, "layers": []})
    with pytest.raises(MalformedDocument, match="digest"):
        outcome(Image(root), "linux/amd64")
    silent = images.index([{"mediaType": images.OCI_MANIFEST, "digest": digest, "size": 5}])
    with pytest.raises(MalformedDocument, match="digest"):
        outcome(Image(silent), "linux/amd64")
    entry = {
        "mediaType": images.OCI_MANIFEST,
        "digest": digest,
        "size": 5,
        "platform": {"os": "linux", "architecture": "arm64"},
    }
    lists = Lists(reached=(document(images.index([entry])),))
    assert examined(images.single("linux/amd64"), "linux/arm64", lists=lists).wants[-1] == "lists"


# Other roots


SCHEMA1 = Content("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion":1,"fsLayers":[]}')


@pytest.mark.parametrize(
    ("runtime", "verdict"),
    [(NEW, "fails"), (OLD, "uncertain"), (DOCKERD, "uncertain"), (CRIO, "uncertain"), (OTHER, "uncertain")],
)
def test_schema_1_fails_where_it_is_no_longer_pulled(runtime, verdict):
    for media_type in (SCHEMA1.media_type, ""):
        assert outcome(Image(Content(media_type, SCHEMA1.body)), "linux/amd64", runtime) == f"{verdict} unsupported"


@pytest.mark.parametrize("body", [b"<!doctype html>", b"{}", b"[]", b"null", b'{"schemaVersion":2}'])
def test_what_is_neither_index_nor_manifest_is_malformed(body):
    with pytest.raises(MalformedDocument):
        outcome(Image(Content("text/html", body)), "linux/amd64")


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", SCHEMA1.media_type])
def test_containerd_pulls_no_entry_of_another_media_type_whatever_its_platform(media_type):
    """ "unexpected media type" (images.Manifest); CRI-O and dockerd go by the Content-Type of what they are sent."""
    fitting = images.single("linux/amd64")
    listing = images.index([images.entry(fitting.root, "linux/amd64") | {"mediaType": media_type}])
    image = images.with_root(fitting, listing)
    for runtime in (NEW, OLD):
        assert outcome(image, "linux/amd64", runtime) == "fails unsupported"
        assert outcome(image, "linux/arm64", runtime) == "fails no-matching-entry"
    assert outcome(image, "linux/amd64", CRIO) == outcome(image, "linux/amd64", DOCKERD) == "runs fits"
    assert outcome(image, "linux/amd64", OTHER) == "uncertain matchers-disagree"


def test_an_image_volume_fails_only_for_an_index_without_a_fitting_entry():
    def mounted(image, runtime=NEW):
        found = examined(image, "linux/amd64", runtime, volume=True)
        return f"{found.answer.outcome.verdict} {found.answer.outcome.why}"

    assert mounted(images.multi("linux/arm64")) == "fails no-matching-entry"
    assert mounted(images.multi("linux/amd64")) == "runs fits"
    assert mounted(images.listed([(None, images.single("linux/arm64"))]), CRIO) == "runs fits"
    for image in (images.single("linux/arm64"), images.artifact(), images.single(None), Image(SCHEMA1)):
        assert mounted(image) == "runs fits"
    assert examined(images.single("linux/arm64"), "linux/amd64", volume=True).wants == []


# The walk that the service drives, against the whole pull that golden/select has recorded

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "select.jsonl.gz"


@pytest.mark.parametrize("runtime", ["docker://28.1.0", "containerd://2.0.5", "containerd://2.4.2"])
def test_what_an_index_gives_is_what_a_pull_that_works_ends_with(runtime):
    reading = Runtime.parse(runtime)
    compared = {"fits": 0, "none": 0}
    for line in gzip.decompress(GOLDEN.read_bytes()).splitlines():
        question = json.loads(line)["in"]
        contents = {digest: Content("", text.encode()) for digest, text in question["blobs"].items()}
        name, media_type = question["root"]["digest"], question["root"]["media_type"]
        root = Document(media_type, name, contents[name].body if name in contents else b"")
        if media_type not in {images.OCI_INDEX, images.DOCKER_LIST}:
            continue
        node = _golden_node(question["node"])
        try:
            blobs = {digest: content.body for digest, content in contents.items()}
            transfer = reading.selection == "transfer"
            pull(Descriptor(media_type, name, len(root.body)), blobs, node, reading.library, transfer=transfer)
            expected = "fits"
        except PullRefused as refused:
            if refused.pulling or refused.reason not in {"no_match", "missing"}:
                continue
            if refused.reason == "missing" and not transfer:
                continue
            expected = "none"  # a lookup that misses what the filter has not let through
        taken = drive(takes(root, node, reading), contents).answer
        assert taken == expected, question
        compared[expected] += 1
    assert min(compared.values()) > 400, compared


def _golden_node(fields):
    features = tuple(fields.get("os_features") or ())
    return Platform(
        fields["os"], fields["architecture"], fields.get("variant", ""), fields.get("os_version", ""), features
    )


def test_what_the_root_alone_decides_is_concluded_once_for_each_kind_of_node():
    root = document(images.multi("linux/arm64").root)
    node, runtime = on("linux/arm64"), Runtime.parse(NEW)
    assert [drive(takes(root, node, runtime), {}).answer for _ in range(2)] == ["fits", "fits"]
    assert drive(takes(root, on("linux/amd64"), runtime), {}).answer == "none"
    assert drive(takes(root, node, Runtime.parse(CRIO)), {}).answer == "fits"
    assert len(root.conclusions) == 3
    for n in range(3 * MAX_CONCLUSIONS):
        drive(takes(root, on("linux/amd64", variant=f"v{n}"), runtime), {})
    assert len(root.conclusions) <= MAX_CONCLUSIONS


def test_what_other_documents_decide_is_asked_each_time():
    image = images.listed([(None, images.single("linux/arm64"))])
    root = document(image.root)
    for _ in range(2):
        assert len(drive(takes(root, on("linux/arm64"), Runtime.parse(NEW)), image.documents).wants) == 2
