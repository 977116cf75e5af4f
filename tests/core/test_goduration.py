"""Durations; the expected values are those of Go's time.ParseDuration."""

import pytest

from webhook.core.goduration import parse_duration

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("5s", 5 * SECOND),
        ("1m30s", 90 * SECOND),
        ("-1.5h", -5400 * SECOND),
        ("+2\u00b5s", 2000),
        ("2\u03bcs", 2000),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("1.00000000000000000000001ms", 10**6),
        ("0.333333333333333333333333h", 1200 * SECOND),
        ("1s1s", 2 * SECOND),
        ("9223372036854775807ns", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("0" * 5000 + "1ns", 1),
    ],
)
def test_nanoseconds(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "5", "x", "s", ".s", "1e3s", "5 s", "1S", "--1s", "1s "),
        *("9223372036854775808ns", "3000000h", "1" * 5000 + "s"),
    ],
)
def test_no_durations(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
