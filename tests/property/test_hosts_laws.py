"""Laws of endpoints and of the Go text forms they are read with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.errors import MalformedSettings
from webhook.core.goduration import parse_duration
from webhook.core.gotoml import parse_toml
from webhook.core.gourl import Part, clean_path, escape, parse_url, unescape
from webhook.core.hosts import malformed_files, named_files, registry_hosts

PIECES = (
    *("[host.", "[", "]", "[[", '"https://a.example"', "'", '"', '"""', "'''", "\\", "\\u00"),
    *("server", "ca", "header", "x", " = ", "=", ".", ",", "{", "}", "true", "1", "-", "_", "1979-05-27"),
    *("#", " ", "\n", "\r\n", "\r", "\x00", "\u00e9", "\udcff"),
)
toml_like = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
host = st.sampled_from(["reg.example", "reg.example:5000", "docker.io", "localhost:5000", "[::1]:80"])
any_text = st.text(max_size=40)


@given(toml_like | any_text, host)
def test_a_file_that_does_not_decode_counts_as_none(text, name):
    """containerd's loadHostDir: "failed to decode", then "Fallback to checking certificate files"."""
    files = {"_default/hosts.toml": text}
    if malformed_files(files):
        assert registry_hosts(files, name) == registry_hosts({}, name)
    elif named_files(files, name):
        with pytest.raises(MalformedSettings):  # none of them is there
            registry_hosts(files, name)
    else:
        assert registry_hosts(files, name)[-1].path in {"/v2", "//v2"} or "server" in text


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
def test_hosts_keep_the_order_of_the_file(order):
    """ "getSortedHosts returns the list of hosts in the order are they defined in the file." """
    wanted = list(dict.fromkeys(order))
    text = "\n".join(f'[host."https://{name}.example"]' for name in wanted)
    tried = [entry.host for entry in registry_hosts({"r/hosts.toml": text}, "r")]
    assert tried == [*(f"{name}.example" for name in wanted), "r"]


@given(toml_like | any_text)
def test_any_text_is_toml_or_malformed(text):
    try:
        expressions = parse_toml(text)
    except MalformedSettings as error:
        found = error
    else:
        assert len(expressions) <= text.count("\n") + 1  # one a line at most
        return
    assert found.path.startswith("line ")
    assert malformed_files({"x/hosts.toml": text})


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["path", "user", "fragment"]))
def test_escaping_can_be_undone(text, part: Part):
    """RFC 3986 section 2.4: percent-encoding loses nothing."""
    assert unescape(escape(text, part), part) == text


@given(st.text("ab:/%20?#@[]. é", max_size=30))
def test_a_url_written_out_is_read_as_the_same_host_and_path(text):
    """url.URL.String: "reassembles the URL into a valid URL string"."""
    try:
        url = parse_url("http://h" + text)
    except ValueError:
        return
    again = parse_url(str(url))
    assert (again.scheme, again.host, again.path, again.query) == (url.scheme, url.host, url.path, url.query)


@given(st.text("ab./", max_size=30))
def test_a_clean_path_stays_as_it_is(path):
    """path.Clean: "the shortest path name equivalent to path by purely lexical processing"."""
    clean = clean_path(path)
    assert clean_path(clean) == clean
    assert "//" not in clean
    assert not (clean + "/").startswith("/../")


@given(st.integers(-(2**63), 2**63 - 1))
def test_nanoseconds_are_read_back(number):
    assert parse_duration(f"{number}ns") == number
