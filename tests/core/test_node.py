"""What a node says of its platform."""

import pytest

from webhook.core.node import node_platform
from webhook.core.platform import Platform


def info(os: str = "", architecture: str = "", kernel: str = "") -> dict[str, str]:
    return {"operatingSystem": os, "architecture": architecture, "kernelVersion": kernel}


LABELS = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}


@pytest.mark.parametrize(
    ("node_info", "labels", "platform"),
    [
        (info("linux", "amd64", "6.1.0"), {}, Platform("linux", "amd64")),
        (info("Linux", "ARM64"), {}, Platform("linux", "arm64")),
        (info("linux", "amd64"), LABELS, Platform("linux", "amd64")),
        (info("", ""), LABELS, Platform("linux", "arm64")),
        ({}, LABELS, Platform("linux", "arm64")),
        (info("Linux", ""), LABELS, Platform("linux", "arm64")),
        (info("Linux", ""), {"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64"}, None),
        (info("", "amd64"), {}, None),
        ({}, {}, None),
        (info("unknown", "unknown"), {}, None),
        (info("unknown", "unknown"), LABELS, Platform("linux", "arm64")),
        (info("linux", "arm"), {}, Platform("linux", "arm", "v7")),
        (info("linux", "arm"), {"podgate.dev/variant": "v6"}, Platform("linux", "arm", "v6")),
        (info("linux", "arm64"), {"podgate.dev/variant": "V8.2"}, Platform("linux", "arm64", "v8.2")),
        (info("linux", "amd64"), {"podgate.dev/variant": "v3"}, Platform("linux", "amd64", "v3")),
        (info("linux", "amd64"), {"podgate.dev/variant": ""}, Platform("linux", "amd64")),
        (info("windows", "amd64", "10.0.20348.2227"), {}, Platform("windows", "amd64", "", "10.0.20348.2227")),
        (
            info("windows", "amd64", "10.0.20348.2227"),
            {"node.kubernetes.io/windows-build": "10.0.17763"},
            Platform("windows", "amd64", "", "10.0.17763"),
        ),
        (info("windows", "amd64"), {}, Platform("windows", "amd64")),
        (
            info("linux", "amd64", "5.10"),
            {"node.kubernetes.io/windows-build": "10.0.17763"},
            Platform("linux", "amd64"),
        ),
    ],
)
def test_node_platform(node_info, labels, platform):
    assert node_platform(node_info, labels) == platform
