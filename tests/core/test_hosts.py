"""containerd's certs.d layout: which directory, which endpoints, in which order. (The golden file has 2,500 more.)"""

import pytest

from webhook.core.errors import MalformedSettings
from webhook.core.hosts import CAPABILITIES, HostConfig, malformed_files, named_files, registry_hosts

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n"
MIRROR = 'server = "https://{}"'


def configured(text: str) -> tuple[HostConfig, ...]:
    return registry_hosts({"reg.example/hosts.toml": text}, "reg.example")


def names(endpoints: tuple[HostConfig, ...]) -> list[str]:
    return [endpoint.host for endpoint in endpoints]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("reg.example", HostConfig("https", "reg.example", "/v2")),
        ("reg.example:5000", HostConfig("https", "reg.example:5000", "/v2")),
        ("docker.io", HostConfig("https", "registry-1.docker.io", "/v2")),
        ("docker.io:443", HostConfig("https", "docker.io:443", "/v2")),
        ("localhost", HostConfig("https", "localhost", "/v2", skip_verify=True)),
        ("localhost:443", HostConfig("https", "localhost:443", "/v2", skip_verify=True)),
        ("localhost:80", HostConfig("http", "localhost:80", "/v2")),
        ("localhost:5000", HostConfig("https", "localhost:5000", "/v2", skip_verify=True, http_fallback=True)),
        ("127.8.9.1:5000", HostConfig("https", "127.8.9.1:5000", "/v2", skip_verify=True, http_fallback=True)),
        ("[::1]:5000", HostConfig("https", "[::1]:5000", "/v2", skip_verify=True, http_fallback=True)),
        ("[::1]", HostConfig("https", "[::1]", "/v2")),  # brackets without a port: not seen to be loopback
        ("127.0.0.01:5000", HostConfig("https", "127.0.0.01:5000", "/v2")),  # nor an address with a leading zero
        ("10.0.0.1:5000", HostConfig("https", "10.0.0.1:5000", "/v2")),
    ],
)
def test_the_registry_itself_where_nothing_is_configured(host, expected):
    assert registry_hosts({}, host) == (expected,)


def test_the_more_specific_directory_is_taken_whole():
    places = {f"{place}/hosts.toml": MIRROR.format(mirror) for place, mirror in PLACES.items()}
    for place, mirror in PLACES.items():
        assert names(registry_hosts(places, "reg.example:5000")) == [mirror]
        del places[f"{place}/hosts.toml"]
    assert names(registry_hosts(places, "reg.example:5000")) == ["reg.example:5000"]


PLACES = {"reg.example_5000_": "one.example", "reg.example:5000": "two.example", "_default": "three.example"}


def test_an_empty_directory_is_found_before_the_default_one():
    files = {"reg.example/": "", "_default/hosts.toml": MIRROR.format("m.example")}
    assert names(registry_hosts(files, "reg.example")) == ["reg.example"]
    assert names(registry_hosts(files, "other.example")) == ["m.example"]


def test_hosts_are_tried_in_the_order_of_the_file_and_the_server_last():
    text = """
        server = "https://upstream.example"
        [host."https://b.example"]
        capabilities = ["resolve", "PULL"]
        [host."http://a.example:5000/proxy"]
        override_path = true
        [host."https://c.example/proxy/"]
        header = {x = ["1", "2"], y = "3"}
    """
    assert configured(text) == (
        HostConfig("https", "b.example", "/v2", ("pull", "resolve")),
        HostConfig("http", "a.example:5000", "/proxy"),
        HostConfig("https", "c.example", "/proxy/v2", header=(("x", ("1", "2")), ("y", ("3",)))),
        HostConfig("https", "upstream.example", "/v2"),
    )


def test_without_a_server_the_registry_itself_comes_last_with_the_settings_of_the_file():
    text = 'skip_verify = true\ncapabilities = ["pull"]\noverride_path = true\n[host."m.example"]'
    last = configured(text)[-1]
    assert last == HostConfig("https", "reg.example", "/v2", CAPABILITIES, skip_verify=True)


def test_a_host_is_tried_again_where_a_subtable_stands_behind_another_host():
    text = '[host."https://a"]\n[host."https://b"]\n[host."https://a".header]\nx = "1"'
    endpoints = configured(text)
    assert names(endpoints) == ["a", "b", "a", "reg.example"]
    assert endpoints[0].header == endpoints[2].header == (("x", ("1",)),)


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ("https://m.example", "/v2"),
        ("https://m.example/", "//v2"),
        ("https://m.example/v2/", "/v2"),
        ("https://m.example/apiv2", "/apiv2/v2"),
        ("https://m.example/a/../b//c", "/b/c/v2"),
        ("https://m.example/%2e%2e", "//v2"),
        ("m.example/proxy", "/proxy/v2"),
    ],
)
def test_the_path_of_an_endpoint(server, path):
    assert [endpoint.path for endpoint in configured(f'server = "{server}"')] == [path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('server = "http://m.example"', HostConfig("http", "m.example", "/v2")),
        (
            'server = "http://m.example"\nskip_verify = false',
            HostConfig("https", "m.example", "/v2", http_fallback=True),
        ),
        ('server = "http://m.example:80"\nskip_verify = false', HostConfig("http", "m.example:80", "/v2")),
        ('server = "http://m.example"\nca = []', HostConfig("https", "m.example", "/v2", http_fallback=True)),
        ('server = "http://m.example"\nclient = []', HostConfig("http", "m.example", "/v2")),
        ('server = "HTTP://m.example"', HostConfig("https", "HTTP:", "/m.example/v2")),
        ('server = "m.example"\ndial_timeout = "200ms"', HostConfig("https", "m.example", "/v2", dial_timeout=0.2)),
    ],
)
def test_tls_asked_for_on_http_means_https_first(text, expected):
    assert configured(text) == (expected,)


def test_certificates_are_named_by_their_files():
    text = """
        ca = ["ca.crt", "../common/./ca.crt", "/etc/ca.crt"]
        client = [["a.cert", "a.key"], "both.pem"]
    """
    files = {
        "reg.example/hosts.toml": text,
        "reg.example/ca.crt": CERTIFICATE,
        "common/ca.crt": CERTIFICATE,
        "/etc/ca.crt": CERTIFICATE,
        "reg.example/a.cert": CERTIFICATE,
        "reg.example/a.key": KEY,
        "reg.example/both.pem": KEY + CERTIFICATE,
    }
    (endpoint,) = registry_hosts(files, "reg.example")
    assert endpoint.ca == ("reg.example/ca.crt", "common/ca.crt", "/etc/ca.crt")
    assert endpoint.client == (
        ("reg.example/a.cert", "reg.example/a.key"),
        ("reg.example/both.pem", "reg.example/both.pem"),
    )
    only_the_file = {"reg.example/hosts.toml": text}
    assert named_files(only_the_file, "reg.example") == tuple(dict.fromkeys(list(files)[1:]))


@pytest.mark.parametrize("text", [None, "", "server = ", "x = {", 'dial_timeout = "5"', 'capabilities = ["delete"]'])
def test_docker_certificates_count_where_no_file_decodes(text):
    files = {
        "reg.example/ca.crt": CERTIFICATE,
        "reg.example/a.cert": CERTIFICATE,
        "reg.example/a.key": KEY,
        "reg.example/b.cert": CERTIFICATE + KEY,
        "reg.example/deeper/c.crt": "not looked at",
    } | ({} if text is None else {"reg.example/hosts.toml": text})
    assert registry_hosts(files, "reg.example") == (
        HostConfig(
            "https",
            "reg.example",
            "/v2",
            ca=("reg.example/ca.crt",),
            client=(("reg.example/a.cert", "reg.example/a.key"), ("reg.example/b.cert", "reg.example/b.cert")),
        ),
    )


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"reg.example/hosts.toml": 'ca = "ca.crt"'}, "reg.example/ca.crt"),
        ({"reg.example/hosts.toml": 'ca = "/etc/ca.crt"'}, "/etc/ca.crt"),
        ({"reg.example/ca.crt": "no certificate"}, "reg.example/ca.crt"),
        ({"reg.example/ca.crt": KEY}, "reg.example/ca.crt"),
        ({"reg.example/a.cert": CERTIFICATE}, "reg.example/a.cert"),
        ({"reg.example/a.cert": CERTIFICATE, "reg.example/a.key": CERTIFICATE}, "reg.example/a.key"),
        ({"reg.example/ca.crt": CERTIFICATE.replace("END", "EN")}, "reg.example/ca.crt"),
        ({"reg.example/hosts.toml/x": ""}, "reg.example/hosts.toml"),
        ({"reg.example": ""}, "reg.example"),
    ],
)
def test_files_that_cannot_be_used_stop_the_pull(files, path):
    with pytest.raises(MalformedSettings) as refusal:
        registry_hosts(files, "reg.example")
    assert refusal.value.path == path


def test_files_that_containerd_only_logs_are_told():
    files = {
        "a/hosts.toml": "ok = 1",
        "b/hosts.toml": "ok = 1\nserver = ",
        "c/hosts.toml": 'capabilities = ["delete"]',
        "d/hosts.toml": "skip_verify = 1",
        "e/hosts.toml": "",
        "f/other.toml": "= =",
    }
    assert [error.path for error in malformed_files(files)] == [
        "b/hosts.toml: line 2",
        "c/hosts.toml: capabilities",
        "d/hosts.toml",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'Server = "https://m"',  # a field is found whatever its case
        '\r\nserver = "https://m" # a comment\r\n',
        'server = """\nhttps://m"""',
        'server = "http\\x73://\\u006d"',
        'unknown = 99999999999999999999\nserver = "https://m"',  # passed over unread
        'unknown = {\n a = 1, # TOML 1.1\n b.c = [1,],\n}\nserver = "https://m"',
        'server = "https://m"\n[unknown.table]\nserver = 1',
        'server = "https://m"\n[HOST."x"]\nca = 1',  # decoded, but not in the order of hosts
    ],
)
def test_forms_that_decode(text):
    assert names(configured(text)) == ["m"]


@pytest.mark.parametrize(
    "text",
    [
        "server = 1",
        "[server]",
        'server = "https://n"',
        "skip_verify = 'true'",
        "[skip_verify]",
        "skip_verify = true\nSkip_Verify = 1",
        "ca = 1",
        "ca = [1]",
        "[ca]",
        "client = [[]]",
        "client = {}",
        "header = 1",
        "[header]\nx = 1",
        "[header.x]",
        "[[header]]",
        "host = 1",
        "[[host]]",
        "[[host.x]]",
        "host = {x = 1}",
        "[host.x]\ncapabilities = [1]",
        "[host.x]\nca = 9223372036854775808",
        "[HOST.x]\nca = 9223372036854775808",  # read although it is not used
        "[HOST.x]\nca = 1e999",
        "[HOST.x]\nca = 2001-02-29",
        "[host.x]\n[host.x]",
        "x.y = 1\n[x]",
        "x = 1\nx.y = 2",
        "x = {a = 1, a = 2}",
        "\ufeff",
        "x = '\udcff'",  # a byte that is no UTF-8
        "# \x01",
        "x = " + "[" * 101 + "]" * 101,  # a limit of podgate's own; go-toml takes 10,000
        "x = " + "[" * 100_000,
        '[host."https://a:b"]',
        '[host."https://[::1"]',
    ],
)
def test_forms_that_make_the_whole_file_malformed(text):
    """The server that the first line names is not asked: the file counts as none."""
    assert names(configured('server = "https://m"\n' + text)) == ["reg.example"]
    assert len(malformed_files({"x/hosts.toml": 'server = "https://m"\n' + text})) == 1


@pytest.mark.parametrize(
    "date",
    [
        "2000-02-29",
        "2001-01-01T10:00Z",
        "2001-01-01 10:00:00.5",
        "10:00",
        "10:00:59.123",
        "2001-01-01t00:00-01:00",
    ],
)
def test_dates_that_go_reads_are_read(date):
    assert names(configured(f'server = "https://m"\n[HOST.x]\nca = {date}')) == ["m"]
