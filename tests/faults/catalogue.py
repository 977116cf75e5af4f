"""The faults, each with what it does to a registry and what podgate is said to do about it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.faults.hosts import FORBIDDEN, MUTE, REFUSING, Sick
from tests.faults.names import GOOD, SILENCE, Answers
from tests.faults.samples import IMAGES, KINDS, Kind, config_of
from tests.support.images import OCI_INDEX, OCI_MANIFEST
from tests.support.registry import Fault, Headers

BOTH: Final = frozenset(KINDS)
ASKED_AGAIN: Final = "asks again, twice at most"
BY_TIME: Final = "gives the request up after `requestTimeout`, asks again, answers by the deadline"
AT_ONCE: Final = "does not ask again: it would be the same"
PASSED_OVER: Final = "reads the document all the same"
NOT_FOLLOWED: Final = "does not follow"
WAITS: Final = "waits for it, and asks again"
TOO_LONG: Final = "does not wait for it, nor ask sooner"
IGNORED: Final = "passes the header over"

ATTEMPTS: Final[Mapping[str, tuple[int, int]]] = {
    ASKED_AGAIN: (2, 3),
    BY_TIME: (1, 3),
    AT_ONCE: (1, 1),
    NOT_FOLLOWED: (1, 1),
    WAITS: (2, 3),
    TOO_LONG: (1, 1),
    IGNORED: (2, 3),
}
"""How often it is tried to get a document, at least and at most, by what podgate does."""


@dataclass(frozen=True, eq=False)
class Illness:
    """`does`: what podgate does about it. `names`: what the registry's name means meanwhile, None: what it meant.

    readable: the images of which everything that decides can be had in spite of it. steps: requests to the registry
    that one attempt takes.
    """

    name: str
    does: str
    sick: Sick = field(default_factory=Sick)
    names: Answers | None = None
    readable: frozenset[Kind] = frozenset()
    steps: int = 1


def _http(name: str, does: str, *faults: Fault, readable: frozenset[Kind] = frozenset(), steps: int = 1) -> Illness:
    return Illness(name, does, Sick(faults=faults), readable=readable, steps=steps)


def _door() -> list[Illness]:
    """Before a word of HTTP is spoken."""
    return [
        Illness("no such name", AT_ONCE, names=(("NONAME",),)),
        Illness("name server fails", ASKED_AGAIN, names=(("AGAIN",),)),
        Illness("name server says nothing", BY_TIME, names=((SILENCE,),)),
        Illness(
            "the name's address changes from one look-up to the next, the second is refused by settings",
            "connects to the address that was looked at: there is no second look-up",
            names=((GOOD,), (FORBIDDEN,)),
            readable=BOTH,
        ),
        Illness(
            "the same, the first is refused by settings", "does not connect to it", names=((FORBIDDEN,), (GOOD,))
        ),
        Illness(
            "one of the name's two addresses refuses connections", "takes the other", names=((REFUSING, GOOD),),
            readable=BOTH,
        ),
        Illness("connection refused", ASKED_AGAIN, names=((REFUSING,),)),
        Illness("connection never taken", BY_TIME, names=((MUTE,),)),
        Illness("reset when it has been taken", ASKED_AGAIN, Sick(door="reset")),
        Illness("closed when it has been taken", ASKED_AGAIN, Sick(door="close")),
        Illness("reset in the TLS handshake", ASKED_AGAIN, Sick(door="reset in handshake")),
        Illness("stall in the TLS handshake", BY_TIME, Sick(door="mute")),
        Illness("no TLS", "never falls back to http", Sick(door="plain")),
    ]  # fmt: skip


def _certificates(contexts: Mapping[str, ssl.SSLContext]) -> list[Illness]:
    return [Illness(f"TLS certificate {name}", AT_ONCE, Sick(tls=context)) for name, context in contexts.items()]


def _phases() -> list[Illness]:
    """Each way for an answer to break off, at each point."""
    return [
        Illness("reset after the request", ASKED_AGAIN, Sick(ends="reset")),
        Illness("closed after the request", ASKED_AGAIN, Sick(ends="close")),
        Illness("stall after the request", BY_TIME, Sick(ends="mute")),
        Illness("`100 Continue` without end", "bears five, asks again, twice at most", Sick(ends="endless")),
        Illness("reset in the headers", ASKED_AGAIN, Sick(ends="reset", after="headers")),
        Illness("closed in the headers", ASKED_AGAIN, Sick(ends="close", after="headers")),
        Illness("stall in the headers", BY_TIME, Sick(ends="mute", after="headers")),
        Illness("slow headers, byte by byte", BY_TIME, Sick(ends="drip")),
        Illness("headers without end", ASKED_AGAIN, Sick(ends="endless", after="headers")),
        Illness("reset in the body", ASKED_AGAIN, Sick(ends="reset", after="body")),
        Illness("truncated body", ASKED_AGAIN, Sick(ends="close", after="body")),
        Illness("stall in the body", BY_TIME, Sick(ends="mute", after="body")),
        Illness("slow body, byte by byte", BY_TIME, Sick(ends="drip", after="body")),
    ]


def _bodies() -> list[Illness]:
    """Answers with status 200 that are none, or none of those asked for."""
    flipped = {"index-fits": "index-other", "manifest-fits": "manifest-other"}
    flipped |= {other: name for name, other in flipped.items()}
    roots = [Fault(at=f"/v2/{name}/manifests/*", body=IMAGES[other].root.body) for name, other in flipped.items()]
    configs = [
        Fault(at=f"/v2/{name}/blobs/*", body=config_of(IMAGES[other]).body)
        for name, other in flipped.items()
        if name.startswith("manifest")
    ]
    exchanged = [
        Fault(at="/v2/index*", headers=[("Content-Type", OCI_MANIFEST)]),
        Fault(at="/v2/manifest*/manifests/*", headers=[("Content-Type", OCI_INDEX)]),
    ]
    return [
        _http("Content-Length too small", AT_ONCE, Fault(headers=[("Content-Length", "100")])),
        _http("Content-Length too large", BY_TIME, Fault(headers=[("Content-Length", "90000")])),
        _http("Content-Length not a number", ASKED_AGAIN, Fault(headers=[("Content-Length", "-1")])),
        _http("body without end", "reads 4 MiB at most (a config: 8)", Fault(endless=True)),
        _http("gzip bomb", "unpacks 4 MiB at most (a config: 8)", Fault(bomb=1 << 30)),
        _http("broken gzip", AT_ONCE, Fault(headers=[("Content-Encoding", "gzip")])),
        _http("a coding that was not asked for", AT_ONCE, Fault(headers=[("Content-Encoding", "br")])),
        _http("another document than Docker-Content-Digest says", "takes neither", *roots),
        _http("another document than its digest says", "does not take it", *configs, readable=frozenset({"index"})),
        _http("Content-Type of another kind", "refuses it, as a runtime does", *exchanged),
        _http(
            "Content-Type text/plain", "goes by the document's shape",
            Fault(at="*/manifests/*", headers=[("Content-Type", "text/plain")]), readable=BOTH,
        ),
        _http("garbage", AT_ONCE, Fault(body=bytes(range(256)) * 8)),
        _http("empty body", AT_ONCE, Fault(body=b"")),
        _http("JSON of another shape", AT_ONCE, Fault(body=b"[]")),
        _http(
            "HTML login page with 200", AT_ONCE,
            Fault(body=b"<!doctype html><title>Log in</title>", headers=[("Content-Type", "text/html")],
                  without=("Docker-Content-Digest",)),
        ),
        _http(
            "chunks that are none", ASKED_AGAIN,
            Fault(method="GET", raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ),
        _http("206 with a part of it", AT_ONCE, Fault(status=206)),
        _http("101 Switching Protocols", ASKED_AGAIN, Fault(raw=b"HTTP/1.1 101 Go on\r\nUpgrade: x\r\n\r\n")),
        _http("no HTTP at all", ASKED_AGAIN, Fault(raw=b"SSH-2.0-OpenSSH_9.9\r\n")),
    ]  # fmt: skip


_LOGIN = Fault(
    at="/v2/*",
    authorized=False,
    status=401,
    headers=[("WWW-Authenticate", 'Bearer realm="https://{host}/token",service="registry"')],
)


_HERE: Final = "https://{host}/token"


def _token(name: str, does: str, *, realm: str = _HERE, **answer: object) -> Illness:
    """Asked for a login, podgate asks for a token, and this comes."""
    challenge = Fault(
        at="/v2/*", status=401, headers=[("WWW-Authenticate", f'Bearer realm="{realm}",service="registry"')]
    )
    token = Fault(at="/token", **answer)  # type: ignore[arg-type] # a Fault's own fields
    return _http(name, does, challenge, token, steps=2 if realm == _HERE else 1)


def _logins() -> list[Illness]:
    return [
        _http("401 without a challenge", AT_ONCE, Fault(status=401)),
        _http(
            "401 with a challenge that leads nowhere", AT_ONCE,
            Fault(status=401, headers=[("WWW-Authenticate", 'Bearer realm="://",service=')]),
        ),
        _token("401 again with every new token", "asks with one token", body=b'{"token": "t"}'),
        _http("login wanted all at once, and granted", "logs in", _LOGIN, Fault(at="/token", body=b'{"token": "t"}'),
              readable=BOTH),
        _http("token that is over before it is given", "uses it once", _LOGIN,
              Fault(at="/token", body=b'{"token": "t", "expires_in": -9999999999}'), readable=BOTH),
        _token("token server refuses connections", ASKED_AGAIN, realm=f"https://{REFUSING}.{{host}}/token"),
        _token("token server says nothing", BY_TIME, realm=f"https://{MUTE}.{{host}}/token"),
        _token("token server at an address that settings refuse", "connects to none",
               realm=f"https://{FORBIDDEN}.{{host}}/token"),
        _token("token server answers 500", ASKED_AGAIN, status=500),
        _token("token server answers 401", AT_ONCE, status=401),
        _token("token empty", AT_ONCE, body=b'{"token": ""}'),
        _token("token of a wrong type", AT_ONCE, body=b'{"token": 5}'),
        _token("token answer is a web page", AT_ONCE, body=b"<!doctype html>"),
    ]  # fmt: skip


def _limited(name: str, does: str, text: str, status: int = 429) -> Illness:
    headers: Headers = [("Retry-After", text)]
    return _http(f"{status}, Retry-After {name}", does, Fault(status=status, headers=headers))


def _statuses() -> list[Illness]:
    return [
        _http("403", AT_ONCE, Fault(status=403)),
        _http("404", AT_ONCE, Fault(status=404)),
        _http(
            "404 for the config alone",
            AT_ONCE,
            Fault(at="*/blobs/*", status=404),
            readable=frozenset({"index"}),
            steps=2,
        ),
        _http("404 with a body without end", AT_ONCE, Fault(status=404, endless=True)),
        _http("405 on HEAD", "asks by GET", Fault(method="HEAD", status=405), readable=BOTH),
        _http(
            "HEAD with another digest than GET", "asks by GET",
            Fault(method="HEAD", headers=[("Docker-Content-Digest", f"sha256:{'0' * 64}")]), readable=BOTH,
        ),
        _http("429", ASKED_AGAIN, Fault(status=429)),
        _limited("a second from now", WAITS, "1"),
        _limited("a date a second from now", WAITS, "{in 1}"),
        _limited("an hour", TOO_LONG, "3600"),
        _limited("a date in an hour", TOO_LONG, "{in 3600}"),
        _limited("a date that is past", ASKED_AGAIN, "Wed, 21 Oct 2015 07:28:00 GMT"),
        _limited("negative", IGNORED, "-5"),
        _limited("huge", IGNORED, "9" * 40),
        _limited("garbage", IGNORED, "soon"),
        _http("500", ASKED_AGAIN, Fault(status=500)),
        _http("502", ASKED_AGAIN, Fault(status=502)),
        _http("503", ASKED_AGAIN, Fault(status=503)),
        _limited("an hour", TOO_LONG, "3600", 503),
        _http("504", ASKED_AGAIN, Fault(status=504)),
    ]  # fmt: skip


def _redirects() -> list[Illness]:
    def to(name: str, does: str, where: str) -> Illness:
        return _http(f"redirect {name}", does, Fault(at="/v2/*", redirect=where))

    return [
        to("loop", "follows five", "https://{host}/v2/again/manifests/1"),
        to("to http", NOT_FOLLOWED, "http://{host}/v2/app/manifests/1"),
        to("to the metadata service", NOT_FOLLOWED, "https://169.254.169.254/latest/meta-data"),
        to("to an address of this machine", NOT_FOLLOWED, f"https://{FORBIDDEN}.{{host}}/"),
        to("to a private address that settings refuse", NOT_FOLLOWED, "https://10.0.0.1/"),
        to("with credentials in it", NOT_FOLLOWED, "https://user:password@{host}/v2/app/manifests/1"),
        to("to a file", NOT_FOLLOWED, "file:///etc/passwd"),
        to("to a host that refuses connections", ASKED_AGAIN, f"https://{REFUSING}.{{host}}/"),
        to("to a host that says nothing", BY_TIME, f"https://{MUTE}.{{host}}/"),
        _http("redirect without a Location", AT_ONCE, Fault(status=307)),
    ]


def illnesses(contexts: Mapping[str, ssl.SSLContext]) -> list[Illness]:
    """All of them, in the table's order. `contexts`: servers with a bad certificate, by what is bad about it."""
    return [*_door(), *_certificates(contexts), *_phases(), *_bodies(), *_logins(), *_statuses(), *_redirects()]
