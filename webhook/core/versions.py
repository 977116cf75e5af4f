"""Tags that are versions: which come after one that is in use, and belong to the same line of images.

Registries keep tags as bare text, in the order of the alphabet. What people mean by it is a convention: numbers that
grow, a `v` before them or not, a flavour after them (`-alpine3.18`), marks of pre-releases. A tag of another convention
is never taken for a newer one.
"""

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Final

_VERSION: Final = re.compile(
    r"(?P<prefix>v?)(?P<numbers>\d{1,18}(?:\.\d{1,18}){0,3})"
    r"(?:[-._~]?(?P<mark>alpha|beta|rc|pre|preview|dev|snapshot|nightly|a|b|m)(?![a-z])[-._]?(?P<count>\d{0,18}))?"
    r"(?P<suffix>(?:[-_.+][A-Za-z0-9][A-Za-z0-9._+-]*)?)"
)
_DATE: Final = re.compile(
    r"(?P<prefix>v?)(?P<year>(?:19|20)\d\d)(?P<gap>[-._]?)(?P<month>0[1-9]|1[0-2])(?P=gap)(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?P<suffix>(?:[-_.+T]?[A-Za-z0-9][A-Za-z0-9._+-]*)?)"
)
_DIGITS: Final = re.compile(r"\d{1,18}")

_MARKS: Final = {"dev": 0, "snapshot": 0, "nightly": 0, "a": 1, "alpha": 1, "m": 2, "b": 2, "beta": 2}
"""How far a pre-release is; what is not here (rc, pre, preview) comes last before the release."""
_LAST_MARK: Final = 3
_RELEASE: Final = 4

_NEAREST: Final = 4
"""Tags next to the one in use, which differ least from it: they are tried one by one."""

_LONGEST_TAG: Final = 128
"""distribution-spec, pulling manifests: a tag has at most 128 characters."""


@dataclass(frozen=True, slots=True)
class Version:
    """A tag as a version. `line` tells lines of images apart: only tags of one line are compared. `suffix` is the
    flavour as written; flavours of one line may differ in their numbers (alpine3.18, alpine3.19)."""

    line: tuple[str, ...]
    numbers: tuple[int, ...]
    stage: tuple[int, int]
    suffix: str
    suffix_numbers: tuple[int, ...]

    @property
    def pre_release(self) -> bool:
        """Whether it comes before its release."""
        return self.stage[0] < _RELEASE

    @property
    def order(self) -> tuple[tuple[int, ...], tuple[int, int], tuple[int, ...]]:
        """What grows from version to version of one line; 1.4 and 1.4.0 are different tags of one version."""
        numbers = self.numbers + (0,) * (4 - len(self.numbers))
        return numbers, self.stage, self.suffix_numbers


def parse_version(tag: str) -> Version | None:
    """A tag as a version; None where it is none (latest, a commit, the tag of a signature)."""
    if len(tag) > _LONGEST_TAG:
        return None
    if date := _DATE.fullmatch(tag):
        numbers = tuple(int(date[part]) for part in ("year", "month", "day"))
        return _version(("date", date["prefix"], date["gap"]), numbers, (_RELEASE, 0), date["suffix"])
    found = _VERSION.fullmatch(tag)
    if found is None:
        return None
    numbers = tuple(map(int, found["numbers"].split(".")))
    mark = found["mark"]
    stage = (_RELEASE, 0) if mark is None else (_MARKS.get(mark, _LAST_MARK), int(found["count"] or 0))
    # A number alone may be a build's, or anything: it is compared with its like only.
    shape = "number" if len(numbers) == 1 else "version"
    return _version((shape, found["prefix"]), numbers, stage, found["suffix"])


def _version(line: tuple[str, ...], numbers: tuple[int, ...], stage: tuple[int, int], suffix: str) -> Version:
    flavour = _DIGITS.sub("0", suffix)
    return Version((*line, flavour), numbers, stage, suffix, tuple(map(int, _DIGITS.findall(suffix))))


@dataclass(frozen=True, slots=True)
class NewerTags:
    """The tags worth a look instead of the one in use, the nearest first. `nearest`: a few, to be tried one by one.
    `further`: what comes after these, of the kind of the last of them."""

    nearest: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


def newer_tags(current: str, tags: Iterable[str]) -> NewerTags:
    """The tags that come after the one in use.

    Pre-releases count where the current one is one. Tags that are as exact as the current one (1.5 for 1.4, 1.4.3 for
    1.4.2) and have its very flavour come before others. None where the current tag is no version.
    """
    now = parse_version(current)
    if now is None:
        return NewerTags()
    found: list[tuple[tuple[bool, bool], Version, str]] = []
    for tag in dict.fromkeys(tags):
        version = parse_version(tag)
        if version is None or version.line != now.line or (version.pre_release and not now.pre_release):
            continue
        if version.order > now.order:
            unlike = len(version.numbers) != len(now.numbers), version.suffix != now.suffix
            found.append((unlike, version, tag))
    found.sort(key=lambda one: (one[0], one[1].order))
    nearest, others = found[:_NEAREST], found[_NEAREST:]
    further = [one for one in others if one[0] == nearest[-1][0]]
    return NewerTags(tuple(tag for *_, tag in nearest), tuple(tag for *_, tag in further))


def nearest_that_works(newer: NewerTags) -> Generator[str, bool, str | None]:
    """Looks for the nearest tag that works: yields the next one to be tried, is sent whether it does, and returns the
    answer, None where none was found.

    After the nearest ones the newest is tried: what that has not, hardly any before it has. Where it works, halving
    what lies between leads to one that works and whose predecessor does not: the first of all that do, where versions
    that have come to work go on to. So of n tags at most 5 + log2(n) are tried.
    """
    for tag in newer.nearest:
        if (yield tag):
            return tag
    further = newer.further
    if not further or not (yield further[-1]):
        return None
    fails, works = -1, len(further) - 1
    while works - fails > 1:
        middle = (fails + works) // 2
        if (yield further[middle]):
            works = middle
        else:
            fails = middle
    return further[works]
