"""moby's order: the four steps of the lookup (design, section 2), each with real documents."""

import json
from unittest.mock import Mock

import pytest

from tests.support import images
from tests.support.images import Image
from tests.support.runtimes import DOCKERD
from tests.support.walks import CONTAINERD, document, drive, examined, on, outcome
from webhook.core.errors import MalformedDocument
from webhook.core.lookup import MAX_MANIFESTS, Config, Lists, examine, look_up
from webhook.core.manifest import Document
from webhook.core.platform import LATEST, Platform, format_platform
from webhook.core.runtime import Runtime

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
    """moby asks for all. Whether one of those that are not asked for has the config nobody knows: no mismatch."""
    entries = [
        {"mediaType": images.OCI_MANIFEST, "digest": f"sha256:{n:064x}", "size": 1, "platform": on_fields("arm64")}
        for n in range(3_000)  # more would be over moby's READ_LIMIT, and so be no list
    ]
    lists = Lists(reached=(document(images.index(entries)),))
    image = images.single("linux/amd64")
    contents = Mock(get=Mock(side_effect=image.documents.get))
    walk = examine(document(image.root), on("linux/arm64"), Runtime.parse(CONTAINERD))
    with pytest.raises(MalformedDocument, match="256"):
        drive(walk, contents, lists)
    assert contents.get.call_count == 1 + MAX_MANIFESTS  # the config comes first


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
