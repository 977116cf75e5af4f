"""filepath.Match: what Go's own documentation and tests say, and what cannot be asked through the keyring."""

import pytest

from webhook.core.goglob import glob_matches

MATCHES = [
    ("abc", "abc", True),
    ("abc", "abd", False),
    ("", "", True),
    ("", "a", False),
    ("*", "", True),
    ("*", "abc", True),
    ("*c", "abc", True),
    ("a*", "a", True),
    ("a*", "ab/c", False),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*", "axbxcxdxe", True),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
    ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False),
    ("ab[c]", "abc", True),
    ("ab[b-d]", "abc", True),
    ("ab[e-g]", "abc", False),
    ("ab[^c]", "abc", False),
    ("ab[^b-d]", "abc", False),
    ("ab[^e-g]", "abc", True),
    ("[c-a]", "b", False),
    ("[^c-a]", "b", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("a?b", "a\u263ab", True),
    ("a[^a]b", "a\u263ab", True),
    ("[\u00e9-\u00fc]", "\u00ea", True),
    ("[\u00e9-\u00fc]", "e", False),
    ("[a-\u00fc]", "z", True),
    ("a?b", "a/b", False),
    ("a*b", "a/b", False),
    ("[^a]", "/", True),
    ("[a-zA-Z]*", "abc", True),
    ("[!a]", "!", True),
    ("[\\]a]", "]", True),
    ("[\\-]", "-", True),
    ("[x\\-]", "-", True),
    ("[\\-x]", "x", True),
    ("[[]a]", "[a]", True),
    ("**a**", "bab", True),
    ("*x", "xxx", True),
    ("*.*", "a.b", True),
    ("]", "]", True),
    ("a-b", "a-b", True),
]

MALFORMED = [
    "[]a]",
    "[-]",
    "[x-]",
    "[-x]",
    "[a-b-c]",
    "[",
    "[^",
    "[^bc",
    "a[",
    "ab[",
    "*[",
    "\\",
    "a\\",
    "[\\",
    "[^]",
    "[a-\\",
]


@pytest.mark.parametrize(("pattern", "name", "matches"), MATCHES)
def test_matches(pattern, name, matches):
    assert glob_matches(pattern, name) is matches


@pytest.mark.parametrize("pattern", MALFORMED)
@pytest.mark.parametrize("name", ["", "a", "]", "-", "x", "ab", "[", "\\"])
def test_a_malformed_pattern_matches_nothing(pattern, name):
    assert not glob_matches(pattern, name)


def test_a_byte_that_is_not_utf8_is_an_error_in_a_class_only():
    assert glob_matches("\udcff*", "\udcffa")
    assert not glob_matches("[\udcff]", "\udcff")
    assert not glob_matches("[\udcff]", "a")


@pytest.mark.parametrize(
    "pattern", ["*" * 200_000, "*a" * 200_000, "?*" * 200_000, "[a-z]*" * 100_000, "[" + "a-z" * 200_000]
)
def test_a_long_pattern_costs_little(pattern):
    assert glob_matches(pattern, "b" * 1000) is (set(pattern) == {"*"})
    assert not glob_matches(pattern, "b" * 1_000_000)  # longer than any name
