"""Laws of documents and walks, each with the clause it proves."""

import json
import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import images
from tests.support.images import Content, Image
from tests.support.walks import document, examined
from webhook.core import jsontree
from webhook.core.descriptor import DESCRIPTOR, INDEX, MANIFEST, PLATFORM
from webhook.core.errors import MalformedDocument, RegistryError
from webhook.core.gojson import decode, decode_rest
from webhook.core.jsontree import InvalidJSON, Object, parse
from webhook.core.lookup import Lists
from webhook.core.manifest import Document
from webhook.core.platform import Platform
from webhook.core.selection import MAX_NESTING

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)

NAMES = ["mediaType", "MEDIATYPE", "manifests", "config", "layers", "digest", "size", "platform", "os", "architecture"]
MORE = [
    "variant",
    "os.features",
    "annotations",
    "data",
    "schemaVersion",
    "fsLayers",
    "urls",
    "artifactType",
    "\u017fize",
]
TEXTS = [images.OCI_INDEX, images.OCI_MANIFEST, images.DOCKER_LIST, "linux", "amd64", "arm64", "unknown", "", "e30="]
likely: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(TEXTS) | st.integers(-1, 3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES + MORE), inner, max_size=6),
    max_leaves=30,
)
types = st.sampled_from(
    [images.OCI_INDEX, images.OCI_MANIFEST, images.DOCKER_LIST, images.DOCKER_MANIFEST, "", "text/x"]
)
runtimes = st.sampled_from(["containerd://1.7.27", "containerd://2.4.2", "docker://28.1", "cri-o://1.33", "x://1", ""])


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_parsing_raises_nothing_but_invalid_json(text):
    """ "Unmarshal ... returns a SyntaxError" or reads the text; there is no third way (encoding/json)."""
    kind = "syntax"
    try:
        parse(text)
    except InvalidJSON as error:
        kind = error.kind
    assert kind == "syntax"


@given(values)
def test_what_json_writes_is_read_as_it_was_written(value):
    """ "Object keys and strings are UTF-8; numbers keep their literal" (encoding/json, Number)."""
    text = json.dumps(value, allow_nan=False) if _finite(value) else None
    if text is not None:
        assert _plain(parse(text.encode())) == json.loads(text, parse_int=str, parse_float=str)


@given(values | likely)
def test_the_parser_for_deep_documents_reads_the_same(value):
    """Two parsers, one grammar (RFC 8259)."""
    text = json.dumps(value)
    try:
        expected = _plain(parse(text.encode()))
    except InvalidJSON:
        expected = "invalid"
    try:
        # the very function that documents of more levels go through
        found = _plain(jsontree._parse_deep(text))
    except ValueError:
        found = "invalid"
    assert found == expected


def _finite(value):
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_finite, value))
    return all(map(_finite, value.values())) if isinstance(value, dict) else True


def _plain(tree):
    if isinstance(tree, Object):
        return {key: _plain(item) for key, item in tree}
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    return str(tree) if isinstance(tree, str) else tree


@given(likely, st.sampled_from([INDEX, MANIFEST, DESCRIPTOR, PLATFORM]))
def test_decoding_ends_in_a_value_and_perhaps_an_error(value, spec):
    """ "If a JSON value is not appropriate for a given target type ... Unmarshal skips that field and completes the
    unmarshaling as best it can" (encoding/json, Unmarshal)."""
    text = json.dumps(value).encode()
    left, error = decode_rest(text, spec)
    assert isinstance(left, type(spec.zero()))
    if error is None:
        assert decode(text, spec) == left


@given(st.dictionaries(st.sampled_from(["os", "architecture", "variant"]), st.text(max_size=5)), st.data())
def test_the_case_of_keys_makes_no_difference(fields, data):
    """ "preferring an exact match but also accepting a case-insensitive match" (encoding/json, Unmarshal)."""
    cased = {data.draw(st.sampled_from([key, key.upper(), key.title()])): value for key, value in fields.items()}
    assert decode(json.dumps(cased).encode(), PLATFORM) == decode(json.dumps(fields).encode(), PLATFORM)


@given(likely | st.binary(max_size=60), types, runtimes, st.lists(likely, max_size=3), st.booleans())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_no_document_makes_the_walk_raise_anything_else(root, media_type, runtime, others, volume):
    """Malformed input is a ValueError leaf, a fault a RegistryError, an outcome a value (design, section 8)."""
    body = root if isinstance(root, bytes) else json.dumps(root).encode()
    contents = [Content("", json.dumps(other).encode()) for other in others]
    image = Image(Content(media_type, body), (), tuple(contents))
    lists = Lists(tuple(map(document, contents)), tuple(map(document, contents)))
    try:
        found = examined(image, Platform("linux", "amd64"), runtime, lists=lists, volume=volume)
    except (MalformedDocument, RegistryError):
        return
    assert found.answer.outcome.verdict in {"runs", "fails", "uncertain"}
    assert len(found.wants) < 20


platforms = st.sampled_from(["linux/amd64", "linux/arm64", "linux/386", "linux/arm/v7", "linux/amd64/v3", "wasi/wasm"])


@given(st.lists(platforms, min_size=1, max_size=5), platforms, runtimes)
def test_an_exact_entry_decides_without_a_request(offered, wanted, runtime):
    """ "a fitting entry decides, without a second request" (design, section 2)."""
    image = images.multi(*offered, wanted)
    found = examined(image, Platform(*wanted.split("/")), runtime)
    assert (found.answer.outcome.verdict, found.wants) == ("runs", [])


@given(st.lists(platforms, max_size=5), platforms)
def test_the_order_of_entries_does_not_decide_whether_one_fits(offered, node):
    """Entries are sorted by preference before one is taken (containerd, images.Manifest)."""
    outcomes = {
        examined(images.multi(*order), Platform(*node.split("/")), "containerd://1.7.27").answer.outcome
        for order in (offered, offered[::-1], sorted(offered))
    }
    assert len(outcomes) == 1


@given(platforms, platforms, platforms)
def test_a_known_list_never_makes_an_image_run_or_fail(claims, says, node):
    """ "turns `fails` into `uncertain` (config-contradicted), never into `runs`" (design, section 2)."""
    listed = images.mislabelled(says, claims)
    pinned = Image(listed.manifests[0], (), listed.blobs)
    platform = Platform(*node.split("/"))
    without = examined(pinned, platform).answer.outcome
    known = examined(pinned, platform, lists=Lists(known=(document(listed.root),))).answer.outcome
    assert known == without or (without.verdict, known.why) == ("fails", "config-contradicted")


@given(st.integers(0, 8), platforms, runtimes)
def test_nested_indexes_cost_at_most_their_bound(depth, node, runtime):
    """ "walked as the runtime walks them, bounded in depth and count" (design, section 2)."""
    image = images.multi(node)
    for _ in range(depth):
        image = images.listed([(None, image)])
    try:
        found = examined(image, Platform(*node.split("/")), runtime)
    except MalformedDocument:
        assert depth > MAX_NESTING
        return
    assert len(found.wants) <= 3 * (MAX_NESTING + 1)


@given(st.binary(max_size=100), types)
def test_a_bad_document_is_bad_each_time(body, media_type):
    """Parse once (style): the error is kept as a value would be."""
    bad = Document(media_type, "sha256:x", body)
    for view in ("index", "manifest", "config_platform"):
        said = set()
        for _ in range(2):
            try:
                getattr(bad, view)
            except MalformedDocument as error:
                said.add(str(error))
            else:
                said.add("")
        assert len(said) == 1
