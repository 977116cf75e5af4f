"""Which tags come after one that is in use: the table of what people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.versions import newer_tags, parse_version


@pytest.mark.parametrize(
    ("current", "there", "newer"),
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
def test_newer_tags(current: str, there: str, newer: str):
    assert " ".join(newer_tags(current, there.split())) == newer


@given(st.text(max_size=140), st.lists(st.text(max_size=20), max_size=5))
def test_whatever_is_written_there(current: str, tags: list[str]):
    assert set(newer_tags(current, tags)) <= set(tags) - {current}


@given(st.lists(st.integers(0, 99), min_size=2, max_size=4), st.integers(1, 50))
def test_what_is_newer_is_never_so_the_other_way_round(numbers: list[int], more: int):
    one = ".".join(map(str, numbers))
    other = ".".join(map(str, [*numbers[:-1], numbers[-1] + more]))
    assert newer_tags(one, [other]) == (other,)
    assert newer_tags(other, [one]) == ()


def test_a_version_that_means_the_same_is_not_newer():
    assert newer_tags("1.4", ["1.4.0"]) == ()
    assert parse_version("1.4") != parse_version("1.4.0")
