"""The test images are what the tests that use them take them for."""

import gzip
import io
import tarfile

from tests.support import images


def test_the_same_image_has_the_same_bytes_and_another_text_makes_another_image():
    assert images.single("linux/amd64") == images.single("linux/amd64")
    assert images.single("linux/amd64").digest != images.single("linux/amd64", text="other\n").digest


def test_platforms_are_written_as_in_an_index():
    assert images.platform("linux/arm/v7") == {"architecture": "arm", "os": "linux", "variant": "v7"}
    windows = {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1"}
    assert images.platform("windows/amd64:10.0.17763.1") == windows


def test_an_image_holds_everything_that_its_root_refers_to():
    image = images.attested(images.multi("linux/amd64", "linux/arm64"))
    for one in (image.root, *image.manifests):
        value = one.json
        for described in (*value.get("manifests", ()), *value.get("layers", ()), value.get("config")):
            if described is not None:
                content = image.documents[described["digest"]]
                assert described == {**described, "mediaType": content.media_type, "size": len(content.body)}


def test_a_layer_is_a_tar_whose_digest_is_the_diff_id_of_the_config():
    config, layer = images.single("linux/amd64", text="bytes\n").blobs
    tar = gzip.decompress(layer.body)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        member = archive.extractfile("hello")
        assert member is not None
        assert member.read() == b"bytes\n"
    assert config.json["rootfs"]["diff_ids"] == [images.digest_of(tar)]


def test_a_mislabelled_image_has_a_list_and_a_config_that_contradict_each_other():
    image = images.mislabelled("linux/arm64", "linux/amd64")
    (described,) = image.root.json["manifests"]
    (manifest,) = image.manifests
    assert described["platform"]["architecture"] == "arm64"
    assert described["digest"] == manifest.digest
    assert image.documents[manifest.json["config"]["digest"]].json["architecture"] == "amd64"
