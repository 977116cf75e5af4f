"""Laws of references, each from a clause of the library's documentation or of the grammar at the head of its source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.errors import InvalidReference
from webhook.core.reference import Reference, is_short_name, parse_docker_ref, parse_image, parse_normalized

HEX = "0123456789abcdef"
KINDS = {
    "identifier",
    "uppercase",
    "invalid_format",
    "too_long",
    "invalid_digest",
    "digest_length",
    "digest_algorithm",
    "empty_domain",
}

component = st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
repository = st.lists(component, min_size=1, max_size=4).map("/".join)
domain = st.from_regex(r"[a-zA-Z0-9]{1,4}(-[a-zA-Z0-9]{1,3})?\.[a-z]{2,4}(:[0-9]{1,5})?", fullmatch=True).filter(
    lambda name: name not in {"docker.io", "index.docker.io"}
)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
digest = st.text(HEX, min_size=64, max_size=64).map("sha256:{}".format)


def read(text: str) -> Reference | InvalidReference:
    try:
        return parse_image(text)
    except InvalidReference as error:
        return error


@given(domain, repository, st.just("") | tag, st.just("") | digest)
def test_what_the_grammar_builds_is_read_back(host, path, label, sha):
    """`reference := name [ ":" tag ] [ "@" digest ]`, `name := [domain '/'] remote-name`."""
    expected = Reference(host, path, label, sha)
    assert parse_normalized(expected.canonical) == expected


@given(repository, st.just("") | tag, st.just("") | digest)
def test_the_familiar_form_means_the_same(path, label, sha):
    """ParseNormalizedNamed: "transforming a familiar name from Docker UI to a fully qualified reference"."""
    reference = parse_normalized(Reference("docker.io", path, label, sha).canonical)
    assert parse_normalized(reference.canonical) == reference
    # a familiar name may itself look like something else: a registry's name, or an image's identifier
    first = reference.familiar.partition("/")[0]
    if "/" not in reference.familiar or not (set(".:") & set(first) or first == "localhost"):
        assert len(reference.familiar) == 64 or parse_normalized(reference.familiar) == reference


@given(domain, repository, tag, digest)
def test_tagged_and_digested_becomes_digested_for_containerd(host, path, label, sha):
    """ParseDockerRef: "For references containing both a tag and a digest, it returns a digested reference"."""
    assert parse_docker_ref(f"{host}/{path}:{label}@{sha}") == Reference(host, path, "", sha)


@given(st.text(st.sampled_from("aZ09._-:/@[]é\u0130\u212a\n ") | st.characters(), max_size=90))
def test_any_text_is_a_reference_or_refused_with_a_known_kind(text):
    found = read(text)
    if isinstance(found, InvalidReference):
        assert found.kind in KINDS
    else:
        assert found.domain
        assert found.canonical.isascii()
        assert parse_image(found.canonical) == found
    assert is_short_name(text) in {True, False}


SIZE = 1 << 18
LONG = ["a", "-", "a-", "a.", "a_", "a/", "a__", ".", "_", "/", ":", "@", "[", "[:", "A", "a-A", "A.", "a:", "a@", "0"]


@pytest.mark.parametrize("unit", LONG)
@pytest.mark.parametrize("head", ["", "a", "reg.example/", "a.", "[", "a:", "a@sha256:", "a@s"])
@pytest.mark.parametrize("tail", ["", "!"])
def test_the_time_is_linear(unit, head, tail):
    """Each text has 2**18 characters: a parser with quadratic steps would take 2**36 for each and never be done."""
    text = head + unit * (SIZE // len(unit)) + tail
    with pytest.raises(InvalidReference):
        parse_image(text)
    is_short_name(text)
