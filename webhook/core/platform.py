"""Platforms: what an image is for and what a node takes, compared as the container runtimes compare them.

The matchers answer with a rank or None: lower is preferred, None is no match. They are computed from two platforms and
the version of the library that the runtime was built with; nothing here looks at the machine it runs on.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from webhook.core import variants, windows
from webhook.core.errors import MalformedPlatform
from webhook.core.gotext import to_lower

Rank = tuple[int, int]
"""Preference among entries that match, lower first: the step on the node's walk, then more os.features before fewer."""

ConfigMatch = Literal["fits", "variant-not-given"]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as in the OCI image spec (image-index.md, `platform`). An empty string: not given."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Library:
    """What changed between versions of github.com/containerd/platforms.

    arm64: the treatment of its minor versions. os_features: whether they count. win32k: whether that feature of an
    image is passed over on Windows. windows_floor: the oldest build that a Windows host newer than 26100 takes.
    Versions before rc.1 compare Windows builds on Windows alone, which is where it matters. `hyperv` is no version's:
    on Windows the rule of Hyper-V isolation stands for the one of process isolation (docs/adr/0009).
    """

    arm64: variants.Arm64 = "table"
    os_features: bool = True
    win32k: bool = True
    windows_floor: int = windows.LTSC2022
    hyperv: bool = False


V0_2 = Library(arm64="none", os_features=False)
RC0 = Library(arm64="open", os_features=False)
RC1 = Library(os_features=False)
RC2 = Library(os_features=False, windows_floor=windows.LTSC2025)
RC3 = Library(win32k=False, windows_floor=windows.LTSC2025)
RC4 = Library(windows_floor=windows.LTSC2025)
RC5 = Library()
LATEST = RC5


def normalized(platform: Platform, default_os: str = "", library: Library = LATEST) -> Platform:
    """platforms.Normalize: one spelling for each platform. `default_os` stands in for an empty os."""
    system = to_lower(platform.os or default_os)
    architecture, variant = variants.normalize(
        to_lower(platform.architecture), to_lower(platform.variant), library.arm64
    )
    features = tuple(sorted(set(platform.os_features)))
    return Platform("darwin" if system == "macos" else system, architecture, variant, platform.os_version, features)


def only(node: Platform, image: Platform, library: Library = LATEST) -> Rank | None:
    """platforms.Only(node): the node's own platform, and those below it that its CPU runs too."""
    node = normalized(node, library=library)
    entry = _same_system(node, image, library)
    if entry is None:
        return None
    step = variants.walk_rank((node.architecture, node.variant), (entry.architecture, entry.variant), library.arm64)
    return None if step is None else (step, _features_rank(image, library))


def exact(node: Platform, image: Platform, library: Library = LATEST) -> Rank | None:
    """platforms.OnlyStrict(node): the node's own platform in whatever spelling, and nothing below it."""
    return ordered(normalized(node, library=library), image, library)


def ordered(node: Platform, image: Platform, library: Library = LATEST) -> Rank | None:
    """platforms.Ordered(node): as `exact`, but the Windows rules hold only where the node's os is in lower case."""
    entry = _same_system(normalized(node, library=library), image, library, by_build=node.os == "windows")
    if entry is None or not _same_cpu(node, entry, library):
        return None
    return 0, _features_rank(image, library)


def only_os(node: Platform, image: Platform, library: Library = LATEST) -> Rank | None:
    """platforms.OnlyOS(node): any architecture, the node's own first. What containerd 2.3 and later unpacks."""
    node = normalized(node, library=library)
    entry = normalized(image, node.os, library)
    if node.os != entry.os or not set(entry.os_features) <= set(node.os_features):
        return None
    if node.os == "windows" and not _build_fits(node, image, library):
        return None
    return exact(node, image, library) or (1, 0)


def crio(node: Platform, image: Platform) -> Rank | None:
    """WantedPlatforms and MatchesPlatform of go.podman.io/image: strings as they are; no os.version, no os.features."""
    if (node.os, node.architecture) != (image.os, image.architecture):
        return None
    wanted = _crio_variants(node)
    return (wanted.index(image.variant), 0) if image.variant in wanted else None


_CRIO_COMPATIBLE = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v8",)}
"""`compatibility` of platform_matcher.go: the variants of an architecture, the most capable first."""


def _crio_variants(node: Platform) -> tuple[str, ...]:
    known = _CRIO_COMPATIBLE.get(node.architecture, ())
    if not node.variant:
        return ("", *known)
    if node.variant in known:
        return (*known[known.index(node.variant) :], "")
    return (node.variant, "")


def config_match(node: Platform, config: Platform, library: Library = LATEST) -> ConfigMatch | None:
    """How an image config fits a node: steps 1 and 2 of moby's lookup (OnlyPlatformWithFallback), or None.

    Only os, architecture and variant count. Whether a variant is given is asked of the config as it stands, since
    normalizing puts one in: a config of plain `arm` reads as arm/v7, and yet is taken on an arm/v6 node.
    """
    node = Platform(node.os, node.architecture, node.variant)
    config = Platform(config.os, config.architecture, config.variant)
    if only(node, config, library) is not None:
        return "fits"
    if config.variant:
        return None
    node = normalized(node, library=library)
    config = normalized(config, node.os, library)
    return "variant-not-given" if (node.os, node.architecture) == (config.os, config.architecture) else None


def windows_hosts(node: Platform) -> tuple[Platform, ...]:
    """A node, and where it is a Windows node whose build is not known one that takes no image which names a build.

    The matchers let a host without a version take every build, as the library does. A real host has one, and what
    hangs on it is not known.
    """
    if to_lower(node.os) != "windows" or windows.parse_version(node.os_version) != windows.UNKNOWN:
        return (node,)
    return node, replace(node, os_version=windows.NO_BUILD)


def _same_system(node: Platform, image: Platform, library: Library, *, by_build: bool = True) -> Platform | None:
    """The image's platform, normalized, if os, os.version and os.features suit the node (normalized), else None."""
    on_windows = node.os == "windows" and by_build
    if on_windows and library.win32k and "win32k" in image.os_features:
        features = list(image.os_features)
        features.remove("win32k")  # the first one, as the library does
        image = replace(image, os_features=tuple(features))
    entry = normalized(image, node.os, library)
    if entry.os != node.os:
        return None
    if on_windows and not _build_fits(node, image, library):
        return None
    if library.os_features and not set(entry.os_features) <= set(node.os_features):
        return None
    return entry


def _build_fits(node: Platform, image: Platform, library: Library) -> bool:
    floor = library.windows_floor
    return windows.host_takes(node.os_version, image.os_version, floor, hyperv=library.hyperv)


def _same_cpu(node: Platform, entry: Platform, library: Library) -> bool:
    node = normalized(node, library=library)
    return (node.architecture, node.variant) == (entry.architecture, entry.variant)


def _features_rank(image: Platform, library: Library) -> int:
    """Entries that ask for more come first; counted as declared, repetitions and all."""
    return -len(image.os_features) if library.os_features else 0


def format_platform(platform: Platform) -> str:
    """os/architecture[/variant] as declared, for Windows with :os.version; what is not given reads "unknown"."""
    parts = [platform.os or "unknown", platform.architecture or "unknown"]
    if platform.variant:
        parts.append(platform.variant)
    build = f":{platform.os_version}" if platform.os_version and to_lower(platform.os) == "windows" else ""
    return "/".join(parts) + build


_SYSTEM = re.compile(r"[A-Za-z0-9_-]+")
_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+")
_BUILD = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?")


def parse_platform(text: str) -> Platform:
    """A node's platform as people write it: os/architecture[/variant], for Windows with :os.version.

    The spelling becomes the one that nodes use (x86_64 is amd64, aarch64 is arm64, 32-bit arm without a variant v7).
    Raises MalformedPlatform.
    """
    name, colon, version = text.partition(":")
    system, *rest = name.split("/")
    if not 1 <= len(rest) <= 2 or not _SYSTEM.fullmatch(system) or not all(map(_COMPONENT.fullmatch, rest)):
        raise MalformedPlatform(f"{text!r} is no platform: it must be os/architecture[/variant], as in linux/arm64")
    variant = rest[1] if len(rest) == 2 else ""
    platform = replace(normalized(Platform(system, rest[0], variant)), os_version=version)
    if platform.architecture == "arm64" and variant and not platform.variant:
        platform = replace(platform, variant="v8")
    if colon and (platform.os != "windows" or not _BUILD.fullmatch(version)):
        raise MalformedPlatform(f"{text!r} is no platform: a build is for Windows, as in windows/amd64:10.0.20348")
    return platform
