"""Values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and URLs that are asked for under them."""

HOSTS = [
    "example.com",
    "foo.example.com",
    "EXAMPLE.com",
    "example.com.",
    "notexample.com",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "127.0.0.1",
    "127.1.2.3",
    "127.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "10.0.0.1",
    "10.1.2.3",
    "192.168.1.7",
    "[fd00::1]",
    "[fe80::1%25eth0]",
    "[::ffff:10.0.0.1]",
    "1.2.3.4",
    "01.2.3.4",
    "reg",
    "reg.svc.cluster.local",
    "kubernetes",
    "0",
    "256.1.1.1",
    "[2001:db8::5]",
    "[2001:DB8::5]",
    "b%C3%BCcher.example",
    "xn--bcher-kva.example",
    "a_b.example",
    "*.example.com",
    ".example.com",
    "",
    "[]",
    "a[b]",
    "user@example.com",
    "ex%20ample.com",
    "[::1%25lo]",
    "0.0.0.0",
    "[::]",
    "foo..example.com",
    ".",
]
PORTS = ["", "", "", ":80", ":443", ":5000", ":0443", ":", "::", ":99999", ":x"]
SCHEMES = ["http", "https", "https", "https", "HTTPS", "ftp", "socks5", ""]
NO_PROXY = [
    "example.com",
    ".example.com",
    "*.example.com",
    "*",
    "*.",
    "*foo",
    "foo*",
    "example.com:443",
    "example.com:5000",
    ".example.com:80",
    "10.0.0.0/8",
    "10.0.0.0/08",
    "10.0.0.0/33",
    "10.0.0.1",
    "10.0.0.1:5000",
    "[fd00::1]:443",
    "fd00::1",
    "[fd00::1]",
    "fd00::/8",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.1",
    "::ffff:0.0.0.0/90",
    "::/0",
    "0.0.0.0/0",
    "127.0.0.1",
    "localhost",
    "reg",
    "svc",
    "cluster.local",
    ".cluster.local",
    "svc.cluster.local.",
    "EXAMPLE.COM",
    " example.com\t",
    "\x85example.com",
    "\u2003reg",
    ":80",
    ":",
    "[]",
    ".",
    "..",
    "/",
    "/8",
    "1.2.3.4/",
    "1.2.3.4/x",
    "1.2.3.4/+8",
    "1.2.3.4/0000000000000000008",
    "fe80::1%eth0",
    "fe80::1%eth0/64",
    "2001:db8::/32",
    "2001:DB8::5",
    "bücher.example",
    "xn--bcher-kva.example",
    "a b",
    "[example.com]:443",
    "example.com:http",
    "example.com:",
    "1.2.3.4:",
    "01.2.3.4",
    "1.2.3.0/24",
    "\u212aelvin",
    "İ",
    "example.com.",
    "com",
    "m",
    "e.com",
    "*.com",
    "*.*.com",
    "*.localhost",
    "user@example.com",
    "http://example.com",
    "1.2.3.4:80:90",
    "[1.2.3.4]:443",
    "[10.0.0.1]:5000",
    "10.0.0.1:05000",
    ",",
    "10.0.0.0/8:443",
]
PROXIES = [
    "",
    "http://p:3128",
    "p:3128",
    "p",
    "https://p",
    "https://user:pa%20ss@p:8443",
    "socks5://p",
    "user:pw@p:1",
    "http://",
    "://x",
    "%",
    "http:p",
    "p/x",
    "http://p:x",
    "1.2.3.4:8080",
    "[::1]:3128",
    "//p",
    "http:///x",
    " http://p",
    "http://[::1",
    "HTTP://P",
    "p:80:90",
    "http://p/%zz",
    "a b",
    "http://user:p@ss@p",
    "httpx",
    "localhost:1",
    "foo:bar",
    "\x01",
]
URLS = 8  # of one question: reading NO_PROXY is most of the work


def odd_host(rng):
    kind = rng.random()
    if kind < 0.4:
        return ".".join(str(rng.choice([0, 1, 9, 10, 127, 255, 256, 8])) for _ in range(rng.choice([4, 4, 4, 3, 5])))
    if kind < 0.7:
        parts = (rng.choice(["", "0", "1", "ffff", "fd00", "7f00", "12345"]) for _ in range(rng.randint(2, 8)))
        return "[" + ":".join(parts) + "]"
    return "".join(rng.choice("abc.-E%*[]:@ ü/") for _ in range(rng.randint(1, 8)))


def host(rng):
    return rng.choice(HOSTS) if rng.random() < 0.75 else odd_host(rng)


def exception(rng):
    if rng.random() < 0.8:
        return rng.choice(NO_PROXY)
    return host(rng) + rng.choice(["", ":443", "/8", "/24", "/120", "/128", ":5000"])


def url(rng):
    return rng.choice(SCHEMES) + "://" + host(rng) + rng.choice(PORTS) + rng.choice(["", "/v2/"])


def environment(rng):
    return {
        "http": rng.choice(PROXIES),
        "https": rng.choice(PROXIES),
        "no": ",".join(exception(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))),
        "urls": [url(rng) for _ in range(URLS)],
    }


def exempt(rng):
    """A proxy that works, and URLs near one exception, so that the exception decides."""
    near = exception(rng)
    named = near.strip("*.").partition("/")[0]
    urls = [
        f"{rng.choice(['http', 'https'])}://{rng.choice(['', 'a.', 'a'])}{named}{rng.choice(PORTS)}/v2/"
        for _ in range(4)
    ]
    return {
        "http": "p:3128",
        "https": "http://p:3128",
        "no": near,
        "urls": [*urls, *(url(rng) for _ in range(URLS - 4))],
    }


FAMILIES = [(3, environment), (2, exempt)]
