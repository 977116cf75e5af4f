"""Reading what `kubectl apply -f` reads: the table of what scalars mean is go-yaml v2's (resolve.go)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cluster.documents import load_documents, read_documents
from webhook.cluster.yamltext import parse_yaml
from webhook.core.errors import MalformedObject


def values(text: str | bytes) -> list[Any]:
    return [dict(obj) for _, obj in load_documents(text, "f.yaml")]


def refusal(text: str | bytes, name: str = "f.yaml") -> str:
    with pytest.raises(MalformedObject) as caught:
        load_documents(text, name)
    return str(caught.value)


def test_documents_are_numbered_with_the_empty_ones() -> None:
    text = "# nothing\n---\na: 1\n---\n---\n# nothing either\n---\nb: 2\n...\n"
    assert load_documents(text, "app.yaml") == [("app.yaml#1", {"a": 1}), ("app.yaml#4", {"b": 2})]


@pytest.mark.parametrize("text", ["", "\n\n", "# comment", "---", "---\n---\n", "\ufeff", "null", b"", b"\xef\xbb\xbf"])
def test_nothing_is_no_object(text: str | bytes) -> None:
    assert load_documents(text, "f.yaml") == []


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}{"b": 2}',
        '{"a": 1}\n{"b": 2}\n',
        '{"a": 1}\n---\n{"b": 2}',
        "{a: 1}\n---\nb: 2",
        "a: 1\r\n---\r\nb: 2\r\n",
        "\ufeffa: 1\n---\nb: 2",
        b"\xef\xbb\xbfa: 1\n---\nb: 2",
        "%YAML 1.1\n---\na: 1\n--- # second\nb: 2",
    ],
)
def test_the_ways_to_write_two_documents(text: str | bytes) -> None:
    assert values(text) == [{"a": 1}, {"b": 2}]


def test_json_is_read_as_json() -> None:
    assert values('{"a": "\\ud83d\\ude00 \\/", "a b":\t[1.5, -0, 1e2, true, null]}') == [
        {"a": "\U0001f600 /", "a b": [1.5, 0, 100.0, True, None]}
    ]


def test_lists_are_taken_apart() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod", "apiVersion": "v1"}]}
    outer = {"apiVersion": "v1", "kind": "List", "items": [inner, {"kind": "Node", "apiVersion": "v1"}]}
    assert load_documents(json.dumps(outer), "all.json") == [
        ("all.json#1", {"kind": "Pod", "apiVersion": "v1"}),
        ("all.json#1", {"kind": "Node", "apiVersion": "v1"}),
    ]


def test_items_of_a_typed_list_get_its_kind() -> None:
    assert values("{apiVersion: v1, kind: NodeList, items: [{metadata: {name: a}}]}") == [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}
    ]


@pytest.mark.parametrize("text", ["kind: List", "{kind: List, items: null}", "{kind: PodList, items: []}"])
def test_an_empty_list_holds_nothing(text: str) -> None:
    assert values(text) == []


def test_a_kind_that_only_sounds_like_a_list_is_an_object() -> None:
    assert values("{kind: AllowList, spec: {}}") == [{"kind": "AllowList", "spec": {}}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("y", "Y", "yes", "YES", "on", "On", "true", "TRUE")],
        *[(word, False) for word in ("n", "N", "no", "No", "off", "OFF", "false", "False")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, word) for word in ("yEs", "oN", "nUll", "tRUE", "'y'", '"null"')],
        ("1", 1), ("-1", -1), ("+1", 1), ("0", 0), ("1_000", 1000), ("0x1F", 31), ("0b101", 5), ("0o17", 15),
        ("017", 15),
        ("-0x10", -16), ("08", 8), ("1e3", 1000), ("1.5", 1.5), (".5", 0.5), ("1.", 1), ("-1.5e-3", -0.0015),
        ("18446744073709551615", 2**64 - 1), ("18446744073709551616", 1.8446744073709552e19),
        ("12:30", "12:30"), ("1:30:00", "1:30:00"), ("2026-01-02", "2026-01-02"),
        ("1.2.3", "1.2.3"), ("1.4-rc", "1.4-rc"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"), ("2001-12-14 21:59:43", "2001-12-14 21:59:43"),
        ("0x", "0x"), ("1e400", "1e400"), (".", "."), ("+", "+"), ("..", ".."), ("1e", "1e"),
        ("0b2", "0b2"), ("=", "="),
        ("!!str 1", "1"), ("! 1", "1"), ("!!int '7'", 7), ("!!float 1", 1), ("!!bool 'on'", True), ("!!null ''", None),
        ("!!binary aGk=", "hi"), ("!custom 1", "1"), ("!!timestamp 2026-01-02", "2026-01-02"),
        ("!!python/name:os.system x", "x"),
        ("<<", "<<"), ("|\n  a\n  b\n", "a\nb\n"), (">-\n  a\n  b\n", "a b"),
    ],
)  # fmt: skip
def test_what_a_scalar_means(text: str, value: object) -> None:
    (found,) = values(f"v: {text}")
    if text.startswith(("'", '"')):
        value = text[1:-1]
    assert found == {"v": value}
    assert type(found["v"]) is type(value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1: a", ["1"]),
        ("on: a", ["true"]),
        ("n: a", ["false"]),
        ("1.5: a", ["1.5"]),
        ("1e10: a", ["1e+10"]),
        (".inf: a", [".inf"]),
        ("2026-01-02: a", ["2026-01-02"]),
    ],
)
def test_keys_become_strings_as_in_json(text: str, keys: list[str]) -> None:
    assert list(values(text)[0]) == keys


def test_of_a_key_that_is_given_twice_the_last_value_counts() -> None:
    assert values("{a: 1, a: 2}") == [{"a": 2}]
    assert values('{"a": 1, "a": 2}') == [{"a": 2}]


def test_anchors_and_merge_keys() -> None:
    text = """
base: &base {os: linux, arch: amd64}
more: &more {arch: arm64, zone: x}
one: {<<: *base, arch: s390x}
two: {<<: [*base, *more]}
three: {"<<": *base}
"""
    found = values(text)[0]
    assert found["one"] == {"os": "linux", "arch": "s390x"}
    assert found["two"] == {"os": "linux", "arch": "amd64", "zone": "x"}
    assert found["three"] == {"<<": found["base"]}


ODD_KEY = "a key is null, too large a number, a mapping or a list; keys are strings"
LAUGHS = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{b}: &{b} {{{b}: [1], <<: [{', '.join(['*' + a] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "f.yaml#1: not YAML: line 2, column 1: did not find expected node content"),
        ("a: 1\n---\n\tb: 1", "f.yaml#2: not YAML: line 3, column 1: found character that cannot start any token"),
        ("a: 1\n---\nb: {c: [1, {? [x] : 1}]}", "f.yaml#2: b.c[1]: a key is a mapping or a list; keys are strings"),
        ("? {a: b}\n: c", "f.yaml#1: a key is a mapping or a list; keys are strings"),
        ("a: {~: b}", f"f.yaml#1: a: {ODD_KEY}"),
        ("k: &k [1]\na: {*k : b}", f"f.yaml#1: a: {ODD_KEY}"),
        ("a: *b", "f.yaml#1: a: the alias *b has no anchor"),
        ("a: &a [1, *a]", "f.yaml#1: a[1]: the anchor &a contains itself"),
        ("a: &a {b: *a}", "f.yaml#1: a.b: the anchor &a contains itself"),
        ("a: &a {<<: *a}", "f.yaml#1: a: the anchor &a contains itself"),
        ("a: {<<: 1}", "f.yaml#1: a: the merge key << needs a mapping or a list of mappings"),
        ("a: {<<: [1]}", "f.yaml#1: a: the merge key << needs a mapping or a list of mappings"),
        ("a: .inf", "f.yaml#1: a: infinity and NaN are no JSON values"),
        ("a: [.nan]", "f.yaml#1: a[0]: infinity and NaN are no JSON values"),
        ("a: !!int x", "f.yaml#1: a: not of the type !!int"),
        ("a: !!binary '?'", "f.yaml#1: a: !!binary is not base64"),
        ("a: " + "[" * 250 + "]" * 250, "f.yaml#1: nested deeper than 200 levels"),
        ("[" * 5000, "f.yaml#1: nested deeper than 200 levels"),
        ("- " * 5000, "f.yaml#1: nested deeper than 200 levels"),
        ('{"a":' * 250 + "1" + "}" * 250, "f.yaml#1: nested deeper than 200 levels"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "f.yaml#1: nested deeper than 200 levels"),
        ('{"a": 1}{"a": NaN}', "f.yaml#2: not JSON: NaN is no JSON value"),
        ('{"a": 1e999}', "f.yaml#1: a number is out of range"),
        ("18446744073709551615: a", f"f.yaml#1: {ODD_KEY}"),
        ("a: !!timestamp soon", "f.yaml#1: a: not of the type !!timestamp"),
        ("- a\n- b", "f.yaml#1: is a list, not an object"),
        ("just text", "f.yaml#1: is a string, not an object"),
        ("a: 1\n---\n7", "f.yaml#2: is a number, not an object"),
        ("true", "f.yaml#1: is a boolean, not an object"),
        ("{kind: List, items: {}}", "f.yaml#1: items: is not a list"),
        ("{kind: List, items: [{kind: List, items: [x]}]}", "f.yaml#1: items[0].items[0]: is a string, not an object"),
        ("{kind: List, items: [null]}", "f.yaml#1: items[0]: is null, not an object"),
        (b"\xff\xfea\x00:\x00", "f.yaml: is UTF-16; kubectl reads UTF-8 only"),
        (b"a: \x80", "f.yaml: is not UTF-8 text (byte 3)"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "f.yaml#1: not YAML: "),
        (b"a: \x00b", "f.yaml#1: not YAML: "),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text: str | bytes, message: str) -> None:
    found = refusal(text)
    assert found.startswith(message)
    assert "\n" not in found


@pytest.mark.parametrize("text", [LAUGHS, MERGES])
def test_a_billion_laughs_is_excessive_aliasing(text: str) -> None:
    found = refusal(text)
    assert found.startswith("f.yaml#1: ")
    assert found.endswith(": excessive aliasing")


def test_aliases_within_reason_are_fine() -> None:
    text = "kind: List\nbase: &b {a: [1, 2, 3]}\nitems:\n" + "- *b\n" * 2000
    assert len(values(text)) == 2000


def test_a_json_file_gets_the_message_of_json() -> None:
    assert refusal('{"a": 1,\n "b" 2}', "f.json") == "f.json#1: not JSON: line 2, column 6: Expecting ':' delimiter"


def test_a_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    assert read_documents(tmp_path / "a.yaml") == [(f"{tmp_path}/a.yaml#1", {"a": 1})]


@pytest.mark.parametrize(
    ("name", "problem"), [("none.yaml", "No such file"), (".", "Is a directory"), ("a\0b", "null byte")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(MalformedObject, match=f"cannot be read: .*{problem}"):
        read_documents(f"{tmp_path}/{name}")


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4))
def test_json_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """RFC 8259: an object is what it was, whichever way it is written."""
    if value.get("kind") == "List":
        return
    assert values(json.dumps(value)) == [value]
    assert values(json.dumps(value, indent=1, ensure_ascii=False)) == [value]


def outcome(content: str | bytes) -> list[Any] | str:
    """The objects, or the refusal."""
    try:
        return [obj for _, obj in load_documents(content, "f")]
    except MalformedObject as error:
        return str(error)


@given(st.text(alphabet="ab:-[]{}&*<>?!|#'\"\\%@` \n\t0.,~", max_size=60) | st.text(max_size=60))
def test_no_text_brings_more_than_a_refusal(text: str) -> None:
    """Whatever the text, it is documents or a MalformedObject of one line."""
    found = outcome(text)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert json.loads(json.dumps(found, allow_nan=False)) == found


@given(st.binary(max_size=60))
def test_no_bytes_bring_more_than_a_refusal(content: bytes) -> None:
    """Whatever the bytes, they are documents or a MalformedObject."""
    found = outcome(content)
    assert isinstance(found, list) or found.startswith("f")


def test_documents_come_before_the_fault_of_a_later_one() -> None:
    stream = parse_yaml("a: 1\n---\nb: [")
    assert next(stream) == {"a": 1}
    with pytest.raises(MalformedObject):
        next(stream)
