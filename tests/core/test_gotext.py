"""Text as Go reads it; the answers are those of a Go 1.26 program."""

import pytest

from webhook.core.gotext import atoi, fold, parse_uint, to_lower, trim_space


@pytest.mark.parametrize(
    ("text", "lowered"),
    [
        ("LINUX", "linux"),
        ("İ", "i"),
        ("\u0391\u03a3", "\u03b1\u03c3"),  # no final sigma
        ("ẞ", "ß"),
        ("ǅ", "ǆ"),
        ("\u212a", "k"),
        ("\u13a0", "\uab70"),
        ("\ud800A", "\ud800a"),
        ("", ""),
    ],
)
def test_to_lower(text, lowered):
    assert to_lower(text) == lowered


def test_trim_space_knows_unicode_white_space_and_no_separators():
    assert trim_space("\u3000\x85\xa0\t a b \u2028\r\n") == "a b"
    assert trim_space("\x1c\x1d\x1e\x1f") == "\x1c\x1d\x1e\x1f"
    assert trim_space("\u200b\ufeff") == "\u200b\ufeff"


def test_fold_equals_only_what_equal_fold_takes():
    assert fold("\u017fCHEMAVERSION") == fold("schemaVersion")
    assert fold("to\u212aen") == fold("TOKEN") == "token"
    assert fold("İ") != "i"
    assert fold("ﬁ") != "fi"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("+3", 3),
        ("-3", -3),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 5000 + "8", 8),
        *(
            (text, None)
            for text in ("", "+", "-", "+-1", " 1", "1 ", "1_0", "0x1", "1.0", "٣", "\uff11", "1\n", "9" * 5000)
        ),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
    ],
)
def test_atoi(text, number):
    assert atoi(text) == number


@pytest.mark.parametrize(
    ("text", "bits", "number"),
    [
        ("255", 8, 255),
        ("256", 8, None),
        ("65535", 16, 65535),
        ("65536", 16, None),
        ("00010", 8, 10),
        ("+1", 8, None),
        ("-0", 8, None),
        ("", 8, None),
        ("1_0", 8, None),
        ("²", 8, None),
        ("9" * 5000, 16, None),
    ],
)
def test_parse_uint(text, bits, number):
    assert parse_uint(text, bits) == number
