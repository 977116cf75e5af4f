"""The platform of a node, as far as the Kubernetes API shows it."""

from collections.abc import Mapping

from webhook.core.gotext import to_lower
from webhook.core.platform import Platform

OS_LABEL = "kubernetes.io/os"
ARCH_LABEL = "kubernetes.io/arch"
VARIANT_LABEL = "podgate.dev/variant"
WINDOWS_BUILD_LABEL = "node.kubernetes.io/windows-build"

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


def _told(*sources: str) -> str:
    """The first source that says something, in lower case; empty where none does."""
    spoken = (to_lower(source) for source in sources)
    return next((word for word in spoken if word not in _NO_PLATFORM), "")
