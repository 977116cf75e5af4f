"""Which tags come after one that is in use: the table of what people write."""

from collections.abc import Callable, Iterable
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.versions import nearest_that_works, newer_tags, parse_version


def search(current: str, there: Iterable[str], works: Callable[[str], bool]) -> tuple[list[str], str | None]:
    """The tags that are tried, in turn, and the one that is found."""
    looking, tried = nearest_that_works(newer_tags(current, there)), []
    try:
        tag = next(looking)
        while True:
            tried.append(tag)
            tag = looking.send(works(tag))
    except StopIteration as end:
        return tried, end.value


def newer(current: str, there: Iterable[str]) -> tuple[str, ...]:
    """The tags that are tried where none of them works."""
    tried, found = search(current, there, lambda _: False)
    assert found is None
    return tuple(tried)


@pytest.mark.parametrize(
    ("current", "there", "expected"),
    [
        ("1.4.2", "1.4.1 1.4.2 1.4.3 1.5.0", "1.4.3 1.5.0"),
        ("1.4.9", "1.4.10 1.10.0", "1.4.10 1.10.0"),  # numbers, not text
        ("v1.4.2", "1.4.3 v1.4.3", "v1.4.3"),  # with the v, or without
        ("1.4", "1.4.7 1.5 1.5.2", "1.5 1.4.7 1.5.2"),  # as exact as it is written first
        ("1.4", "1.1 1.2", ""),
        ("1.4-alpine", "1.5 1.5-alpine 1.5-slim", "1.5-alpine"),
        ("1.4.2-alpine3.18", "1.4.2-alpine3.19 1.4.3-alpine3.18", "1.4.3-alpine3.18 1.4.2-alpine3.19"),
        ("1.2.3-debian-11-r5", "1.2.3-debian-11-r6 1.2.3-debian-11-r4 1.2.3", "1.2.3-debian-11-r6"),
        ("1.4.0", "1.5.0-rc1 1.5.0-beta.2 1.5.0b1 1.5.0-dev", ""),
        ("1.5.0-rc1", "1.5.0-rc2 1.5.0 1.5.0-beta3", "1.5.0-rc2 1.5.0"),
        ("1.5.0-alpha", "1.5.0-beta 1.5.0-rc", "1.5.0-beta 1.5.0-rc"),
        ("20240115", "20240116 20231201 1.4 99999999", "20240116"),
        ("2024-01-15", "2024-02-01 20240301 2024.03.01", "2024-02-01"),
        ("2024.01.15", "2024.03.01-arm", ""),
        ("12", "13 14 1.5 20240101", "13 14"),
        ("12-bookworm", "13-bookworm 13-trixie", "13-bookworm"),
        ("1.0", "1.1 1.2 1.3 1.4 1.5 1.6 9.0", "1.1 1.2 1.3 1.4 9.0"),  # a few of the nearest, and the newest
        ("latest", "1.0 latest", ""),
        ("3f2a1bc", "4f2a1bc 1.0", ""),
        ("1.0", "sha256-0000.sig sha256-0000.att latest main", ""),
        ("1.0", f"1.{'9' * 100}", ""),  # longer numbers are no versions of anybody's
    ],
)
def test_newer_tags(current: str, there: str, expected: str):
    assert " ".join(newer(current, there.split())) == expected


@given(st.text(max_size=140), st.lists(st.text(max_size=20), max_size=5))
def test_whatever_is_written_there(current: str, tags: list[str]):
    assert set(newer(current, tags)) <= set(tags) - {current}


@given(st.lists(st.integers(0, 99), min_size=2, max_size=4), st.integers(1, 50))
def test_what_is_newer_is_never_so_the_other_way_round(numbers: list[int], more: int):
    one = ".".join(map(str, numbers))
    other = ".".join(map(str, [*numbers[:-1], numbers[-1] + more]))
    assert newer(one, [other]) == (other,)
    assert newer(other, [one]) == ()


def test_a_version_that_means_the_same_is_not_newer():
    assert newer("1.4", ["1.4.0"]) == ()
    assert parse_version("1.4") != parse_version("1.4.0")


@given(st.integers(1, 400), st.integers(0, 400))
def test_the_nearest_of_all_that_work_from_one_version_on(count: int, first: int):
    """However many there are between: 1.x came for another platform as well with 1.`first`, and so did all after it."""
    there = [f"1.{number}" for number in range(1, count + 1)]
    tried, found = search("1.0", there, lambda tag: int(tag.partition(".")[2]) >= first)
    assert found == (f"1.{max(first, 1)}" if first <= count else None)
    assert len(tried) <= 5 + ceil(log2(count))
    assert len(tried) <= 5 or found is not None  # where there is none that is soon known


@given(st.sets(st.integers(1, 60)))
def test_what_is_found_works_and_the_one_before_it_was_seen_not_to(working: set[int]):
    tried, found = search("1.0", [f"1.{number}" for number in range(1, 61)], lambda tag: int(tag[2:]) in working)
    assert len(tried) == len(set(tried))
    if found is None:
        assert not working & {1, 2, 3, 4, 60}
    else:
        assert int(found[2:]) in working
        assert found == "1.1" or f"1.{int(found[2:]) - 1}" in tried


def test_beyond_the_nearest_those_of_another_kind_are_looked_through_as_well():
    there = ["1.5", *(f"1.{number}.1" for number in range(4, 40))]
    tried, found = search("1.4", there, lambda tag: tag.count(".") == 2 and int(tag.split(".")[1]) >= 30)
    assert tried[:5] == ["1.5", "1.4.1", "1.5.1", "1.6.1", "1.39.1"]
    assert found == "1.30.1"
