"""What a node says of its platform."""

import pytest

from webhook.core.node import EMULATES, emulated_platforms, node_platform
from webhook.core.node_selector import valid_label_key, valid_label_value
from webhook.core.platform import Platform, format_platform


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


@pytest.mark.parametrize(
    ("label", "annotation", "platforms"),
    [
        ("", "linux/amd64,linux/arm/v7", ["linux/amd64", "linux/arm/v7"]),
        ("", " linux/s390x , linux/x86_64", ["linux/s390x", "linux/amd64"]),
        ("linux-amd64_linux-arm-v7", "", ["linux/amd64", "linux/arm/v7"]),
        ("linux/amd64,linux/s390x", "", ["linux/amd64", "linux/s390x"]),  # in settings, where no API server looks
        ("linux-x86_64_linux-arm64-v8", "", ["linux/amd64", "linux/arm64/v8"]),
        ("linux-arm64_linux-X86-64", "linux-x86_64", ["linux/amd64", "linux/arm64"]),
        ("linux-riscv64", "linux/amd64,linux/riscv64", ["linux/amd64", "linux/riscv64"]),
        ("true", "yes,/,linux/amd64/v2/v3,,linux/ppc64le", ["linux/ppc64le"]),
        ("", ",".join(f"linux/a{number}" for number in range(1000)), [f"linux/a{number}" for number in range(16)]),
        ("", "", []),
    ],
)
def test_what_a_node_emulates(label, annotation, platforms):
    found = emulated_platforms({EMULATES: label}, {EMULATES: annotation})
    assert list(map(format_platform, found)) == platforms


def test_why_there_are_two_spellings():
    """apimachinery pkg/util/validation, IsValidLabelValue: what the API server takes for a label's value."""
    assert not valid_label_value("linux/amd64")
    assert not valid_label_value("linux-amd64,linux-arm-v7")
    assert valid_label_value("linux-amd64_linux-arm-v7")
    assert valid_label_key(EMULATES)
