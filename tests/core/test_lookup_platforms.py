"""Which platforms fit which nodes: the rows of area platform, as indexes and as single manifests."""

import pytest

from tests.support import images
from tests.support.runtimes import CRIO, DOCKERD, NEW, OLD, OTHER
from tests.support.walks import on, outcome

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
    # a Windows node whose build nobody has told
    ("windows/amd64", "", NEW, ["windows/amd64:10.0.17763.1"], "uncertain node-platform-unknown"),
    ("windows/amd64", "", OLD, ["windows/amd64:10.0.17763.1", "linux/amd64"], "uncertain node-platform-unknown"),
    ("windows/amd64", "", NEW, ["windows/amd64:10.0.17763.1", "windows/amd64"], "runs fits"),
    ("windows/amd64", "", OTHER, ["windows/amd64"], "runs fits"),
    ("windows/amd64", "", NEW, ["linux/amd64"], "fails no-matching-entry"),
    ("windows/amd64:10.0.17763", "", NEW, ["windows/amd64:10.0.17763.1"], "runs fits"),
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
