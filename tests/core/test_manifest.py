"""Documents: kinds, views, and everything a registry may send instead."""

import json

import pytest

from tests.support import images
from tests.support.walks import document
from webhook.core.descriptor import digest_algorithm, digest_problem
from webhook.core.errors import MalformedDocument
from webhook.core.manifest import ContradictoryDocument, Document, named
from webhook.core.platform import Platform, format_platform

SHA = "sha256:" + "a" * 64


def of(value, media_type=""):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Document(media_type, SHA, body)


# Kinds: the Content-Type, else the body's mediaType, else the shape (reg-mediatype-absent, reg-unlabelled-content-type)


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        (images.OCI_INDEX, {}, "index"),
        (images.DOCKER_LIST, {"mediaType": images.OCI_MANIFEST}, "index"),
        (images.OCI_MANIFEST, {}, "manifest"),
        (images.DOCKER_MANIFEST, {"manifests": []}, "manifest"),
        ("application/vnd.docker.distribution.manifest.v1+json", {}, "schema1"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", b"no json", "schema1"),
        ("text/plain", {"mediaType": images.OCI_MANIFEST}, "manifest"),
        ("application/json", {"mediaType": images.DOCKER_LIST}, "index"),
        ("", {"mediaType": images.OCI_INDEX, "config": {}}, "index"),
        ("", {"manifests": []}, "index"),
        ("", {"manifests": None}, "index"),
        ("", {"config": {}, "layers": []}, "manifest"),
        ("", {"CONFIG": {}}, "manifest"),
        ("", {"schemaVersion": 1, "fsLayers": []}, "schema1"),
        ("application/octet-stream", {"schemaVersion": 2}, "unknown"),
        ("", {"mediaType": "application/vnd.other", "layers": []}, "unknown"),
    ],
)
def test_kind(content_type, body, kind):
    assert of(body, content_type).kind == kind


@pytest.mark.parametrize("body", [b"", b"<!doctype html>", b"{", b"NaN", b"\xff"])
def test_without_a_usable_type_the_body_must_be_json(body):
    with pytest.raises(MalformedDocument):
        _ = of(body, "text/html").kind


# Index


def test_an_index_of_both_families():
    for docker in (False, True):
        image = images.listed(
            [("linux/arm/v7", images.single("linux/arm/v7")), (None, images.single("linux/amd64"))], docker=docker
        )
        index = document(image.root).index
        first, second = index.entries
        assert first.platform == Platform("linux", "arm", "v7")
        assert second.platform is None
        assert (first.digest, second.digest) == tuple(content.digest for content in image.manifests)
        assert first.media_type == images.OCI_MANIFEST


def test_platforms_are_those_declared_each_once_in_order():
    names = ["linux/arm64/v8", "windows/amd64:10.0.17763.1", "linux/arm64/v8", "linux/unknown", "unknown/amd64"]
    index = document(images.attested(images.multi(*names)).root).index
    assert [format_platform(one) for one in index.platforms] == ["linux/arm64/v8", "windows/amd64:10.0.17763.1"]
    assert [entry.attestation for entry in index.entries] == [False] * 5 + [True] * 5


@pytest.mark.parametrize("platform", [{}, None, {"os": "linux"}, {"architecture": ""}])
def test_an_entry_that_names_no_architecture_declares_no_platform(platform):
    assert of({"manifests": [{"platform": platform}]}, images.OCI_INDEX).index.platforms == ()


def test_named():
    assert named(Platform("linux", "amd64"))
    assert named(Platform("", "amd64"))
    assert not named(Platform("linux", "unknown"))


@pytest.mark.parametrize("body", [{}, {"manifests": None}, {"manifests": []}, b"null"])
def test_an_index_may_be_empty(body):
    assert of(body, images.OCI_INDEX).index.entries == ()


# Contradictions, as containerd refuses them


@pytest.mark.parametrize(
    "body",
    [
        {"manifests": [], "config": {}},
        {"manifests": [], "config": None},
        {"manifests": [], "layers": []},
        {"manifests": [], "mediaType": images.DOCKER_MANIFEST},
        {"manifests": [], "FSLAYERS": []},
    ],
)
def test_an_index_with_parts_of_a_manifest_is_refused(body):
    with pytest.raises(ContradictoryDocument):
        _ = of(body, images.OCI_INDEX).index


@pytest.mark.parametrize(
    "body", [{"config": {}, "manifests": []}, {"config": {}, "mediaType": images.OCI_INDEX}, {"fsLayers": None}]
)
def test_a_manifest_with_parts_of_an_index_is_refused(body):
    with pytest.raises(ContradictoryDocument):
        _ = of(body, images.OCI_MANIFEST).manifest


# Hostile documents


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"manifests": {}}, "manifests"),
        ({"manifests": [1]}, "manifests[0]"),
        ({"manifests": [{}, {"platform": "linux/amd64"}]}, "manifests[1].platform"),
        ({"manifests": [{"platform": {"os": 1}}]}, "manifests[0].platform.os"),
        ({"manifests": [{"platform": {"os.features": "x"}}]}, "manifests[0].platform.os.features"),
        ({"manifests": [{"size": "2"}]}, "manifests[0].size"),
        ({"manifests": [{"annotations": []}]}, "manifests[0].annotations"),
        ({"annotations": {"a": 1}}, "annotations.a"),
        ({"schemaVersion": "2"}, "schemaVersion"),
        (b'{"manifests":[{"size":1e400}]}', "manifests[0].size"),
    ],
)
def test_the_error_leads_to_the_field_and_stays(body, path):
    bad = of(body, images.OCI_INDEX)
    for _ in range(2):
        with pytest.raises(MalformedDocument) as caught:
            _ = bad.index
        assert caught.value.path == path


def test_a_document_is_parsed_once():
    root = document(images.multi("linux/amd64").root)
    assert root.index is root.index
    single = document(images.single("linux/amd64").root)
    assert single.manifest is single.manifest


@pytest.mark.parametrize("view", ["index", "manifest", "config_platform"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"manifests":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
        b'{"x":"' + b"\\ud800" * 200_000 + b'"}',
        b'{"manifests":[' + b"null," * 100_000 + b"null]}",
        b"{" + b'"manifests":[{}],' * 100_000 + b'"manifests":[{"platform":{"os":"a"}}]}',
        b'{"size":' + b"9" * 2_000_000 + b"}",
        b'{"\xff\xfe":"\xc3("}',
        b"\x00" * 100_000,
    ],
)
def test_no_document_raises_anything_but_malformed(body, view):
    hostile = of(body, {"index": images.OCI_INDEX, "manifest": images.OCI_MANIFEST}.get(view, images.OCI_CONFIG))
    try:
        getattr(hostile, view)
    except MalformedDocument:
        return
    assert body.startswith((b'{"x"', b'{"manifests":[null', b"{" + b'"manifests"', b'{"size"', b'{"\xff'))


def test_ten_thousand_entries():
    entries = [images.entry(images.config(None, n=str(n)), "linux/arm64") for n in range(20)] * 500
    index = document(images.index(entries)).index
    assert len(index.entries) == 10_000
    assert index.platforms == (Platform("linux", "arm64"),)


def test_more_entries_are_there_only_to_cost_time():
    entries = [images.entry(images.config(None), "linux/arm64")] * 10_001
    with pytest.raises(MalformedDocument, match="more than 10000 entries"):
        _ = document(images.index(entries)).index


# Config


@pytest.mark.parametrize(
    ("body", "platform"),
    [
        (
            {"os": "linux", "architecture": "arm", "variant": "v6", "os.version": "1", "os.features": ["a"]},
            Platform("linux", "arm", "v6", "1", ("a",)),
        ),
        ({"OS": "linux", "Architecture": "arm64"}, Platform("linux", "arm64")),
        ({"architecture": "amd64"}, Platform("", "amd64")),
        (b'{"os":"linux","architecture":"arm64","architecture":"amd64"}', Platform("linux", "amd64")),
        ({"os": "linux", "architecture": "amd64", "os.features": None}, Platform("linux", "amd64")),
        (b'{"os":"linux","architecture":"am\xffd64"}', Platform("linux", "am\ufffdd64")),
        ({"os": "linux", "architecture": "amd64", "config": 5, "history": "x"}, Platform("linux", "amd64")),
        ({}, None),
        (None, None),
        ({"os": "linux"}, None),
        ({"os": "linux", "architecture": ""}, None),
    ],
)
def test_the_platform_of_a_config(body, platform):
    assert of(body).config_platform == platform


@pytest.mark.parametrize(
    ("body", "path"),
    [({"os": 1}, "os"), ({"architecture": ["amd64"]}, "architecture"), ([], ""), (b"", ""), (b"{} {}", "")],
)
def test_a_config_that_is_malformed(body, path):
    with pytest.raises(MalformedDocument) as caught:
        _ = of(body).config_platform
    assert caught.value.path == path


def test_a_manifest_and_its_config():
    image = images.single("linux/amd64")
    manifest = document(image.root).manifest
    assert manifest.config.digest == image.blobs[0].digest
    assert [layer.media_type for layer in manifest.layers] == [images.OCI_LAYER]
    assert manifest.has_image_config
    assert not document(images.artifact().root).manifest.has_image_config


@pytest.mark.parametrize(
    ("digest", "problem"),
    [
        (SHA, ""),
        ("sha512:" + "0" * 128, ""),
        ("sha256:" + "A" * 64, "format"),
        ("sha256:" + "a" * 63, "length"),
        ("sha256:", "format"),
        (":" + "a" * 64, "format"),
        ("", "format"),
        ("x", "format"),
        ("md5:abc", "algorithm"),
        ("MD5:abc", "format"),
        ("a+b:c_-=", "algorithm"),
    ],
)
def test_digests_as_go_digest_sees_them(digest, problem):
    assert digest_problem(digest) == problem
    assert (digest_algorithm(digest) is None) == bool(problem)


def test_a_document_of_too_many_values_is_refused_before_it_is_parsed():
    body = b'{"manifests":[' + b"{}," * 150_000 + b"{}]}"
    with pytest.raises(MalformedDocument, match="values"):
        _ = of(body, images.OCI_INDEX).index
    padded = document(images.multi("linux/amd64").root)
    long = Document(padded.media_type, SHA, padded.body + b" " * 4_000_000)
    assert long.index == padded.index
