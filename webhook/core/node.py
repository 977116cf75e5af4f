"""The platform of a node, as far as the Kubernetes API shows it, and those that it emulates."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from webhook.core.errors import MalformedPlatform
from webhook.core.gotext import to_lower
from webhook.core.platform import Platform, parse_platform

OS_LABEL = "kubernetes.io/os"
ARCH_LABEL = "kubernetes.io/arch"
VARIANT_LABEL = "podgate.dev/variant"
WINDOWS_BUILD_LABEL = "node.kubernetes.io/windows-build"

EMULATES: Final = "podgate.dev/emulates"
"""A node's label or annotation that names the platforms which it emulates."""

_NO_PLATFORM = frozenset({"", "unknown"})
"""What says nothing: unknown/unknown, taken for a platform, would fit attestations."""


def node_platform(node_info: Mapping[str, str], labels: Mapping[str, str]) -> Platform | None:
    """The platform a node takes images for, from status.nodeInfo, failing that from the labels of the kubelet.

    Kubernetes publishes no CPU variant: 32-bit arm counts as v7 unless the label podgate.dev/variant says otherwise.
    os_version is the Windows build ("10.0.20348"), empty elsewhere. None: the node says no os or no architecture, and
    what runs there is uncertain.
    """
    system = _told(node_info.get("operatingSystem", ""), labels.get(OS_LABEL, ""))
    architecture = _told(node_info.get("architecture", ""), labels.get(ARCH_LABEL, ""))
    if not system or not architecture:
        return None
    variant = to_lower(labels.get(VARIANT_LABEL, "")) or ("v7" if architecture == "arm" else "")
    build = ""
    if system == "windows":
        build = labels.get(WINDOWS_BUILD_LABEL, "") or node_info.get("kernelVersion", "")
    return Platform(system, architecture, variant, build)


def kubelet_labels(platform: Platform) -> dict[str, str]:
    """The labels that a kubelet gives its node, as far as they tell the platform; the older names are still among them
    (k8s.io/kubernetes v1.37.2, pkg/kubelet/kubelet_node_status.go, initialNode)."""
    system, architecture = platform.os, platform.architecture
    return {
        OS_LABEL: system,
        ARCH_LABEL: architecture,
        "beta.kubernetes.io/os": system,
        "beta.kubernetes.io/arch": architecture,
    }


def with_build(platform: Platform, labels: Mapping[str, str]) -> Platform:
    """A Windows platform that names no build, with the one that the labels beside it name."""
    if platform.os != "windows" or platform.os_version:
        return platform
    return replace(platform, os_version=labels.get(WINDOWS_BUILD_LABEL, ""))


def emulated_platforms(labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[Platform, ...]:
    """The platforms that a node emulates (by binfmt_misc and QEMU, say), on the word of whoever labelled it.

    The annotation has them as people write platforms: `linux/amd64,linux/arm/v7`. A label's value may hold neither
    slash nor comma, so that there it is `linux-amd64_linux-arm-v7`. Both are read in either place, and count together.
    x86_64 is read in both, though it has the mark between two platforms in it.
    What is no platform is passed over: a slip must not take away what is right beside it.
    """
    found: dict[Platform, None] = {}
    for text in (annotations.get(EMULATES, ""), labels.get(EMULATES, "")):
        for word in _words(text)[:_MOST_EMULATED]:
            try:
                found[parse_platform(word)] = None
            except MalformedPlatform:
                continue
    return tuple(found)


def _words(text: str) -> list[str]:
    """The platforms of a text in their usual spelling. A word with a slash has it already, x86_64 and all."""
    words: list[str] = []
    for word in _BETWEEN.split(text):
        words += [word] if "/" in word else _X86_64.sub("amd64", word).replace("-", "/").split("_")
    return list(filter(None, words))


_X86_64: Final = re.compile("(?i)x86[-_]64")
_BETWEEN: Final = re.compile(r"[,;\s]+")
_MOST_EMULATED: Final = 16
"""Words that are read: QEMU has some ten Linux platforms that images are built for, and each costs a comparison."""


def _told(*sources: str) -> str:
    """The first source that says something, in lower case; empty where none does."""
    spoken = (to_lower(source) for source in sources)
    return next((word for word in spoken if word not in _NO_PLATFORM), "")
