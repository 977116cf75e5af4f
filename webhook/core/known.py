"""Platforms that anybody knows: which words name an operating system or an architecture, and which nodes there are.

A word that nobody knows is most likely a slip, and a verdict about it would look like one about a real node.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from webhook.core.platform import Platform

_SYSTEMS: Final = frozenset(
    {
        *("aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl"),
        *("netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos"),
    }
)
_ARCHITECTURES: Final = frozenset(
    {
        *("386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "loong64", "mips", "mipsle", "mips64"),
        *("mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x"),
        *("sparc", "sparc64", "wasm"),
    }
)
"""What Go has, had or has set aside a name for; a kubelet tells its own by these names (Go 1.26,
src/internal/syslist/syslist.go, KnownOS and KnownArch)."""

_VARIANTS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {"amd64": re.compile("v[1-4]"), "arm": re.compile("v[5-8]"), "arm64": re.compile(r"v[89](\.[0-9])?")}
)
"""The variants of architectures that image indexes tell apart. Of the others none is known to be wrong."""

_NODES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "linux": frozenset({"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}),
        "windows": frozenset({"amd64", "arm64"}),
    }
)
"""What kubelets exist for, Kubernetes' own builds and others'."""

_OTHERWISE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "armv5": "arm/v5",
        "armv6": "arm/v6",
        "armv6l": "arm/v6",
        "armv7": "arm/v7",
        "armv7l": "arm/v7",
        "armv8": "arm64",
        "armv8l": "arm64",
        "i686": "386",
        "loongarch64": "loong64",
        "macos": "darwin",
        "ppc64el": "ppc64le",
        "win": "windows",
        "x64": "amd64",
        "x86": "386",
    }
)
"""What kernels, distributions and people call some of them, where no container runtime does."""


def unknown_word(platform: Platform, *, vouched: Iterable[str] = ()) -> tuple[str, str] | None:
    """The first word of a platform that nobody knows, and what may have been meant (empty: nothing comes close).

    None: all are known, or among those that somebody has `vouched` for.
    """
    system, architecture, variant = platform.os, platform.architecture, platform.variant
    believed = {"", *vouched}
    if system in _ARCHITECTURES and architecture in _SYSTEMS:
        return f"{system}/{architecture}", f"{architecture}/{system}"
    if system not in _SYSTEMS | believed:
        return system, _meant(system, _NODES, _SYSTEMS)
    if architecture not in _ARCHITECTURES | believed:
        return architecture, _meant(architecture, _NODES["linux"], _ARCHITECTURES)
    pattern = _VARIANTS.get(architecture)
    if pattern is not None and variant not in believed and not pattern.fullmatch(variant):
        return f"{architecture}/{variant}", ""
    return None


def has_nodes(platform: Platform) -> bool:
    """Whether there are kubelets for such a platform, as far as is known."""
    return platform.architecture in _NODES.get(platform.os, ())


def _meant(word: str, likely: Iterable[str], known: Iterable[str]) -> str:
    if word in _OTHERWISE:
        return _OTHERWISE[word]
    close = get_close_matches(word, sorted(likely), 1) or get_close_matches(word, sorted(known), 1)
    return close[0] if close else ""
