"""Where objects and images stand in what was read: the text at the place is the text of the field."""

import json
from typing import Any

import pytest
import yaml

from webhook.cluster.documents import decode_text, iterate_marked
from webhook.cluster.marks import Marks
from webhook.core.errors import MalformedObject
from webhook.core.place import Span
from webhook.core.workload import image_fields, parse_workload


def read(content: str | bytes) -> list[tuple[str, list[str | None]]]:
    """Each object's start and its images' places, as LINE:COLUMN, and the text that stands at the latter."""
    text = decode_text(content, "f.yaml")
    marks = Marks(text)
    found = []
    for each in iterate_marked(text, "f.yaml", marks):
        fields = image_fields(each.object)
        images = [_shown(text, marks.place_of(mapping, key)) for mapping, key in fields]
        start = marks.start_of(each.written)
        found.append(("" if start is None else f"{start.line}:{start.column}", images))
        workload = parse_workload(each.object)
        assert workload is not None
        assert [image.image for image in workload.images] == [str(m[k]) for m, k in fields]
    return found


def _shown(text: str, span: Span | None) -> str | None:
    if span is None:
        return None
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return f"{span.line}:{span.column} {'|'.join(lines)}"


HEAD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param("  - name: a\n    image: reg/x:1  # why\n", "6:12 reg/x:1", id="plain"),
        pytest.param("  - image: 'reg/x:1'\n", "5:13 reg/x:1", id="single quotes"),
        pytest.param('  - "image": "reg/x:1"\n', "5:15 reg/x:1", id="double quotes"),
        pytest.param('  - image: "reg\\x2Fx:1"\n', '5:12 "reg\\x2Fx:1"', id="an escape"),
        pytest.param("  - {name: a, image: reg/x:1}\n", "5:22 reg/x:1", id="flow"),
        pytest.param("  - image: >-\n      reg/x:1\n\n    # more\n    name: a\n", "6:7 reg/x:1", id="a block"),
        pytest.param("  - image: |- # why\n      reg/\n      x:1\n", "6:7 reg/|      x:1", id="a block of two lines"),
        pytest.param("  - image: reg/x:1\n    image: reg/y:1\n", "6:12 reg/y:1", id="given twice"),
        pytest.param("  - image: !!str reg/x:1\n", "5:18 reg/x:1", id="a tag"),
        pytest.param("  - name: '\u2028\u0085 é \U0001f600'\n    image: reg/x:1\n", "6:12 reg/x:1", id="odd breaks"),
        pytest.param("  - {name: '\U0001f600', image: reg/x:1}\n", "5:24 reg/x:1", id="columns are characters"),
        pytest.param("  -\n    ? image\n    : reg/x:1\n", "7:7 reg/x:1", id="a complex key"),
    ],
)
@pytest.mark.parametrize("dress", ["", "CRLF", "a byte order mark"])
def test_an_image_stands_where_its_text_is(containers: str, expected: str, dress: str):
    text = HEAD + containers
    if dress == "CRLF":
        text = text.replace("\n", "\r\n")
        expected = expected.replace("|", "\r|")
    content = (b"\xef\xbb\xbf" if dress == "a byte order mark" else b"") + text.encode()
    assert read(content) == [("1:1", [expected])]


ALIASES = """\
apiVersion: v1
kind: Pod
x-image: &image reg/x:1
x-base: &base {image: reg/base:1, name: b}
x-volume: &volume
  reference: reg/data:1
spec:
  initContainers:
  - &whole
    image: reg/init:1
  - *whole
  containers:
  - image: *image
  - <<: *base
  - <<: [*base, *whole]
    name: c
  - <<: *base
    image: reg/own:1
  ephemeralContainers:
  - name: none
    image: ""
  volumes:
  - image: {<<: *volume}
  - image: *volume
"""


def test_what_an_alias_or_a_merge_brings_stands_at_its_anchor():
    images = [
        *["10:12 reg/init:1", "10:12 reg/init:1", "3:17 reg/x:1", "4:23 reg/base:1", "4:23 reg/base:1"],
        *["18:12 reg/own:1", '21:12 ""', "6:14 reg/data:1", "6:14 reg/data:1"],
    ]
    assert read(ALIASES) == [("1:1", images)]


DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"annotations": {"last": '{"image":"reg/no:1"}', "image": "reg/no:2"}},
    "spec": {"image": "reg/no:3", "template": {"spec": {"containers": [{"image": "reg/a:1"}, {"image": "reg/b:1"}]}}},
}
LIST = {"apiVersion": "v1", "kind": "List", "items": [DEPLOYMENT, {"kind": "List", "items": [DEPLOYMENT]}, DEPLOYMENT]}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("documents", [1, 2])
def test_json_has_the_places_that_yaml_has(indent: int | None, documents: int):
    """The same text is read by json and token by token, and, after a comment, as YAML."""
    text = "\n".join([json.dumps(LIST, indent=indent)] * documents)
    as_yaml = "\n---\n".join([json.dumps(LIST, indent=indent)] * documents)
    found = read(text)
    assert len(found) == 3 * documents
    lines = text.split("\n")
    for start, images in found:
        line, column = map(int, start.split(":"))
        assert lines[line - 1][column - 1 :].startswith('"apiVersion"')
        assert [image.split()[1] for image in images if image] == ["reg/a:1", "reg/b:1"]
    shifted = read(as_yaml)
    assert [len(images) for _, images in shifted] == [2] * 3 * documents
    if documents == 1:
        assert read("# YAML\n" + text) == [
            (_down(start), [_down(image) for image in images]) for start, images in found
        ]


def _down(place: str | None) -> str:
    line, _, rest = str(place).partition(":")
    return f"{int(line) + 1}:{rest}"


def test_json_with_odd_keys():
    """Of a key that is given twice the last value counts, and a key may be written with escapes."""
    text = (
        '{"apiVersion": "v1", "kind": "Pod", "spec": [1], "spec": {"containers": [{"image": "reg/no:1"}, 3],'
        ' "containers": [{"\\u0069mage": "reg\\/x:1", "name": "\\\\"}, {"image": "reg/y:1"}]}}'
    )
    assert read(text) == [("1:2", ['1:131 "reg\\/x:1"', "1:169 reg/y:1"])]


def test_objects_of_lists_begin_at_their_own_first_key():
    items = [{"metadata": {"name": "a"}, "spec": {"containers": [{"image": "reg/x:1"}]}}] * 2
    pods = {"apiVersion": "v1", "items": items, "kind": "PodList"}
    text = "# a comment\n---\n" + yaml.dump(json.loads(json.dumps(pods)))  # without aliases
    assert read(text) == [("5:3", ["9:14 reg/x:1"]), ("10:3", ["14:14 reg/x:1"])]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: 1\nb: [\n", 3),
        ("a: 1\n---\nb: *none\n", 3),
        (b"a: 1\nb: \x93quoted\x94\n", 2),
        ('{"a": 1}\n{"a" 2}', 2),
        ('{"a": 1}\n{"a": NaN}', 2),
        ("a: 1\n\nb: !!int x\n", 3),
        ("\n" + "[" * 300, 2),
    ],
)
def test_a_mistake_has_its_line(content: str | bytes, line: int):
    with pytest.raises(MalformedObject) as caught:
        list(iterate_marked(decode_text(content, "f"), "f", None))
    assert caught.value.line == line
