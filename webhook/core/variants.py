"""The walk from a CPU down to the ones whose code it runs too, as github.com/containerd/platforms orders it.

The library builds a list (platformVector in compare.go) and looks an image up in it. Here the place in that list is
computed: a node label may say v999999999, and that must cost nothing.
"""

import re
from typing import Literal

from webhook.core.gotext import atoi

Arm64 = Literal["none", "open", "table"]
"""How minor versions of arm64 are treated: not at all (before v1.0.0-rc.0), split at the dot whatever they are (rc.0),
or by a table of those that exist (since rc.1)."""

_CANONICAL = re.compile(r"v([1-9][0-9]*)")
_ARM64_NODE = re.compile(r"v(?:8(?:\.([0-9]))?|9(?:\.([0-7]))?)")
_ARM64_IMAGE = re.compile(r"v([89])(?:\.([1-9]))?")

ARM_LOWEST = 5
"""32-bit arm is walked down to v5."""

V9_IS_V8_PLUS, V8_HIGHEST_MINOR = 5, 9
"""Armv9.0 took up what was then Armv8.5, and the last of the eights is v8.9."""


def normalize(architecture: str, variant: str, arm64: Arm64) -> tuple[str, str]:
    """normalizeArch in database.go; both arguments in lower case."""
    match architecture:
        case "i386":
            return "386", ""
        case "x86_64" | "x86-64" | "amd64":
            return "amd64", "" if variant == "v1" else variant
        case "aarch64" | "arm64":
            return "arm64", _normal_arm64(variant, arm64)
        case "armhf":
            return "arm", "v7"
        case "armel":
            return "arm", "v6"
        case "arm":
            return "arm", {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    return architecture, variant


def _normal_arm64(variant: str, arm64: Arm64) -> str:
    if arm64 == "none":
        return "" if variant in ("8", "v8") else variant
    if arm64 == "table":
        return {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"}.get(variant, variant)
    major, dot, minor = variant.partition(".")
    major = major.removeprefix("v")
    if minor == "0":
        dot = minor = ""
    return "" if major in ("", "8") and not dot else f"v{major}{dot}{minor}"


def walk_rank(node: tuple[str, str], image: tuple[str, str], arm64: Arm64) -> int | None:
    """How far down the node's walk the image stands, 0 being the node itself; None: it is not on it.

    Both are (architecture, variant), normalized.
    """
    match node[0]:
        case "amd64":
            return _amd64(node[1], image)
        case "arm":
            return _arm(node[1], image)
        case "arm64":
            return _arm64(node[1], image, arm64)
    return 0 if image == node else None


def _number(variant: str) -> int | None:
    """The number in the variant of a node: strconv.Atoi of what follows the v."""
    return atoi(variant.removeprefix("v"))


def _canonical(variant: str) -> int | None:
    """The number in a variant that is spelled as the walk spells it (v2; not 2, v02 or v+2)."""
    found = _CANONICAL.fullmatch(variant)
    return atoi(found[1]) if found else None


def _amd64(node: str, image: tuple[str, str]) -> int | None:
    """The node's level, the levels below it down to 1, then 386."""
    architecture, variant = image
    level = max(_number(node) or 1, 1)
    if image == ("386", ""):
        return level
    if architecture != "amd64":
        return None
    if variant == node:
        return 0
    lower = 1 if variant == "" else _canonical(variant)
    return level - lower if lower is not None and lower < level else None


def _arm(node: str, image: tuple[str, str]) -> int | None:
    """The node's version, then those below it down to v5."""
    architecture, variant = image
    if architecture != "arm":
        return None
    if variant == node:
        return 0
    version, lower = _number(node), _canonical(variant)
    if version is None or lower is None:
        return None
    return version - lower if ARM_LOWEST <= lower < version else None


def _arm64(node: str, image: tuple[str, str], arm64: Arm64) -> int | None:
    """The walk through arm64, then the one through 32-bit arm."""
    if arm64 == "table":
        return _arm64_table(node or "v8", image)
    variant = node or "v8"
    walked = [node, *(_arm64_open(variant) if arm64 == "open" else ())]
    if image[0] == "arm64":
        return walked.index(image[1]) if image[1] in walked else None
    if arm64 == "open" and variant.startswith(("v8.", "v9.")):
        variant = "v8"
    # The first step is compared normalized, the further ones go by the number in what was there before.
    below = 0 if image == normalize("arm", variant, arm64) else _arm(variant, image)
    return None if below is None else len(walked) + below


def _arm64_table(node: str, image: tuple[str, str]) -> int | None:
    found = _ARM64_NODE.fullmatch(node)
    if not found:
        return None  # not even itself: a variant that is missing from the library's table empties the whole list
    nine = node.startswith("v9")
    minor = int(found[2 if nine else 1] or 0)
    steps = [(9, minor), (8, min(minor + V9_IS_V8_PLUS, V8_HIGHEST_MINOR))] if nine else [(8, minor)]
    wanted = _arm64_version(image[1]) if image[0] == "arm64" else None
    passed = 0
    for major, highest in steps:
        if wanted and wanted[0] == major and wanted[1] <= highest:
            return passed + highest - wanted[1]
        passed += highest + 1
    below = _arm("v8", image)
    return None if below is None else passed + below


def _arm64_version(variant: str) -> tuple[int, int] | None:
    """Major and minor of a normalized image variant."""
    found = _ARM64_IMAGE.fullmatch(variant or "v8")
    return (int(found[1]), int(found[2] or 0)) if found else None


def _arm64_open(variant: str) -> list[str]:
    """What follows the node's own variant in v1.0.0-rc.0; short, since only a single digit counts as minor version."""
    major_text, _, minor_text = variant.partition(".")
    major = _number(major_text)
    if major is None or major < 8:
        return []
    minor = (atoi(minor_text) or 0) if len(variant) == len("v8.5") else 0
    walked = []
    if major == 9:
        walked = _downward(9, minor)
        major, minor = 8, min(minor + V9_IS_V8_PLUS, V8_HIGHEST_MINOR)
        walked.append(f"v8.{minor}")
    return [*walked, *_downward(major, minor)]


def _downward(major: int, minor: int) -> list[str]:
    """The versions below major.minor, normalized: v8 itself is the empty one."""
    return [_normal_arm64(f"v{major}.{lower}", "open") for lower in range(minor - 1, -1, -1)]
