"""containerd configuration directories: hosts.toml, certificates, directory names."""

import json

from tests.oracles.inputs.common import mutated

HOSTS = [
    "reg.example",
    "reg.example:5000",
    "docker.io",
    "localhost",
    "localhost:5000",
    "localhost:443",
    "localhost:80",
    "127.0.0.1:5000",
    "10.0.0.1",
    "ghcr.io",
    "[::1]:5000",
    "127.1.2.3",
    "reg.example:443",
    "registry-1.docker.io",
]
ENDPOINTS = [
    "https://mirror.example",
    "http://mirror.example",
    "mirror.example",
    "http://mirror.example:80",
    "http://10.0.0.1:5000",
    "https://mirror.example/",
    "https://mirror.example/v2",
    "https://mirror.example/v2/",
    "https://mirror.example/proxy",
    "https://mirror.example/v2/proxy",
    "https://mirror.example/proxy/v2/",
    "https://mirror.example/a/../b//c",
    "https://mirror.example:8443/x",
    "mirror.example:5000",
    "mirror.example/path",
    "http-mirror.example",
    "httpbin.example/x",
    "HTTP://mirror.example",
    "https://",
    "http://",
    "https://user:pw@mirror.example",
    "https://mirror.example?x=1",
    "https://mirror.example/%2e%2e",
    "https://[::1]:5000",
    "ftp://mirror.example",
    "unix:///run/x.sock",
    "https://mirror.example/v22",
    "https://mirror.example/apiv2",
    "https://reg.example",
    "localhost:5000",
    "http://localhost:5000",
    "//mirror.example",
    "https://a b.example",
]
CAPABILITIES = [
    ["pull"],
    ["pull", "resolve"],
    ["resolve"],
    ["push"],
    ["pull", "resolve", "push"],
    [],
    ["Pull", "RESOLVE"],
    ["referrers"],
    ["pull", "pull"],
    ["pull", "delete"],
    [" pull"],
    [""],
]
FILES = {
    "ca.crt": "PEM CERT",
    "other.crt": "PEM CERT",
    "client.cert": "PEM CERT",
    "client.key": "PEM KEY",
    "both.pem": "PEM BOTH",
    "both.cert": "PEM BOTH",
    "junk.crt": "no certificate",
    "empty.crt": "",
}


def toml(value):
    """The subset of TOML that these files need is JSON's but for nested pairs and booleans, which agree."""
    return json.dumps(value)


def settings(rng, rate=0.3, bad=0.06):
    """Lines of one host section, and the certificate files they name."""
    lines: list[str] = []
    files: set[str] = set()
    if rng.random() < rate + 0.2:
        lines.append("capabilities = " + toml(rng.choice(CAPABILITIES[:7] if rng.random() > bad * 3 else CAPABILITIES)))
    if rng.random() < rate:
        lines.append(
            "skip_verify = " + rng.choice(["true", "true", "false"] + (['"true"', "1"] if rng.random() < bad else []))
        )
    if rng.random() < rate:
        lines.append("override_path = " + rng.choice(["true", "true", "false"]))
    if rng.random() < rate / 2:
        value = rng.choice(
            ["ca.crt", ["ca.crt"], ["ca.crt", "other.crt"], []]
            + (["junk.crt", "missing.crt", 1, ["ca.crt", 2], True, ""] if rng.random() < bad * 4 else [])
        )
        lines.append("ca = " + toml(value))
        files.update(
            name
            for name in ([value] if isinstance(value, str) else value if isinstance(value, list) else [])
            if name in FILES
        )
    if rng.random() < rate / 3:
        value = rng.choice(
            ["both.pem", ["both.pem"], [["client.cert", "client.key"]], [["client.cert", "client.key"], "both.pem"]]
            + (
                ["client.cert", [["client.cert"]], 1, [1], [["client.cert", "client.key", "x"]], "missing.pem"]
                if rng.random() < bad * 4
                else []
            )
        )
        lines.append("client = " + toml(value))
        files.update(name for name in FILES if f'"{name}"' in toml(value))
    if rng.random() < rate / 3:
        lines.append(
            "dial_timeout = "
            + toml(rng.choice(["1s", "200ms", "1m30s"] + (["5", "x", ""] if rng.random() < bad * 4 else [])))
        )
    if rng.random() < bad:
        lines.append(
            rng.choice(
                [
                    "unknown = 1",
                    'server = "https://x.example"',
                    "[header]",
                    "ca = ",
                    "skip_verify = true\nskip_verify = false",
                ]
            )
        )
    return lines, files


def header(rng, section):
    value = rng.choice(['["1"]', '"1"', '["1", "2"]', '["1"]'] + (["1", "[1]", "true"] if rng.random() < 0.15 else []))
    return [f"[{section}.header]", rng.choice(["x-a", "X-A", "authorization"]) + " = " + value]


def document(rng, server=0.6, sections=(0, 1, 1, 2, 3), rate=0.3, bad=0.06):
    """A hosts.toml and the certificate files it names."""
    lines: list[str] = []
    files: set[str] = set()
    if rng.random() < server:
        lines.append("server = " + toml(rng.choice(ENDPOINTS)))
    if rng.random() < 0.4:
        more, named = settings(rng, rate, bad)
        lines, files = lines + more, files | named
    names = [rng.choice(ENDPOINTS) for _ in range(rng.choice(sections))]
    if rng.random() > bad:  # a repeated table is an error of TOML
        names = list(dict.fromkeys(names))
    headers = []
    for name in names:
        section = f"host.{toml(name)}"
        more, named = settings(rng, rate, bad)
        lines, files = [*lines, f"[{section}]", *(" " * rng.randrange(3) + line for line in more)], files | named
        if rng.random() < rate / 2:
            if rng.random() < 0.5:
                lines += header(rng, section)
            else:
                headers += header(rng, section)  # after all sections: the host is then tried twice
    return "\n".join(lines + headers) + "\n", files


def directory(host):
    """containerd's directory name for a host with a port."""
    name, colon, port = host.rpartition(":")
    return f"{name}_{port}_" if colon and name else host


def question(rng, host, text, named, place=None):
    place = place or rng.choice([host, directory(host), directory(host), "_default"])
    files = {f"{place}/hosts.toml": text}
    files.update({f"{place}/{name}": FILES[name] for name in sorted(named)})
    return {"files": files, "host": host}


def usual(rng):
    return question(rng, rng.choice(HOSTS), *document(rng, bad=0))


def one_section(rng):
    """One endpoint with one setting or two, so that their rule decides."""
    more, named = settings(rng, 0.35, 0.05)
    name = rng.choice(ENDPOINTS)
    if rng.random() < 0.5:
        text = "\n".join([f"[host.{toml(name)}]", *more])
    else:
        text = "\n".join([f"server = {toml(name)}", *more])
    return question(rng, rng.choice(HOSTS[:7]), text, named)


def no_server(rng):
    """The registry itself comes last, with the settings of the root."""
    return question(rng, rng.choice(HOSTS), *document(rng, server=0, rate=0.4, bad=0.02))


def places(rng):
    """Which directory is taken: host_port_, host:port, _default."""
    host = rng.choice(HOSTS)
    files = {}
    for number, place in enumerate(
        dict.fromkeys([directory(host), host, "_default", host.split(":")[0], host.replace(":", "_")])
    ):
        if rng.random() < 0.45:
            files[f"{place}/" + rng.choice(["hosts.toml", "hosts.toml", "hosts.toml", "Hosts.toml", "other.txt"])] = (
                rng.choice([f'server = "https://m{number}.example"', "", "# nothing"])
            )
    return {"files": files, "host": host}


def certificates(rng):
    """Docker's layout: no hosts.toml (or a bad one), certificates beside it."""
    host = rng.choice(HOSTS)
    place = rng.choice([directory(host), host, "_default"])
    files = {
        f"{place}/{name}": content
        for name, content in FILES.items()
        if rng.random() < (0.12 if name.startswith(("junk", "empty")) else 0.4)
    }
    if rng.random() < 0.3:
        files[f"{place}/hosts.toml"] = rng.choice(["", "server = ", "x = 1", "[host]", 'server = "https://m.example"'])
    return {"files": files, "host": host}


def odd_toml(rng):
    """Forms of TOML that the reader of host order does not expect, or that are none."""
    text = rng.choice(
        [
            'host = {"https://a.example" = {capabilities = ["pull"]}}',
            '[host]\n"https://a.example" = {capabilities = ["pull"]}',
            '[host."https://a.example".header]\nx = "1"',
            'host."https://a.example".skip_verify = true',
            '[ host . "https://a.example" ]\nskip_verify = true',
            "[host.plain]\nskip_verify = true",
            "[host.'https://a.example']\n",
            '[host."https://b.example"]\n[host."https://a.example"]\n[host."https://b.example".header]\nx = "1"',
            '[[host."https://a.example"]]\n',
            '[host."https://a.example"]\n[host."https://a.example"]\n',
            '[host."https://b.example"]\n[host."https://a.example"]\n',
            '[plugin."x"]\ny = 1\n[host."https://a.example"]\n',
            'server = "https://a.example"\nserver = "https://b.example"',
            "server = 1",
            "server = ''",
            "server = https://a.example",
            '"server" = "https://a.example"',
            'Server = "https://a.example"',
            '\ufeffserver = "https://a.example"',
            'server = "https://a.example"\r\n[host."https://b.example"]\r\n',
            '[host."https://a.example"]\ncapabilities = "pull"',
            '[host."https://a.example"]\ncapabilities = [1]',
            'capabilities = ["pull"]\n',
            "skip_verify = true",
            "override_path = true",
            '[host."https://a.example"]\nheader = {x = "1"}',
            '[host."\\u0061.example"]\n',
            '[host."a.example"]\n[host."https://a.example"]\n',
            '[host."A.example"]\n[host."a.example"]\n',
            "[host.a.b]\nskip_verify = true",
            '[host.""]\n',
            '[host."https://a.example"]\nSkip_Verify = true',
            '[host."https://a.example"]\nca = "sub/ca.crt"',
            '[host."https://a.example"]\nca = "/nowhere/ca.crt"',
            'server = """https://a.example"""',
            '[header]\nx = "1"',
        ]
    )
    if rng.random() < 0.35:
        text += "\n" + document(rng)[0]
    if rng.random() < 0.2:
        text = mutated(rng, text)
    return question(rng, rng.choice(HOSTS), text, set())


def damaged(rng):
    host = rng.choice(HOSTS)
    text, named = document(rng)
    return question(rng, host, mutated(rng, text, rng.choice([1, 1, 2])), named)


FAMILIES = [(6, usual), (6, one_section), (4, no_server), (4, places), (3, certificates), (4, odd_toml), (3, damaged)]


def split(answer):
    hosts = answer["hosts"]
    yield "error" if "error" in answer else f"endpoints: {min(len(hosts), 3)}{'+' if len(hosts) > 3 else ''}"
    if any(host["skip_verify"] for host in hosts):
        yield "skips verification somewhere"
    if any("http_fallback" in host for host in hosts):
        yield "falls back to http somewhere"
    if any("ca" in host or "client" in host for host in hosts):
        yield "certificates somewhere"
