"""JSON as Go reads it. Every expectation was given by encoding/json of Go 1.26 to the same text and structure."""

from dataclasses import dataclass
from typing import Any

import pytest

from webhook.core import jsontree
from webhook.core.gojson import (
    ANYTHING,
    BOOL,
    BYTES,
    STRING,
    Custom,
    Int,
    Map,
    Pointer,
    Slice,
    Struct,
    base64_std,
    decode,
    decode_rest,
)
from webhook.core.jsontree import MAX_DEPTH, InvalidJSON, Object, parse


@dataclass(slots=True)
class Inner:
    os: str = ""
    features: list[str] | None = None


@dataclass(slots=True)
class Outer:
    k: str = ""
    size: int = 0
    small: int = 0
    flag: bool = False
    data: bytes | None = None
    inner: Inner | None = None
    flat: Any = None
    names: dict[str, str] | None = None
    items: list[Inner] | None = None
    thing: Any = None


INNER = Struct(Inner, {"os": ("os", STRING), "os.features": ("features", Slice(STRING))})
OUTER = Struct(
    Outer,
    {
        "k": ("k", STRING),
        "size": ("size", Int()),
        "small": ("small", Int(8, signed=False)),
        "flag": ("flag", BOOL),
        "data": ("data", BYTES),
        "inner": ("inner", Pointer(INNER)),
        "names": ("names", Map(STRING)),
        "items": ("items", Slice(INNER)),
        "thing": ("thing", ANYTHING),
    },
)


def read(text: str | bytes) -> Outer:
    return decode(text if isinstance(text, bytes) else text.encode(), OUTER)


def test_absent_fields_are_zero():
    assert read("{}") == Outer()
    assert read("null") == Outer()
    assert read(" \t\r\n{ } ") == Outer()


@pytest.mark.parametrize("key", ["size", "SIZE", "Size", "\u017fize", "\\u017fIZE"])
def test_keys_match_whatever_their_case(key):
    assert read(f'{{"{key}": 5}}').size == 5


@pytest.mark.parametrize("key", ["K", "\u212a", "\\u212A"])
def test_the_kelvin_sign_is_a_k(key):
    assert read(f'{{"{key}": "x"}}').k == "x"


@pytest.mark.parametrize("key", ["s\u0130ze", "s\u0131ze", "siz", "size ", "\ufb01", ""])
def test_no_other_character_folds(key):
    assert read(f'{{"{key}": 5}}').size == 0


def test_a_repeated_key_merges():
    assert read('{"inner":{"os":"a"},"INNER":{"os.features":["f"]}}').inner == Inner("a", ["f"])
    assert read('{"names":{"a":"1","b":"2"},"names":{"b":"3"}}').names == {"a": "1", "b": "3"}
    assert read('{"size":1,"size":2}').size == 2
    assert read('{"inner":{"os":"a"},"inner":null}').inner is None
    assert read('{"k":"a","k":null}').k == "a"


def test_a_repeated_list_decodes_into_the_elements_of_the_first():
    items = read('{"items":[{"os":"a"},{"os":"b"}],"items":[{"os.features":["f"]}]}').items
    assert items == [Inner("a", ["f"])]
    # and elements that lay behind the end of a shorter one come back
    items = read('{"items":[{"os":"a"},{"os":"b"}],"items":[{}],"items":[{},{}]}').items
    assert items == [Inner("a"), Inner("b")]
    # but not after an empty one, or null
    for between in ("[]", "null"):
        items = read(f'{{"items":[{{"os":"a"}}],"items":{between},"items":[{{}}]}}').items
        assert items == [Inner()]


def test_null_makes_pointers_lists_and_maps_nil_and_leaves_the_rest():
    assert read('{"k":null,"size":null,"flag":null,"inner":null,"names":null,"items":null,"data":null}') == Outer()
    assert read('{"items":[null]}').items == [Inner()]
    assert read('{"names":{"a":null}}').names == {"a": ""}
    assert read('{"items":[]}').items == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"k":1}', "k"),
        ('{"size":"1"}', "size"),
        ('{"size":1.0}', "size"),
        ('{"size":1e2}', "size"),
        ('{"size":9223372036854775808}', "size"),
        ('{"size":' + "9" * 5000 + "}", "size"),
        ('{"small":256}', "small"),
        ('{"small":-1}', "small"),
        ('{"small":-0}', "small"),
        ('{"flag":"true"}', "flag"),
        ('{"inner":[]}', "inner"),
        ('{"inner":{"os":{}}}', "inner.os"),
        ('{"items":[{},{"os":1}]}', "items[1].os"),
        ('{"items":{}}', "items"),
        ('{"names":{"a":1}}', "names.a"),
        ('{"thing":1e999}', "thing"),
        ("[]", ""),
        ('"x"', ""),
    ],
)
def test_a_wrong_type_is_an_error_with_the_way_to_the_field(text, path):
    with pytest.raises(InvalidJSON) as caught:
        read(text)
    assert (caught.value.kind, caught.value.path) == ("type", path)


def test_the_rest_is_decoded_and_the_first_error_kept():
    value, error = decode_rest(b'{"size":"x","K":1,"inner":{"os":2,"os.features":["f"]},"flag":true}', OUTER)
    assert error is not None
    assert error.path == "size"
    assert value == Outer(flag=True, inner=Inner("", ["f"]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "{}{}",
        "{} x",
        "nul",
        "True",
        "NaN",
        "[NaN]",
        "-Infinity",
        '{"a":Infinity}',
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "[1,]",
        '{"a":1,}',
        '{"a"}',
        "{a:1}",
        "{'a':1}",
        '"\t"',
        '"\\x"',
        '"\\u12"',
        '"',
        '"\\',
        "\ufeff{}",
        "\u00a0{}",
        "[\u0661]",
    ],
)
def test_what_is_no_json(text):
    with pytest.raises(InvalidJSON) as caught:
        parse(text.encode())
    assert caught.value.kind == "syntax"
    with pytest.raises(ValueError):  # noqa: PT011  # the other parser, for deep documents: its words do not matter
        jsontree._parse_deep(text)


@pytest.mark.parametrize(
    ("text", "string"),
    [
        (rb'{"k":"\ud83d\ude00"}', "\U0001f600"),
        (rb'{"k":"\ud83d"}', "\ufffd"),
        (rb'{"k":"\ude00\ud83d"}', "\ufffd\ufffd"),
        (rb'{"k":"\ud83d\ud83d\ude00"}', "\ufffd\U0001f600"),
        (rb'{"k":"\ud83dA"}', "\ufffdA"),
        (b'{"k":"\xff"}', "\ufffd"),
        (b'{"k":"\xe2\x82"}', "\ufffd\ufffd"),
        (b'{"k":"\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
        (b'{"k":"\xf4\x90\x80\x80"}', "\ufffd\ufffd\ufffd\ufffd"),
        (b'{"k":"\xc0\x80"}', "\ufffd\ufffd"),
        (rb'{"k":"\u0000\/"}', "\x00/"),
    ],
)
def test_surrogates_and_bytes_that_are_no_utf_8(text, string):
    assert read(text).k == string


def test_keys_of_maps_are_cleaned_too():
    assert read(b'{"names":{"\xff":"a","\\ud800":"b"}}').names == {"\ufffd": "b"}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_limited_as_in_go_and_costs_no_stack(opening):
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth):
        return opening * depth + b"1" + closing * depth

    tree = parse(nested(MAX_DEPTH))
    depth = 0
    while isinstance(tree, list | Object):
        tree = tree[0][1] if isinstance(tree, Object) else tree[0]
        depth += 1
    assert depth == MAX_DEPTH
    with pytest.raises(InvalidJSON):
        parse(nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidJSON):
        parse(opening * 2_000_000)


def test_brackets_in_strings_are_not_levels():
    assert parse(b'["' + b"[" * 20_000 + b'"]') == ["[" * 20_000]
    assert parse(b'["' + b'\\"[' * 20_000 + b'"]') == ['"[' * 20_000]
    # quotes that never close: each of them must not be tried as the beginning of a string to the end
    with pytest.raises(InvalidJSON):
        parse(b"[" * 400 + b'"' + b'\\"' * 300_000)


def test_both_parsers_give_the_same():
    text = r'{"a":[1,-0.5e3,"x\u00e9",true,false,null,{},[],{"b":{"c":[[]]}}],"a":{}}'
    assert _plain(jsontree._parse_deep(text)) == _plain(parse(text.encode()))


def _plain(tree):
    if isinstance(tree, Object):
        return {"members": [(key, _plain(value)) for key, value in tree]}
    return [_plain(item) for item in tree] if isinstance(tree, list) else (type(tree).__name__, tree)


@pytest.mark.parametrize(
    ("text", "data"),
    [('"e30="', b"{}"), ('""', b""), ('"e3\\n0="', b"{}"), ('"e31="', b"{}"), ("[123,125]", b"{}"), ("[]", b"")],
)
def test_bytes(text, data):
    assert read(f'{{"data":{text}}}').data == data


@pytest.mark.parametrize("text", ["e30", "e30==", "e3=0", "====", "e30= ", "-_==", "é"])
def test_what_is_no_base64(text):
    with pytest.raises(InvalidJSON) as caught:
        read(f'{{"data":"{text}"}}')
    assert caught.value.kind == "value"
    with pytest.raises(ValueError, match="base64"):
        base64_std(text)


def test_an_error_of_a_custom_type_ends_the_decoding():
    def refuse(_node, _current):
        raise ValueError("no")

    spec = Struct(
        Outer, {"size": ("size", Int()), "thing": ("thing", Custom(lambda: None, refuse)), "k": ("k", STRING)}
    )
    value, error = decode_rest(b'{"size":1,"thing":null,"k":"x"}', spec)
    assert error is not None
    assert (value.size, value.k, error.path, error.kind) == (1, "", "thing", "value")
