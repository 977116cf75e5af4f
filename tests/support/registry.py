"""A registry with faults, on loopback, in a thread of its own: what a test counts is what this server was asked.

It speaks HTTP by hand, so that it can also speak it wrongly. `Registry` holds images and users; a `Fault` says what it
does instead to the requests that it fits.
"""

import asyncio
import base64
import gzip
import html
import json
import ssl
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.images import Content, Image
from tests.support.listening import InThread

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float
    form: dict[str, list[str]] = field(default_factory=dict)

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True)
class Answer:
    """One answer before it is sent."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass
class Fault:
    """What happens to requests whose path fits the glob `at`, and which have or have not an Authorization. `method`:
    only to requests by it.

    `times`: to so many of them. Of the rest each field changes one thing about the answer; `raw` is sent as it stands.
    `echo`: the body is what the request's headers and form were, and what its Authorization says when decoded; a name
    among CODINGS.
    """

    at: str = "*"
    authorized: bool | None = None
    method: str | None = None
    times: int | None = None
    delay: float = 0.0
    status: int | None = None
    headers: Headers = field(default_factory=list)
    without: tuple[str, ...] = ()
    body: bytes | None = None
    redirect: str | None = None
    close: bool = False
    truncate: int | None = None
    endless: bool = False
    bomb: int | None = None
    gzip: bool = False
    chunked: bool = False
    raw: bytes | None = None
    echo: str = ""

    def fits(self, asked: Asked) -> bool:
        wanted = self.authorized is None or self.authorized == bool(asked.authorization)
        wanted = wanted and self.method in (None, asked.method)
        return self.times != 0 and wanted and fnmatchcase(asked.path, self.at)


@dataclass
class Auth:
    """Who may come in. `scheme`: basic or bearer. `users`: passwords. `challenge`: header lines instead of the usual.
    `refresh`: users by identity token.

    `token`: fields of the token answer that are laid over the usual ones, None removes one. `may_see`: users by
    repository, where not all. `public`: repositories that need no user: without any Authorization where `open`, else
    with an anonymous token. `refusal`: the status for a user who may not see a repository.
    """

    scheme: str = "bearer"
    users: dict[str, str] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    challenge: list[str] | None = None
    token: dict[str, object] = field(default_factory=dict)
    may_see: dict[str, list[str]] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    open: bool = False
    refusal: int = 403
    realm: str = ""


class TlsSpoken(Exception):
    """A client that speaks TLS to a server that does not."""


class Registry(InThread):
    """A context manager; `address` is host:port. What is set on it counts from the next request on."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(host, tls)
        self.log: list[Asked] = []
        self.faults: list[Fault] = []
        self.auth: Auth | None = None
        self.names: dict[tuple[str, str, str], Content] = {}
        self.tokens: dict[str, tuple[str | None, set[str]]] = {}
        self.sent = 0
        self.most_at_once = 0
        self.tags_a_page = 1000
        self._now = 0

    @property
    def address(self) -> str:
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.address}"

    def serve_as(self, name: str, hosts: Path) -> None:
        """Says in a folder of containerd's layout (hostsDir) that a name means this registry."""
        (hosts / name).mkdir(parents=True)
        (hosts / name / "hosts.toml").write_text(f'server = "{self.url}"\n')

    def settings_file(self, name: str, folder: Path) -> Path:
        """A settings file by which a name means this registry, in a folder without either."""
        self.serve_as(name, folder / "hosts")
        path = folder / "settings.yaml"
        registries = {"hostsDir": str(folder / "hosts"), "allowedAddresses": ["127.0.0.0/8"]}
        path.write_text(json.dumps({"registries": registries}))
        return path

    def push(self, repository: str, image: Image, *tags: str) -> Image:
        """Everything of an image under its digest, and the root under tags too."""
        for content in image.documents.values():
            for what in ("manifests", "blobs"):
                self.names[repository, what, content.digest] = content
        for tag in tags:
            self.names[repository, "manifests", tag] = image.root
        return image

    def hold(self, repository: str, what: str, name: str, content: Content) -> None:
        """One document under any name, its own or not."""
        self.names[repository, what, name] = content

    def asked(self, glob: str = "*") -> list[Asked]:
        """The requests so far whose path fits."""
        return [asked for asked in self.log if fnmatchcase(asked.path, glob)]

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                while asked := await _read(reader):
                    self.log.append(asked)
                    if not await self._answer(asked, writer):
                        break
            except TlsSpoken:
                await self._write(writer, b"HTTP/1.0 400 Bad Request\r\n\r\nthis server has no TLS")

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Sends the answer; whether the connection may be used again."""
        fault = next((fault for fault in self.faults if fault.fits(asked)), Fault())
        if fault.times is not None:
            fault.times -= 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(fault.delay)
        finally:
            self._now -= 1
        if fault.close:
            return False
        if fault.raw is not None:
            await self._write(writer, fault.raw)
            return False
        answer = _with(fault, self._normal(asked))
        if fault.echo:
            answer = replace(answer, body=_echo(asked, fault.echo))
        if fault.endless or fault.bomb:
            await self._flood(writer, fault, answer)
            return False
        head_only = asked.method == "HEAD"
        await self._write(writer, b"".join(_encode(answer, chunked=fault.chunked, head_only=head_only)))
        return fault.truncate is None

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self.sent += len(data)
        await writer.drain()

    async def _flood(self, writer: asyncio.StreamWriter, fault: Fault, answer: Answer) -> None:
        """Without end in the clear, or `bomb` bytes of nothing packed small."""
        headers = [*answer.headers, ("Connection", "close")]
        packer = zlib.compressobj(9, zlib.DEFLATED, 31) if fault.bomb else None
        headers += [("Content-Encoding", "gzip")] if packer else []
        await self._write(writer, _head(answer.status, headers))
        block = bytes(1 << 16)
        left = fault.bomb or 1 << 40
        while left > 0:
            await self._write(writer, packer.compress(block) if packer else block)
            left -= len(block)
            await asyncio.sleep(0)  # drain alone lets nobody see that the connection is lost, and this would never end
        await self._write(writer, packer.flush() if packer else b"")

    # what a registry without faults answers

    def _normal(self, asked: Asked) -> Answer:
        if asked.path == "/token" and self.auth is not None:
            return self._token(self.auth, asked)
        parts = asked.path.removeprefix("/v2/").rsplit("/", 2)
        if not asked.path.startswith("/v2/") or len(parts) != 3:
            return _error(404)
        repository, what, name = parts
        if self.auth is not None and (refused := self._refused(self.auth, repository, asked)):
            return refused
        if (what, name) == ("tags", "list"):
            return self._tags(repository, asked)
        content = self.names.get((repository, what, name))
        if content is None:
            return _error(404)
        kind = content.media_type if what == "manifests" else "application/octet-stream"
        return Answer(200, [("Content-Type", kind), ("Docker-Content-Digest", content.digest)], content.body)

    def _tags(self, repository: str, asked: Asked) -> Answer:
        """A page of tags, at most `tags_a_page` of them."""
        names = sorted(name for of, what, name in self.names if (of, what) == (repository, "manifests"))
        tags = [name for name in names if ":" not in name and name > asked.query.get("last", [""])[0]]
        most = min(self.tags_a_page, int(asked.query.get("n", ["1000"])[0]))
        link = f'<{asked.path}?n={most}&last={tags[most - 1]}>; rel="next"' if len(tags) > most else ""
        body = json.dumps({"name": repository, "tags": tags[:most]}).encode()
        return Answer(200 if names else 404, [("Link", link)] if link else [], body)

    def _refused(self, auth: Auth, repository: str, asked: Asked) -> Answer | None:
        scheme, _, proof = asked.authorization.partition(" ")
        public = repository in auth.public
        if public and auth.open and not scheme:
            return None
        if auth.scheme == "basic":
            user = _user(auth, proof) if scheme == "Basic" else None
            known = user is not None
        else:
            user, scopes = self.tokens.get(proof if scheme == "Bearer" else "", (None, set()))
            known = f"repository:{repository}:pull" in scopes
        if not known:
            return self._challenge(auth, repository)
        if public or (user is not None and user in auth.may_see.get(repository, list(auth.users))):
            return None
        return self._challenge(auth, repository) if auth.refusal == 401 else _error(auth.refusal)

    def _challenge(self, auth: Auth, repository: str) -> Answer:
        realm = auth.realm or f"{self.url}/token"
        usual = (
            'Basic realm="registry"'
            if auth.scheme == "basic"
            else f'Bearer realm="{realm}",service="registry",scope="repository:{repository}:pull"'
        )
        lines = [usual] if auth.challenge is None else auth.challenge
        return Answer(401, [("WWW-Authenticate", line) for line in lines], b'{"errors":[{"code":"UNAUTHORIZED"}]}')

    def _token(self, auth: Auth, asked: Asked) -> Answer:
        scheme, _, proof = asked.authorization.partition(" ")
        user = _user(auth, proof) if scheme == "Basic" else None
        if asked.method == "POST":
            user = _user_of_form(auth, {name: values[0] for name, values in asked.form.items()})
        if user is None and (scheme or asked.method == "POST"):
            return _error(401)
        text = f"token-{len(self.tokens)}-{user or 'nobody'}-MARKED"
        self.tokens[text] = (user, set(asked.query.get("scope", [])) | set(asked.form.get("scope", [""])[0].split()))
        name = "access_token" if asked.method == "POST" else "token"
        value: dict[str, object] = {name: text, "expires_in": 300, **auth.token}
        body = json.dumps({name: item for name, item in value.items() if item is not None}).encode()
        return Answer(200, [("Content-Type", "application/json")], body)


def _echo(asked: Asked, coding: str) -> bytes:
    scheme, _, proof = asked.authorization.partition(" ")
    decoded = base64.b64decode(proof).decode() if scheme == "Basic" else ""
    form = urllib.parse.urlencode(asked.form, True)
    words = json.dumps([asked.authorization, decoded, asked.form, form, asked.headers])
    return CODINGS[coding](words).encode()


CODINGS: dict[str, Callable[[str], str]] = {
    "json": lambda words: words,
    "php": lambda words: words.replace("/", "\\/"),
    "plain": lambda words: str(json.loads(words)),
    "html": html.escape,
    "hex": lambda words: words.encode().hex(),
    "upper": str.upper,
    "url": urllib.parse.quote,
    "base64": lambda words: base64.b64encode(words.encode()).decode(),
    "base64+1": lambda words: base64.b64encode(b" " + words.encode()).decode(),
    "base64+2": lambda words: base64.b64encode(b"  " + words.encode()).decode(),
}
"""How a server may write what it was sent: for Fault.echo."""


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        first_byte = await reader.readexactly(1)
        if first_byte == b"\x16":  # a TLS handshake: servers without TLS say so in the clear
            raise TlsSpoken
        head = first_byte + await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    form = urllib.parse.parse_qs(body.decode(), keep_blank_values=True)
    return Asked(method, urllib.parse.unquote(path), urllib.parse.parse_qs(query), headers, time.monotonic(), form)


def _with(fault: Fault, answer: Answer) -> Answer:
    body = answer.body if fault.body is None else fault.body
    set_anew = {name.lower() for name, _ in fault.headers} | {name.lower() for name in fault.without}
    headers = [pair for pair in answer.headers if pair[0].lower() not in set_anew] + fault.headers
    status = fault.status or (200 if fault.body is not None else answer.status)
    if fault.redirect is not None:
        status, headers = fault.status or 307, [*headers, ("Location", fault.redirect)]
    if fault.gzip:
        body, headers = gzip.compress(body), [*headers, ("Content-Encoding", "gzip")]
    if fault.truncate is not None:
        headers, body = [*headers, ("Content-Length", str(len(body)))], body[: fault.truncate]
    return Answer(status, headers, body)


def _encode(answer: Answer, *, chunked: bool, head_only: bool) -> Iterator[bytes]:
    named = {name.lower() for name, _ in answer.headers}
    if chunked:
        yield _head(answer.status, [*answer.headers, ("Transfer-Encoding", "chunked")])
        if head_only:
            return
        yield b"%x\r\n%s\r\n" % (len(answer.body), answer.body) if answer.body else b""
        yield b"0\r\n\r\n"
    else:
        length = [] if "content-length" in named else [("Content-Length", str(len(answer.body)))]
        yield _head(answer.status, [*answer.headers, *length])
        if not head_only:
            yield answer.body


def encoded(answer: Answer, method: str) -> bytes:
    """An answer without faults, as it is sent to a request by a method."""
    return b"".join(_encode(answer, chunked=False, head_only=method == "HEAD"))


def _head(status: int, headers: Headers) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _user(auth: Auth, proof: str) -> str | None:
    user, _, password = base64.b64decode(proof).decode().partition(":")
    return user if user in auth.users and auth.users[user] == password else None


def _user_of_form(auth: Auth, form: dict[str, str]) -> str | None:
    """OAuth2's grants, as distribution's specification has them (docs/content/spec/auth/oauth.md)."""
    if not form.get("client_id") or "service" not in form:
        return None
    if form.get("grant_type") == "refresh_token":
        return auth.refresh.get(form.get("refresh_token", ""))
    user = form.get("username", "")
    return user if form.get("grant_type") == "password" and auth.users.get(user) == form.get("password") else None


def _error(status: int) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], b'{"errors":[{"code":"ERROR","message":"no"}]}')
