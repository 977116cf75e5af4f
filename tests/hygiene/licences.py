"""Whether every locked dependency may be used as it is used: by its licence, from the metadata of what is installed."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

from tests.hygiene.finding import ROOT, Finding, concluded

ALLOWED: Final[Mapping[str, str]] = {
    "0BSD": "asks for nothing",
    "Apache-2.0": "podgate's own",
    "BSD-2-Clause": "asks for its notice, which stays in the package's metadata",
    "BSD-3-Clause": "as BSD-2-Clause",
    "ISC": "as BSD-2-Clause",
    "MIT": "as BSD-2-Clause",
    "MIT-0": "asks for nothing",
    "MPL-2.0": "by file: what we do not change asks for nothing but its notice",
    "PSF-2.0": "Python's own",
}
"""What may be shipped, and why."""
FOR_WORK: Final[Mapping[str, str]] = {
    "GPL-3.0": "a program that is started while podgate is worked on, and is no part of it",
}
"""What more may be used for development. The image and the wheel have none of it (image/sbom.py lists theirs)."""

_SPELLED: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Names from before there were SPDX expressions in metadata. `BSD License` is either of two; both are allowed."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "atheris": "Apache-2.0",
    "axe-playwright-python": "MIT AND MPL-2.0",  # its own, and that of the axe-core in it
    "colorama": "BSD-3-Clause",
}
"""Locked for other platforms, for a group that is not installed by itself, or silent in its metadata: read by hand in
the package itself."""


def check(read: Callable[[str], Mapping[str, Any] | None] | None = None) -> Finding:
    """`read` gives a package's metadata, None where it is not installed; by default that of this environment."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    shipped = set(_shipped(lock["package"]))
    counted: Counter[str] = Counter()
    problems = []
    for package in lock["package"]:
        name = package["name"]
        if name == "podgate":
            continue
        licence = licence_of(name, read or _installed)
        counted[licence] += 1
        allowed = ALLOWED if name in shipped else {**ALLOWED, **FOR_WORK}
        if not _fits(licence, allowed):
            problems.append(f"{name} {package['version']} ({_use(name, shipped)}): {licence or 'names no licence'}")
    lines = [f"{sum(counted.values())} locked packages, {len(shipped)} of them shipped"]
    lines += [", ".join(f"{licence} {count}" for licence, count in counted.most_common())]
    return concluded(problems, *lines)


def licence_of(name: str, read: Callable[[str], Mapping[str, Any] | None]) -> str:
    """An SPDX expression: the package's own where it gives one, else by its classifiers, else by its text."""
    found = read(name)
    if found is None:
        return ELSEWHERE.get(name, "")
    if expression := found.get("license_expression"):
        return str(expression)
    ends = [text.rpartition(" :: ")[2] for text in found.get("classifier", ()) if text.startswith("License :: ")]
    named = [_SPELLED.get(one, one) for one in ends if one != "OSI Approved"]
    text = str(found.get("license", "")).strip().partition("\n")[0]
    return " AND ".join(named) or _SPELLED.get(text, text) or ELSEWHERE.get(name, "")


def _installed(name: str) -> Mapping[str, Any] | None:
    try:
        return metadata(name).json
    except PackageNotFoundError:
        return None


def _shipped(packages: list[dict[str, Any]]) -> Iterator[str]:
    """What podgate and its extras need, at whatever remove."""
    by_name = {package["name"]: package for package in packages}
    waiting = ["podgate"]
    seen = set(waiting)
    while waiting:
        package = by_name[waiting.pop()]
        extras = package.get("optional-dependencies", {}).values()
        for one in (*package.get("dependencies", ()), *(one for extra in extras for one in extra)):
            if one["name"] not in seen:
                seen.add(one["name"])
                waiting.append(one["name"])
                yield one["name"]


def _use(name: str, shipped: set[str]) -> str:
    return "shipped" if name in shipped else "for development"


def _fits(licence: str, allowed: Mapping[str, str]) -> bool:
    """Whether an SPDX expression can be met: of AND every side, of OR one."""
    tokens = re.findall(r"\(|\)|[^\s()]+", licence)
    value, rest = _alternatives(tokens, allowed)
    return value and not rest


def _alternatives(tokens: list[str], allowed: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _together(tokens, allowed)
    while rest[:1] == ["OR"]:
        other, rest = _together(rest[1:], allowed)
        value = value or other
    return value, rest


def _together(tokens: list[str], allowed: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _one(tokens, allowed)
    while rest[:1] == ["AND"]:
        other, rest = _one(rest[1:], allowed)
        value = value and other
    return value, rest


def _one(tokens: list[str], allowed: Mapping[str, str]) -> tuple[bool, list[str]]:
    if not tokens:
        return False, []
    if tokens[0] != "(":
        return tokens[0] in allowed, tokens[1:]
    value, rest = _alternatives(tokens[1:], allowed)
    return (value, rest[1:]) if rest[:1] == [")"] else (False, rest)
