"""The endpoints that containerd tries for a registry, by its directory of hosts.toml files and certificates.

A node with mirrors pulls from what such a directory says, and podgate must ask the same endpoints in the same order.
This is containerd's ConfigureHosts (v2.4.2, core/remotes/docker/config) with HostDirFromRoot, as a function of the
files' texts: reading them, and making TLS of them, is the registry client's.

Files are given by their path below the configuration root, with forward slashes (`reg.example_5000_/hosts.toml`). A key
that ends in a slash is a directory, worth giving where it is empty: it too is found before `_default`. What a file
names outside the root is looked up by its absolute path, or by one that begins with `../` (see `named_files`). Text
that is no UTF-8 is given with surrogates in place of the bad bytes (the error handler `surrogateescape`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from webhook.core.errors import MalformedSettings
from webhook.core.goduration import parse_duration
from webhook.core.gotext import to_lower
from webhook.core.gourl import clean_path, parse_url, split_host_port
from webhook.core.hostsfile import Anything, HostsFile, Section, read_hosts_file

CAPABILITIES = ("pull", "resolve", "push", "referrers")


@dataclass(frozen=True, slots=True)
class HostConfig:
    """One endpoint. A request for a manifest goes to `scheme://host` + `path` + `/NAME/manifests/TAG-OR-DIGEST`.

    `path` is unescaped. `capabilities` are some of CAPABILITIES, in that order: a tag is asked for only where it can
    be resolved, content only where it can be pulled. `http_fallback` means that https is tried first and http where
    that fails as TLS. `ca` are files of certificates that are trusted beside the system's, `client` pairs of files of
    a certificate and its key (the same file where both stand in one). `header` goes with every request.
    `dial_timeout` is in seconds, None for the client's own.
    """

    scheme: str
    host: str
    path: str
    capabilities: tuple[str, ...] = CAPABILITIES
    skip_verify: bool = False
    http_fallback: bool = False
    ca: tuple[str, ...] = ()
    client: tuple[tuple[str, str], ...] = ()
    header: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dial_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """An endpoint before defaults. None: not said; `ca` may be said to be empty, and that counts as said."""

    scheme: str = ""
    host: str = ""
    path: str = ""
    capabilities: tuple[str, ...] = CAPABILITIES
    skip_verify: bool | None = None
    ca: tuple[str, ...] | None = None
    client: tuple[tuple[str, str], ...] = ()
    header: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dial_timeout: float | None = None


def registry_hosts(files: Mapping[str, str], host: str) -> tuple[HostConfig, ...]:
    """The endpoints for the registry of a reference (`reg.example:5000`), in the order they are tried.

    With no directory for it: the registry itself, docker.io as registry-1.docker.io. A hosts.toml that does not decode
    counts as none, and the certificates beside it are taken (`malformed_files` tells). Raises MalformedSettings with
    the file's path where a certificate, a key or a directory cannot be used: containerd then pulls nothing at all.
    """
    drafts = _configured(files, host) or (_Draft(),)
    if not drafts[-1].host:
        drafts = (*drafts[:-1], _registry_itself(drafts[-1], host))
    for draft in drafts:
        _check_certificates(files, draft)
    return tuple(_finished(draft) for draft in drafts)


def malformed_files(files: Mapping[str, str]) -> tuple[MalformedSettings, ...]:
    """What containerd would only log: each hosts.toml that does not decode, with its path."""
    found = []
    for path in sorted(files):
        directory, slash, name = path.rpartition("/")
        if slash and name == "hosts.toml" and files[path]:
            try:
                _decoded(directory, files[path])
            except MalformedSettings as error:
                found.append(error)
    return tuple(found)


def named_files(files: Mapping[str, str], host: str) -> tuple[str, ...]:
    """The certificates and keys that the configuration of a registry names, there or not: those that are absolute or
    begin with `../` have to be read from elsewhere before registry_hosts finds them."""
    named = (name for draft in _configured(files, host) for name in _files_of(draft))
    return tuple(dict.fromkeys(named))


def _configured(files: Mapping[str, str], host: str) -> tuple[_Draft, ...]:
    """What the directory of a host says; empty where there is none."""
    directory = _directory(files, host)
    if directory is None:
        return ()
    text = _read(files, _join(directory, "hosts.toml"))
    if text:
        try:
            return _decoded(directory, text)
        except MalformedSettings:
            pass  # containerd logs it and goes on like this; `malformed_files` is there for who wants to know
    return (_by_certificates(files, directory),)


def _directory(files: Mapping[str, str], host: str) -> str | None:
    """The first that exists: host_port_, host:port, _default. Raises MalformedSettings where it is a file."""
    name, colon, port = host.rpartition(":")
    for candidate in (*([f"{name}_{port}_"] if colon and name else []), host, "_default"):
        path = clean_path(candidate)
        if path in files:
            raise MalformedSettings("a file stands where a directory belongs", path)
        if path == "." or any(file.startswith(path + "/") for file in files):
            return path
    return None


def _read(files: Mapping[str, str], path: str) -> str | None:
    """A file's text, None where there is no file. Raises MalformedSettings where it is a directory."""
    if path not in files and any(file.startswith(path + "/") for file in files):
        raise MalformedSettings("a directory stands where a file belongs", path)
    return files.get(path)


def _by_certificates(files: Mapping[str, str], directory: str) -> _Draft:
    """Docker's layout: NAME.crt is trusted, NAME.cert is shown to the server, its key in NAME.key if that exists."""
    prefix = "" if directory == "." else directory + "/"
    names = sorted(
        (path.removeprefix(prefix) for path in files if path.startswith(prefix) and "/" not in path[len(prefix) :]),
        key=lambda name: name.encode("utf-8", "surrogateescape"),  # Go sorts bytes
    )
    pairs = []
    for name in names:
        if name.endswith(".cert"):
            certificate = prefix + name
            key = certificate.removesuffix(".cert") + ".key"
            there = key in files or any(path.startswith(key + "/") for path in files)
            pairs.append((certificate, key if there else certificate))
    trusted = tuple(prefix + name for name in names if name.endswith(".crt"))
    return _Draft(ca=trusted or None, client=tuple(pairs))


def _decoded(directory: str, text: str) -> tuple[_Draft, ...]:
    """The endpoints of a hosts.toml, the registry's own at the end (parseHostsFile)."""
    try:
        file: HostsFile = read_hosts_file(text)
        sections = [(name, file.hosts.get(name, Section())) for name in file.order]
        return tuple(_draft(server, directory, section) for server, section in [*sections, (file.server, file.root)])
    except MalformedSettings as error:
        path = _join(directory, "hosts.toml")
        raise MalformedSettings(error.problem, f"{path}: {error.path}" if error.path else path) from error


def _draft(server: str, directory: str, section: Section) -> _Draft:
    """One endpoint as configured (parseHostConfig). Raises MalformedSettings."""
    try:
        scheme, host, path = _endpoint(server, override=section.override_path)
        timeout = parse_duration(section.dial_timeout) / 1e9 if section.dial_timeout else None
    except ValueError as error:
        raise MalformedSettings(str(error), server) from error
    return _Draft(
        scheme=scheme,
        host=host,
        path=path,
        capabilities=_capabilities(section.capabilities),
        skip_verify=section.skip_verify,
        ca=_trusted(section.ca, directory),
        client=tuple(_client_pairs(section.client, directory)),
        header=tuple(_headers(section.header or {})),
        dial_timeout=timeout,
    )


def _endpoint(server: str, *, override: bool) -> tuple[str, str, str]:
    """Scheme, host and path of an endpoint's URL; a path that does not end in /v2 gets it unless told otherwise."""
    if not server:
        return "", "", ""
    url = parse_url(server if server.startswith("http") else "https://" + server)
    path = clean_path(url.path) if url.path else ""
    if not override and not path.endswith("/v2"):
        path += "/v2"
    return url.scheme, url.host, path


def _capabilities(names: list[str]) -> tuple[str, ...]:
    wanted = {to_lower(name) for name in names} or set(CAPABILITIES)
    if unknown := wanted.difference(CAPABILITIES):
        raise MalformedSettings(f"unknown capability: {min(unknown)}", "capabilities")
    return tuple(name for name in CAPABILITIES if name in wanted)


def _trusted(value: Anything | None, directory: str) -> tuple[str, ...] | None:
    """`ca`: one file or several."""
    match value:
        case None:
            return None
        case str():
            return (_located(value, directory),)
        case list():
            return tuple(_located(_text(item, "ca"), directory) for item in value)
        case _:
            raise MalformedSettings("neither a file nor a list of files", "ca")


def _client_pairs(value: Anything | None, directory: str) -> Iterator[tuple[str, str]]:
    """`client`: one file with certificate and key, or several, or pairs of files."""
    match value:
        case None:
            return
        case str():
            entries: list[Anything] = [value]
        case list():
            entries = value
        case _:
            raise MalformedSettings("neither a file nor a list of files", "client")
    for entry in entries:
        pair = [_text(item, "client") for item in entry] if isinstance(entry, list) else [_text(entry, "client")] * 2
        if len(pair) != 2:
            raise MalformedSettings("a pair is a certificate and its key", "client")
        # An empty name of a key means the certificate's file, but only after it was joined with the directory: never.
        yield _located(pair[0], directory), _located(pair[1], directory)


def _headers(header: Mapping[str, Anything]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in header.items():
        values = value if isinstance(value, list) else [value]
        yield name, tuple(_text(item, f"header.{name}") for item in values)


def _text(value: Anything, path: str) -> str:
    if not isinstance(value, str):
        raise MalformedSettings("a string is wanted", path)
    return value


def _registry_itself(draft: _Draft, host: str) -> _Draft:
    """The registry as its own endpoint, where no other server is named. On this machine itself containerd speaks http
    too: it trusts any certificate, and for a port other than 443 it falls back to http; on port 80 nothing else."""
    draft = replace(draft, scheme="https", host=host, path="/v2", capabilities=CAPABILITIES)
    if host == "docker.io":
        return replace(draft, host="registry-1.docker.io")
    if not _is_localhost(host):
        return draft
    port = _port(host)
    return replace(
        draft,
        scheme="https" if port in {"", "443"} else "http",
        skip_verify=draft.skip_verify if port == "80" else True,
    )


def _finished(draft: _Draft) -> HostConfig:
    """An endpoint configured for http and TLS at once gets https first, unless its port says http."""
    tls = draft.ca is not None or bool(draft.client) or draft.skip_verify is not None
    fallback = draft.scheme == "http" and tls and _port(draft.host) != "80"
    return HostConfig(
        scheme="https" if fallback else draft.scheme,
        host=draft.host,
        path=draft.path,
        capabilities=draft.capabilities,
        skip_verify=bool(draft.skip_verify),
        http_fallback=fallback,
        ca=draft.ca or (),
        client=draft.client,
        header=draft.header,
        dial_timeout=draft.dial_timeout,
    )


def _check_certificates(files: Mapping[str, str], draft: _Draft) -> None:
    """What can be seen without cryptography: each file is there and has the PEM blocks it is named for."""
    for name in draft.ca or ():
        _require_block(files, name, "CERTIFICATE-----")
    for certificate, key in draft.client:
        _require_block(files, certificate, "CERTIFICATE-----")
        _require_block(files, key, "PRIVATE KEY-----")


def _require_block(files: Mapping[str, str], path: str, label: str) -> None:
    text = _read(files, path)
    if text is None:
        raise MalformedSettings("there is no such file", path)
    lines = text.splitlines()
    for edge in ("-----BEGIN ", "-----END "):
        if not any(line.startswith(edge) and line.rstrip().endswith(label) for line in lines):
            raise MalformedSettings(f"the file has no PEM block of a {label.rstrip('-').lower()}", path)


def _files_of(draft: _Draft) -> Iterator[str]:
    yield from draft.ca or ()
    for pair in draft.client:
        yield from pair


def _located(name: str, directory: str) -> str:
    return name if name.startswith("/") else _join(directory, name)


def _join(directory: str, name: str) -> str:
    return clean_path(f"{directory}/{name}")


def _port(host: str) -> str:
    split = split_host_port(host)
    return split[1] if split else ""


def _is_localhost(host: str) -> bool:
    """docker.IsLocalhost: the name, or an address of the loopback network; a bare address in brackets is none."""
    split = split_host_port(host)
    name = split[0] if split else host
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return "%" not in name and bool((mapped or address).is_loopback)
