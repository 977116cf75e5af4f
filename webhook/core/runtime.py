"""Container runtimes as a node names them, and which way of choosing from an index each of them has."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from webhook.core import platform as p
from webhook.core.gotext import atoi, to_lower, trim_space
from webhook.core.platform import Library, Platform

Selection = Literal["only", "transfer", "crio", "unknown"]
"""How a runtime selects an index entry: `only` (dockerd, containerd up to 2.0: platforms.Only), `transfer` (containerd
2.1 and later: its transfer service fetches what platforms.Ordered lets through, then looks up by Only), `crio`
(containers/image), `unknown` (none of these, or no version)."""

Isolation = Literal["process", "hyperv", "unknown"]
"""What separates a container from a Windows node: the process isolation that is the default, a virtual machine of its
own, or nobody knows which."""

Version = tuple[int, ...]

TRANSFER_SINCE: Version = (2, 1)
"""The first containerd whose CRI plugin pulls through the transfer service."""

_CONTAINERD_LIBRARIES: tuple[tuple[Version, Library], ...] = (
    ((2, 3, 5), p.RC5),
    ((2, 3), p.RC4),
    ((2, 1, 6), p.RC2),
    ((2, 0, 2), p.RC1),
    ((2, 0), p.RC0),
    ((), p.V0_2),
)
"""The first version of containerd with a version of containerd/platforms (its go.mod), newest first."""

_DOCKERD_LIBRARIES: tuple[tuple[Version, Library], ...] = (((29,), p.RC2), ((28,), p.RC1), ((), p.V0_2))
"""The same for dockerd (its vendor.mod, from 29 on its go.mod)."""

_VERSION = re.compile(r"v?([0-9]+\.[0-9]+(?:\.[0-9]+)*)(?![0-9A-Za-z])")
"""Major, minor and so on; what follows (-k3s1, +unknown, ~ds1, -rc.1) says nothing about pulling. A bare number may as
well be the beginning of a commit."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """nodeInfo.containerRuntimeVersion, taken apart. `text` is as the node says it (empty: the node says nothing).

    `name` is in lower case (docker, containerd, cri-o, or anything else), `version` empty where none can be read.
    `isolation` is what the pod's RuntimeClass asks for; it matters on Windows alone.
    """

    text: str = ""
    name: str = ""
    version: Version = ()
    isolation: Isolation = "process"

    @classmethod
    def parse(cls, text: str) -> "Runtime":
        """Take name://version apart. Nothing is malformed: what cannot be read is unknown."""
        name, separator, version = trim_space(text).partition("://")
        if not separator:
            return cls(text)
        return cls(text, to_lower(name), _version(version))

    @property
    def selection(self) -> Selection:
        """The way this runtime selects. Only for containerd does it hang on the version."""
        if self.name == "cri-o":
            return "crio"
        if self.name == "docker":
            return "only"
        if self.name != "containerd" or not self.version:
            return "unknown"
        return "transfer" if self.version >= TRANSFER_SINCE else "only"

    @property
    def library(self) -> Library:
        """The version of containerd/platforms in this runtime; the latest where it has none or is not known."""
        library = p.LATEST
        if self.version and self.name == "containerd":
            library = _since(self.version, _CONTAINERD_LIBRARIES)
        if self.version and self.name == "docker":
            library = _since(self.version, _DOCKERD_LIBRARIES)
        return replace(library, hyperv=True) if self.isolation == "hyperv" else library

    def readings(self) -> tuple["Runtime", ...]:
        """The runtimes that this one may be: itself, or where its way or isolation is unknown one of each.

        An outcome on which the readings disagree is uncertain (matchers-disagree). A containerd without a version is
        one of the containerds; it is no CRI-O.
        """
        ways: tuple[Runtime, ...] = (self,)
        if self.selection == "unknown":
            containerds = (_CONTAINERD_BEFORE_TRANSFER, _CONTAINERD_LATEST)
            ways = containerds if self.name == "containerd" else (*containerds, _CRIO)
        if self.isolation == "process":
            return ways
        isolations: tuple[Isolation, ...] = ("process", "hyperv") if self.isolation == "unknown" else ("hyperv",)
        return tuple(replace(way, isolation=isolation) for way in ways for isolation in isolations)


_CONTAINERD_BEFORE_TRANSFER = Runtime("containerd://2.0", "containerd", (2, 0, 2))
_CONTAINERD_LATEST = Runtime("containerd://2.4", "containerd", (2, 4))
_CRIO = Runtime("cri-o://", "cri-o")


def isolation_of(handler: str | None) -> Isolation:
    """What a RuntimeClass's handler separates containers by; None: the handler is not known.

    containerd's configuration for Windows names its handlers runhcs-wcow-process and runhcs-wcow-hypervisor, and people
    who add one for an older build write that after the latter. An empty handler is the runtime's default.
    """
    if handler is None:
        return "unknown"
    return "hyperv" if _HYPERV.search(handler.lower()) else "process"


_HYPERV = re.compile(r"hyper-?v(?:isor)?")


def crio_node(node: Platform) -> Platform:
    """A node as CRI-O detects it: 64-bit arm is v8 there, which Kubernetes does not publish."""
    detected = node.architecture == "arm64" and not node.variant
    return replace(node, variant="v8") if detected else node


def _version(text: str) -> Version:
    found = _VERSION.match(trim_space(text))
    numbers = [atoi(part) for part in found[1].split(".")] if found else []
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()


def _since(version: Version, table: tuple[tuple[Version, Library], ...]) -> Library:
    return next(library for first, library in table if version >= first)
