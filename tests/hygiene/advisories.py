"""Known vulnerabilities of the locked dependencies.

Asked is OSV (osv.dev), which has the advisories of PyPI, by `uv audit`. Without a way there, PODGATE_ADVISORIES names
OSV's export of PyPI, a zip archive or a folder of JSON files that somebody has brought along
(https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip). Without either nothing is known, and that is said.
"""

import json
import os
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.hygiene.finding import ROOT, Finding, concluded, ran, skipped

VARIABLE: Final = "PODGATE_ADVISORIES"

ACCEPTED: Final[Mapping[str, str]] = {}
"""Advisories that do not concern podgate, by identifier, and why."""

_FOUND: Final = 1
"""How `uv audit` ends where it knows of something; where it could not ask, with 2."""
_AWAY: Final = ("dns error", "(Connect)", "timed out", "error sending request")


def check(environment: Mapping[str, str] | None = None) -> Finding:
    """By the export where one is named, else by OSV itself."""
    named = (os.environ if environment is None else environment).get(VARIABLE, "")
    packages = {package["name"]: package["version"] for package in _locked() if package["name"] != "podgate"}
    if named:
        return by_export(Path(named), packages)
    uv = str(Path(sys.executable).with_name("uv"))
    code, said = ran([uv, "audit", "--frozen", "--preview-features", "audit", *(f"--ignore={one}" for one in ACCEPTED)])
    return by_osv(code, said, len(packages))


def by_osv(code: int, said: str, packages: int) -> Finding:
    """What an audit has come to. `packages`: how many there are."""
    if code not in (0, _FOUND) and any(word in said for word in _AWAY):
        return skipped(
            "OSV cannot be reached from here, and no database was brought along: nothing is known of vulnerabilities",
            f"({VARIABLE}=all.zip of https://osv-vulnerabilities.storage.googleapis.com/PyPI/ is read instead)",
        )
    return concluded(
        (said or f"uv audit ended with {code}").splitlines() if code else [],
        f"{packages} locked packages, asked of OSV",
    )


def by_export(place: Path, packages: Mapping[str, str]) -> Finding:
    """By OSV's export. `packages`: versions by name."""
    problems, number, newest = [], 0, ""
    for advisory in _advisories(place):
        number += 1
        newest = max(newest, str(advisory.get("modified", "")))
        if advisory.get("withdrawn") or advisory.get("id") in ACCEPTED:
            continue
        problems += [
            f"{name} {packages[name]}: {advisory['id']} {advisory.get('summary', '')}".strip()
            for name in sorted(_affected(advisory, packages))
        ]
    if not number:
        return Finding("failed", (f"{place}: no advisories in it",))
    return concluded(problems, f"{len(packages)} locked packages, {number} advisories, the newest of {newest[:10]}")


def _locked() -> Iterable[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return packages


def _advisories(place: Path) -> Iterator[dict[str, Any]]:
    if place.is_dir():
        for file in sorted(place.rglob("*.json")):
            yield json.loads(file.read_text())
        return
    with zipfile.ZipFile(place) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def _affected(advisory: Mapping[str, Any], packages: Mapping[str, str]) -> set[str]:
    """The locked packages that an advisory is about."""
    found = set()
    for one in advisory.get("affected", ()):
        package = one.get("package", {})
        name = canonicalize_name(str(package.get("name", "")))
        if package.get("ecosystem") == "PyPI" and name in packages and _is_among(packages[name], one):
            found.add(str(name))
    return found


def _is_among(version: str, affected: Mapping[str, Any]) -> bool:
    """Whether a version is affected: listed, or within a range (OSV schema, affected[].ranges[].events)."""
    if version in affected.get("versions", ()):
        return True
    return any(
        _is_within(Version(version), span.get("events", ()))
        for span in affected.get("ranges", ())
        if span.get("type") == "ECOSYSTEM"
    )


def _is_within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """The evaluation of OSV's schema: the last event that is not after the version decides."""
    within = False
    for event in sorted(events, key=lambda event: (_when(event), "introduced" in event)):
        ends = _when(event) if "last_affected" not in event else None
        if version > _when(event) or version == ends:
            within = "introduced" in event
    return within


def _when(event: Mapping[str, str]) -> Version:
    return _read(next(iter(event.values())))


def _read(text: str) -> Version:
    """`0` is before every version; what is no version counts as before every version too, so that it hides nothing."""
    try:
        return Version("0.dev0" if text == "0" else text)
    except InvalidVersion:
        return Version("0.dev0")
