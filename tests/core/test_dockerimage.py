"""Image configs as dockerd reads them. Every expectation was given by Go to the same text and structure."""

import json

import pytest

from webhook.core.dockerimage import read_image
from webhook.core.errors import MalformedDocument
from webhook.core.platform import Platform


def test_the_platform_is_taken_and_rootfs_must_be_there():
    config = {"OS": "linux", "architecture": "arm64", "variant": "v8", "os.features": ["a"], "rootfs": {}}
    assert read_image(json.dumps(config).encode()) == Platform("linux", "arm64", "v8", "", ("a",))
    for body in (b"{}", b"null", b'{"rootfs":null}', b'{"rootfs":{},"rootfs":null}'):
        with pytest.raises(MalformedDocument, match="rootfs"):
            read_image(body)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ({"os": 1}, "os"),
        ({"config": {"Env": "x"}}, "config.Env"),
        ({"config": {"Cmd": 1}}, "config.Cmd"),
        ({"config": {"ExposedPorts": {"80/tcp": []}}}, "config.ExposedPorts.80/tcp"),
        ({"container_config": []}, "container_config"),
        ({"history": [{"empty_layer": "x"}]}, "history[0].empty_layer"),
        ({"size": 1.5}, "size"),
        ({"created": "2023-02-29T10:00:00Z"}, "created"),
        ({"created": "2024-01-01 10:00:00Z"}, "created"),
        ({"created": 1}, "created"),
        ({"rootfs": {"diff_ids": [1]}}, "rootfs.diff_ids[0]"),
    ],
)
def test_one_field_of_a_wrong_type_spoils_the_image(field, path):
    with pytest.raises(MalformedDocument) as caught:
        read_image(json.dumps({"rootfs": {}, **field}).encode())
    assert caught.value.path.startswith(path)


@pytest.mark.parametrize(
    "field",
    [
        {"config": {"Cmd": "one word", "Entrypoint": ["a"], "Shell": None, "StopTimeout": None, "Labels": {"a": "b"}}},
        {"config": None, "container_config": None, "history": None},
        {"created": "2024-02-29T1:00:00,5+24:60"},
        {"created": "0000-02-29T00:00:00Z"},
        {"history": [{"created": "2024-01-01T10:00:00Z", "created_by": "x"}, None]},
        {"unknown": {"anything": [1]}},
    ],
)
def test_what_go_takes(field):
    assert read_image(json.dumps({"rootfs": {}, "os": "linux", **field}).encode()) == Platform("linux")
