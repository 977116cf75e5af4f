"""URLs, paths and addresses as Go reads them; the expected values are Go's."""

import pytest

from webhook.core.gourl import clean_path, escape, parse_url, split_host_port, unescape

# text, scheme, host, path
PARSED = [
    ("https://m.example/a%20b", "https", "m.example", "/a b"),
    ("HTTP://M.example", "http", "M.example", ""),
    ("//h:80/x", "", "h:80", "/x"),
    ("///x", "", "", "///x"),
    ("http:///x", "http", "", "/x"),
    ("http:x", "http", "", ""),
    ("a/b:c", "", "", "a/b:c"),
    ("*", "", "", "*"),
    ("http://h%C3%A9/", "http", "h\u00e9", "/"),
    ("http://h/%ff", "http", "h", "/\udcff"),
    ("http://u:p@w@h/", "http", "h", "/"),
    ("http://[fe80::1%25eth0]:80/", "http", "[fe80::1%eth0]:80", "/"),
    ("http://[::ffff:1.2.3.4]:/", "http", "[::ffff:1.2.3.4]:", "/"),
    ("http://h:/", "http", "h:", "/"),
    ("x://h:8:9/", "x", "h:8:9", "/"),
    ('http://<x>"y/', "http", '<x>"y', "/"),
    ("http://h/a?b?c#d#e", "http", "h", "/a"),
]


@pytest.mark.parametrize(("text", "scheme", "host", "path"), PARSED)
def test_the_parts_of_a_url(text, scheme, host, path):
    url = parse_url(text)
    assert (url.scheme, url.host, url.path) == (scheme, host, path)


@pytest.mark.parametrize(
    "text",
    [
        ":x",
        "1:b/c:d",
        "http://h\n/",
        "http://h/%",
        "http://h/%4",
        "http://h/%zz",
        "http://a b/",
        "http://a%20b/",
        "http://h:p/",
        "http://h:8:9/",
        "http://[::1/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[1.2.3.4]/",
        "http://[fe80::1%25]/",
        "http://[::1%2]/",
        "http://u\u00e9@h/",
        "http://h/#%",
    ],
)
def test_what_go_refuses(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://h/a b", "http://h/a%20b"),
        ("http://h/a%2fb", "http://h/a%2fb"),  # the raw form is kept where it means the same
        ("http://h/a%2fb c", "http://h/a/b%20c"),
        ("http://h/[x]'", "http://h/[x]'"),
        ("http://u:p%40w@h", "http://u:p%40w@h"),
        ("http://u:@h", "http://u:@h"),
        ("HTTP://h?", "http://h?"),
        ("http://h??", "http://h??"),
        ("http:///x", "http:///x"),
        ("http:/x", "http:/x"),
        ("mailto:a@b", "mailto:a@b"),
        ("./a:b", "./a:b"),
        ("http://h/#a%41'", "http://h/#a%41'"),
        ("http://h/#a b", "http://h/#a%20b"),
        ("http://h%C3%A9/", "http://h%C3%A9/"),
        ("*", "*"),
    ],
)
def test_a_url_written_out(text, written):
    assert str(parse_url(text)) == written


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "."),
        ("/", "/"),
        ("//", "/"),
        ("//a//b/", "/a/b"),
        ("a/../..", ".."),
        ("../../a/./b/..", "../../a"),
        ("/../a", "/a"),
        ("./", "."),
        ("...", "..."),
    ],
)
def test_a_clean_path(path, cleaned):
    assert clean_path(path) == cleaned


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("h:80", ("h", "80")),
        ("h:", ("h", "")),
        (":80", ("", "80")),
        ("h", None),
        ("", None),
        ("::1", None),
        ("[::1]:80", ("::1", "80")),
        ("[::1]", None),
        ("[]:80", ("", "80")),
        ("[::1]x:80", None),
        ("[::1]:8:0", None),
        ("[::1]:1]", None),
        ("[a[]:1", None),
        ("a]:1", None),
    ],
)
def test_host_and_port(text, split):
    assert split_host_port(text) == split


def test_each_part_lets_its_own_characters_stand():
    everything = "a/?@:;&=+$,!*'()[]<>\"% \u00e9"
    assert escape(everything, "path") == "a/%3F@:;&=+$,%21%2A%27%28%29%5B%5D%3C%3E%22%25%20%C3%A9"
    assert escape(everything, "user") == "a%2F%3F%40%3A;&=+$,%21%2A%27%28%29%5B%5D%3C%3E%22%25%20%C3%A9"
    assert escape(everything, "host") == "a%2F%3F%40:;&=+$,!*'()[]<>\"%25%20%C3%A9"
    assert escape(everything, "fragment") == "a/?@:;&=+$,!*%27()%5B%5D%3C%3E%22%25%20%C3%A9"
    assert unescape("a+b%2B%C3%A9", "path") == "a+b+\u00e9"
