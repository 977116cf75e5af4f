"""moby's order and what follows from it: the cases of areas manifest and platform, and the four steps one by one."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from tests.support import images
from tests.support.images import Content, Image
from tests.support.walks import document, drive, examined, offered, on, outcome
from webhook.core.descriptor import Descriptor
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.lookup import MAX_MANIFESTS, Config, Lists, look_up
from webhook.core.manifest import Document
from webhook.core.platform import LATEST, Platform, format_platform
from webhook.core.pull import PullRefused, pull
from webhook.core.runtime import Runtime
from webhook.core.selection import MAX_CONCLUSIONS, MAX_NESTING, takes

OLD, NEW, DOCKERD, CRIO, OTHER = (
    "containerd://1.7.27",
    "containerd://2.1.4",
    "docker://24.0.9",
    "cri-o://1.32.4",
    "other://9.9",
)


# The four steps of the lookup (design, section 2), each with real documents.


def test_step_1_the_config_fits():
    found = examined(images.single("linux/arm64"), "linux/arm64")
    assert str(found.answer.outcome.why) == "fits"
    assert [want.split()[0] for want in found.wants] == ["config"]


def test_step_2_the_config_gives_no_variant():
    image = images.single("linux/arm")
    found = examined(image, on("linux/arm", variant="v6"))
    assert (found.answer.outcome.verdict, found.answer.outcome.why) == ("runs", "fits-variant-not-given")
    assert "lists" not in found.wants
    # a variant that is given must fit
    assert outcome(images.single("linux/arm/v7"), on("linux/arm", variant="v6")) == "fails config-mismatch"


def test_step_3_a_list_that_belongs_to_the_image_contradicts_the_config():
    listed = images.mislabelled("linux/arm64", "linux/amd64")
    pinned = Image(listed.manifests[0], (), listed.blobs)
    lists = Lists(reached=(document(listed.root),))
    found = examined(pinned, "linux/arm64", lists=lists)
    assert (found.answer.outcome.verdict, found.answer.outcome.why) == ("runs", "fits-by-manifest-list")
    # the list leads back to the root, which is at hand: nothing but the config and the lists is asked for
    assert [want.split()[0] for want in found.wants] == ["config", "lists"]
    assert outcome(pinned, "linux/s390x", lists=lists) == "fails config-mismatch"


def test_step_3_a_list_that_is_merely_known_makes_it_uncertain():
    listed = images.mislabelled("linux/arm64", "linux/amd64")
    pinned = Image(listed.manifests[0], (), listed.blobs)
    known = Lists(known=(document(listed.root),))
    assert outcome(pinned, "linux/arm64", lists=known) == "uncertain config-contradicted"


def test_step_4_none_of_them_and_the_platforms_for_the_message():
    found = examined(images.single("linux/amd64"), "linux/arm64").answer
    assert (found.outcome.verdict, found.outcome.why) == ("fails", "config-mismatch")
    assert [format_platform(platform) for platform in found.platforms] == ["linux/amd64"]


def test_a_list_is_asked_for_only_when_the_config_does_not_decide():
    for claims, node in [("linux/arm64", "linux/arm64"), ("linux/386", "linux/amd64"), ("linux/arm", "linux/arm/v6")]:
        assert [want.split()[0] for want in examined(images.single(claims), node).wants] == ["config"]
    assert [want.split()[0] for want in examined(images.single("linux/arm64"), "linux/amd64").wants] == [
        "config",
        "lists",
    ]


# man-fallback-needs-same-config


def test_the_list_must_name_this_very_config():
    arm = images.single("linux/amd64", text="one")
    amd = images.single("linux/amd64", text="two")
    split = images.listed([("linux/arm64", arm), ("linux/amd64", amd)])
    lists = Lists(reached=(document(split.root),))
    other = Image(amd.root, split.manifests, split.blobs)
    assert outcome(other, "linux/arm64", lists=lists) == "fails config-mismatch"
    same = Image(arm.root, split.manifests, split.blobs)
    assert outcome(same, "linux/arm64", lists=lists) == "runs fits-by-manifest-list"


def test_the_entry_is_compared_by_only_which_goes_down():
    inner = images.single("linux/amd64", text="three")
    old = images.listed([("linux/arm/v6", inner)])
    lists = Lists(reached=(document(old.root),))
    assert outcome(inner, "linux/arm", DOCKERD, lists=lists) == "runs fits-by-manifest-list"


def test_a_manifest_of_a_list_that_is_not_there_is_passed_over():
    inner = images.single("linux/amd64")
    list_ = images.index(
        [
            {
                "mediaType": images.OCI_MANIFEST,
                "digest": "sha256:" + "0" * 64,
                "size": 1,
                "platform": on_fields("arm64"),
            },
            images.entry(inner.root, "linux/arm64"),
        ]
    )
    lists = Lists(reached=(document(list_),))
    assert outcome(inner, "linux/arm64", lists=lists) == "runs fits-by-manifest-list"


def on_fields(architecture):
    return {"os": "linux", "architecture": architecture}


def test_the_manifests_asked_for_in_one_lookup_are_bounded():
    entries = [
        {"mediaType": images.OCI_MANIFEST, "digest": f"sha256:{n:064x}", "size": 1, "platform": on_fields("arm64")}
        for n in range(3_000)  # more would be over moby's READ_LIMIT, and so be no list
    ]
    lists = Lists(reached=(document(images.index(entries)),))
    found = examined(images.single("linux/amd64"), "linux/arm64", lists=lists)
    assert sum(want.startswith("manifest") for want in found.wants) == MAX_MANIFESTS
    assert found.answer.outcome.why == "config-mismatch"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"manifests":null}', b'{"manifests":[{}]}', b'{"manifests":1}']
)
def test_what_is_no_list_is_no_list(body):
    lists = Lists(reached=(Document("", "sha256:x", body),))
    assert outcome(images.single("linux/amd64"), "linux/arm64", lists=lists) == "fails config-mismatch"


def test_the_lookup_alone_takes_an_entry_without_a_platform_for_none():
    body = json.dumps({"manifests": [{"mediaType": images.OCI_MANIFEST, "digest": "sha256:1", "size": 1}]}).encode()
    walk = look_up(Config("sha256:c", Platform("linux", "amd64")), Platform("linux", "arm64"), LATEST)
    found = drive(walk, {}, Lists(reached=(Document("", "sha256:x", body),)))
    assert (found.answer, found.wants) == ("mismatch", ["lists"])


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


# plat-*: rows of node (platform, variant, runtime), entries of an index, outcome

MATCHES = [
    ("linux/arm64", "v8", NEW, ["linux/arm64"], "runs fits"),
    ("linux/arm64", "", NEW, ["linux/arm64/v8"], "runs fits"),
    ("linux/arm64", "", NEW, ["linux/arm64/8"], "runs fits"),
    ("linux/arm64", "", NEW, ["linux/arm64/v8.0"], "runs fits"),
    ("linux/arm64", "", NEW, ["linux/arm64/8.0"], "fails no-matching-entry"),
    ("linux/arm64", "", DOCKERD, ["linux/arm64/8"], "runs fits"),
    ("linux/arm64", "", CRIO, ["linux/arm64/8"], "fails no-matching-entry"),
    ("linux/arm64", "", CRIO, ["linux/arm64/v8"], "runs fits"),
    ("linux/arm", "v7", NEW, ["linux/arm/v7", "linux/arm64/v8"], "runs fits"),
    ("linux/arm", "v7", "containerd://1.6.36", ["linux/arm/v7", "linux/arm64/v8"], "runs fits"),
    ("linux/arm", "v7", NEW, ["linux/arm64/v8"], "fails no-matching-entry"),
    ("linux/arm", "v7", "docker://20.10.24", ["linux/arm64"], "fails no-matching-entry"),
    ("linux/arm", "v8", OLD, ["linux/arm/v7"], "runs fits"),
    ("linux/arm", "v8", NEW, ["linux/arm/v7"], "fails no-matching-entry"),
    ("linux/amd64", "", DOCKERD, ["linux/386"], "runs fits"),
    ("linux/amd64", "", OLD, ["linux/386"], "runs fits"),
    ("linux/amd64", "", "containerd://2.0.5", ["linux/386"], "runs fits"),
    ("linux/amd64", "", "containerd://2.1.0", ["linux/386"], "fails no-matching-entry"),
    ("linux/amd64", "", "containerd://2.3.1", ["linux/386"], "fails no-matching-entry"),
    ("linux/amd64", "", CRIO, ["linux/386"], "fails no-matching-entry"),
    ("linux/arm64", "", DOCKERD, ["linux/arm/v7"], "runs fits"),
    ("linux/arm64", "", "containerd://2.0.5", ["linux/arm/v7"], "runs fits"),
    ("linux/arm64", "", "containerd://2.1.0", ["linux/arm/v7"], "fails no-matching-entry"),
    ("linux/arm64", "", CRIO, ["linux/arm/v7"], "fails no-matching-entry"),
    ("linux/amd64", "", OTHER, ["linux/386"], "uncertain matchers-disagree"),
    ("linux/amd64", "", OTHER, ["linux/amd64"], "runs fits"),
    ("linux/amd64", "", OTHER, ["linux/arm64"], "fails no-matching-entry"),
    ("linux/amd64", "", NEW, ["linux/amd64/v3"], "fails no-matching-entry"),
    ("linux/amd64", "", OLD, ["linux/amd64/v2"], "fails no-matching-entry"),
    ("linux/amd64", "", CRIO, ["linux/amd64/v3"], "fails no-matching-entry"),
    ("linux/amd64", "", NEW, ["linux/amd64/v1"], "runs fits"),
    ("linux/amd64", "", CRIO, ["linux/amd64/v1"], "fails no-matching-entry"),
    ("linux/amd64", "v3", "containerd://2.0.5", ["linux/amd64/v2"], "runs fits"),
    ("linux/amd64", "v3", NEW, ["linux/amd64/v2"], "fails no-matching-entry"),
    ("linux/amd64", "v3", NEW, ["linux/amd64/v3"], "runs fits"),
    # an exact entry beside a lesser one; a lesser one beside an entry that says nothing
    ("linux/amd64", "", NEW, ["linux/386", "linux/amd64"], "runs fits"),
    ("linux/amd64", "", NEW, ["linux/386", None], "fails no-matching-entry"),
]


@pytest.mark.parametrize(("node", "variant", "runtime", "entries", "expected"), MATCHES)
def test_an_index_on_a_node(node, variant, runtime, entries, expected):
    image = images.listed([(of, images.single("linux/amd64", text=str(of))) for of in entries])
    assert outcome(image, on(node, variant=variant), runtime) == expected


@pytest.mark.parametrize(
    ("node", "variant", "claims", "expected"),
    [
        ("linux/arm64", "", "linux/arm64/v8", "runs fits"),
        ("linux/arm64", "", "linux/arm64/8.0", "fails config-mismatch"),
        # Spellings that only later versions of the library know: the kernel does not ask a runtime how old it is.
        ("linux/arm64", "", "linux/arm64/v8.0", "runs fits"),
        ("linux/arm64", "v9", "linux/arm64/v8.5", "runs fits"),
        ("linux/amd64", "", "linux/386", "runs fits"),
        ("linux/arm64", "", "linux/arm/v7", "runs fits"),
        ("linux/amd64", "", "linux/amd64/v3", "fails config-mismatch"),
        ("linux/amd64", "v3", "linux/amd64/v2", "runs fits"),
    ],
)
def test_a_single_manifest_on_a_node(node, variant, claims, expected):
    for runtime in (OLD, "containerd://1.7.27", "containerd://2.0.0", "containerd://2.1.0", DOCKERD, CRIO, OTHER):
        assert outcome(images.single(claims), on(node, variant=variant), runtime) == expected


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
    entry = {"mediaType": images.OCI_MANIFEST, "digest": digest, "size": 5, "platform": on_fields("arm64")}
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
