"""Runtimes: what a node says of its own, and which index entry follows from that."""

import json
from dataclasses import replace

import pytest

from webhook.core import platform as p
from webhook.core.manifest import OCI_INDEX, OCI_MANIFEST, Document
from webhook.core.platform import Platform, format_platform, parse_platform
from webhook.core.runtime import Runtime, crio_node, isolation_of
from webhook.core.selection import takes


def taken(node: str, entry: str, runtime: Runtime) -> bool:
    """Whether the runtime takes the only entry of an index; asked without a further document."""
    platform = parse_platform(entry)
    declared = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    if platform.os_version:
        declared["os.version"] = platform.os_version
    assert format_platform(platform) == entry
    child = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{1:064}", "size": 2, "platform": declared}
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    walk = takes(Document(OCI_INDEX, f"sha256:{2:064}", body), parse_platform(node), runtime)
    with pytest.raises(StopIteration) as end:
        next(walk)
    return bool(end.value.value == "fits")


@pytest.mark.parametrize(
    ("text", "name", "version", "selection"),
    [
        ("docker://24.0.9", "docker", (24, 0, 9), "only"),
        ("docker://20.10.24", "docker", (20, 10, 24), "only"),
        ("docker://", "docker", (), "only"),
        ("containerd://1.6.36", "containerd", (1, 6, 36), "only"),
        ("containerd://1.7.27+unknown", "containerd", (1, 7, 27), "only"),
        ("containerd://1.7.28~ds1", "containerd", (1, 7, 28), "only"),
        ("containerd://2.0.5", "containerd", (2, 0, 5), "only"),
        ("containerd://2.1.0", "containerd", (2, 1, 0), "transfer"),
        ("containerd://v2.1.0", "containerd", (2, 1, 0), "transfer"),
        ("containerd://2.1", "containerd", (2, 1), "transfer"),
        ("containerd://2.1.4-k3s1", "containerd", (2, 1, 4), "transfer"),
        ("containerd://2.1.0-rc.1", "containerd", (2, 1, 0), "transfer"),
        ("containerd://2.10.0", "containerd", (2, 10, 0), "transfer"),
        ("containerd://3.0.0", "containerd", (3, 0, 0), "transfer"),
        (" Containerd://2.3.1 ", "containerd", (2, 3, 1), "transfer"),
        ("cri-o://1.33.0", "cri-o", (1, 33, 0), "crio"),
        ("cri-o://", "cri-o", (), "crio"),
        ("containerd://", "containerd", (), "unknown"),
        ("containerd://Unknown", "containerd", (), "unknown"),
        ("containerd://2", "containerd", (), "unknown"),
        ("containerd://1234567", "containerd", (), "unknown"),
        ("containerd://2.1f3e", "containerd", (), "unknown"),
        ("containerd://" + "9" * 5000 + ".1", "containerd", (), "unknown"),
        ("containerd://\u0662.\u0661", "containerd", (), "unknown"),
        ("containerd", "", (), "unknown"),
        ("other://9.9", "other", (9, 9), "unknown"),
        ("://2.1", "", (2, 1), "unknown"),
        ("", "", (), "unknown"),
    ],
)
def test_parse(text, name, version, selection):
    runtime = Runtime.parse(text)
    assert (runtime.text, runtime.name, runtime.version) == (text, name, version)
    assert runtime.selection == selection


@pytest.mark.parametrize(
    ("text", "library"),
    [
        ("containerd://1.7.27", p.V0_2),
        ("containerd://2.0.0", p.RC0),
        ("containerd://2.0.1", p.RC0),
        ("containerd://2.0.2", p.RC1),
        ("containerd://2.0.7", p.RC1),
        ("containerd://2.1.4", p.RC1),
        ("containerd://2.1.6", p.RC2),
        ("containerd://2.2.4", p.RC2),
        ("containerd://2.3.3", p.RC4),
        ("containerd://2.3.7", p.RC5),
        ("containerd://2.4.2", p.RC5),
        ("containerd://4.0", p.RC5),
        ("containerd://", p.LATEST),
        ("docker://27.5.1", p.V0_2),
        ("docker://28.5.2", p.RC1),
        ("docker://", p.LATEST),
        ("other://1.0", p.LATEST),
    ],
)
def test_library(text, library):
    assert Runtime.parse(text).library == library


@pytest.mark.parametrize(
    ("node", "runtime", "entry", "fits"),
    [
        ("linux/amd64", "docker://24.0.9", "linux/386", True),
        ("linux/amd64", "containerd://1.7.27", "linux/386", True),
        ("linux/amd64", "containerd://2.0.5", "linux/386", True),
        ("linux/amd64", "containerd://2.1.0", "linux/386", False),
        ("linux/amd64", "containerd://2.3.1", "linux/386", False),
        ("linux/amd64", "cri-o://1.33.0", "linux/386", False),
        ("linux/arm64", "containerd://2.0.5", "linux/arm/v7", True),
        ("linux/arm64", "containerd://2.1.0", "linux/arm/v7", False),
        ("linux/arm/v8", "containerd://1.7.27", "linux/arm/v7", True),
        ("linux/arm/v8", "containerd://2.1.4", "linux/arm/v7", False),
        ("linux/arm/v8", "cri-o://1.32.4", "linux/arm/v7", True),
        ("linux/arm/v7", "docker://20.10.24", "linux/arm64", False),
        ("linux/amd64/v3", "containerd://2.0.5", "linux/amd64/v2", True),
        ("linux/amd64/v3", "containerd://2.1.4", "linux/amd64/v2", False),
        ("linux/amd64/v3", "containerd://2.1.4", "linux/amd64/v3", True),
        ("linux/arm64/v10", "containerd://2.1.4", "linux/arm64/v10", False),  # fetched, and then not found
        ("windows/amd64:10.0.26200", "containerd://2.1.4", "windows/amd64:10.0.20348.1", True),
        ("windows/amd64:10.0.26200", "containerd://2.2.4", "windows/amd64:10.0.20348.1", False),
        ("windows/amd64:10.0.17763", "cri-o://1.32.4", "windows/amd64:10.0.20348.1", True),
    ],
)
def test_what_a_runtime_takes(node, runtime, entry, fits):
    assert taken(node, entry, Runtime.parse(runtime)) is fits


def test_cri_o_prefers_the_entry_spelled_v8():
    node = crio_node(Platform("linux", "arm64"))
    ranks = [p.crio(node, Platform("linux", "arm64", variant)) for variant in ("v8", "")]
    assert ranks == [(0, 0), (1, 0)]
    assert crio_node(Platform("linux", "arm", "v7")) == Platform("linux", "arm", "v7")
    assert crio_node(Platform("linux", "amd64")) == Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("node", "runtime", "entry", "readings"),
    [
        ("linux/amd64", "other://9.9", "linux/386", {True, False}),
        ("linux/amd64", "other://9.9", "linux/amd64", {True}),
        ("linux/amd64", "other://9.9", "linux/arm64", {False}),
        ("linux/amd64", "", "linux/amd64", {True}),
        ("linux/amd64", "containerd://", "linux/386", {True, False}),
        ("windows/amd64:10.0.17763", "", "windows/amd64:10.0.20348", {True, False}),
        ("windows/amd64:10.0.17763", "containerd://", "windows/amd64:10.0.20348", {False}),  # no CRI-O
        ("linux/amd64", "containerd://2.1.4", "linux/386", {False}),
    ],
)
def test_readings(node, runtime, entry, readings):
    assert {taken(node, entry, reading) for reading in Runtime.parse(runtime).readings()} == readings


def test_every_reading_has_a_way():
    for text in ("", "other://9.9", "containerd://"):
        assert "unknown" not in {reading.selection for reading in Runtime.parse(text).readings()}
    known = Runtime.parse("containerd://2.1.4")
    assert known.readings() == (known,)


@pytest.mark.parametrize(
    ("handler", "isolation"),
    [
        ("runhcs-wcow-hypervisor", "hyperv"),
        ("runhcs-wcow-hypervisor-17763", "hyperv"),
        ("Windows-HyperV", "hyperv"),
        ("hyper-v", "hyperv"),
        ("runhcs-wcow-process", "process"),
        ("docker", "process"),
        ("", "process"),
        (None, "unknown"),
    ],
)
def test_isolation_by_the_handler(handler, isolation):
    assert isolation_of(handler) == isolation


@pytest.mark.parametrize(
    "runtime", ["containerd://1.7.27", "containerd://2.0.5", "containerd://2.1.4", "docker://28.1.0"]
)
@pytest.mark.parametrize(
    ("host", "image", "process", "hyperv"),
    [
        ("10.0.20348", "10.0.20348.2227", True, True),
        ("10.0.20348", "10.0.17763.5", False, True),
        ("10.0.20348", "10.0.14393", False, True),
        ("10.0.20348", "10.0.26100", False, False),
        ("10.0.17763", "10.0.17763", True, True),
        ("10.0.17763", "10.0.14393", False, True),
        ("10.0.17763", "10.0.20348", False, False),
        ("10.0.26100", "10.0.20348", True, True),
        ("10.0.26100", "10.0.17763", False, True),
    ],
)
def test_hyper_v_takes_older_builds(runtime, host, image, process, hyperv):
    node, entry, plain = f"windows/amd64:{host}", f"windows/amd64:{image}", Runtime.parse(runtime)
    assert taken(node, entry, plain) is process
    assert taken(node, entry, replace(plain, isolation="hyperv")) is hyperv
    assert taken(node.replace("amd64", "arm64"), entry, replace(plain, isolation="hyperv")) is False


def test_an_isolation_that_is_not_known_is_read_either_way():
    unknown = replace(Runtime.parse("containerd://2.1.4"), isolation="unknown")
    assert [reading.isolation for reading in unknown.readings()] == ["process", "hyperv"]
    assert len(replace(Runtime(), isolation="unknown").readings()) == 2 * len(Runtime().readings())
    assert {reading.isolation for reading in replace(Runtime(), isolation="hyperv").readings()} == {"hyperv"}
