"""Ways by which a registry might make a credential leave, or show up: each is a registry that does it."""

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.registry import CODINGS, Auth, Fault, Registry

HERE, THERE = "127.0.0.1", "127.0.0.2"
"""Where the registries are, and the hosts that should get nothing."""


@dataclass(frozen=True)
class Host:
    """A registry, the server of somebody else (`other`, at another address; `beside`, at another port), a password."""

    home: Registry
    other: Registry
    beside: Registry
    password: str

    @property
    def pair(self) -> str:
        """What an Authorization holds."""
        return base64.b64encode(f"ann:{self.password}".encode()).decode()


Way = Callable[[Host], None]


def says(status: int, coding: str = "json", *, at: str = "/v2/*", packed: bool = False) -> Way:
    """It sends back what it was sent, in the body of an error."""
    return lambda host: host.home.faults.append(Fault(at, True, status=status, echo=coding, gzip=packed))


def answers(*headers: tuple[str, str], status: int = 403, at: str = "/v2/*") -> Way:
    """It puts the password (%s) into headers."""

    def way(host: Host) -> None:
        told = [(name, value.replace("%s", host.password)) for name, value in headers]
        host.home.faults.append(Fault(at, True, status=status, headers=told))

    return way


def raw(text: str) -> Way:
    """It answers with exactly this, the password in it."""
    return lambda host: host.home.faults.append(
        Fault("/v2/*", True, raw=text.replace("%s", host.password).replace("%b", host.pair).encode())
    )


def body(text: str, status: int = 403, *, at: str = "/v2/*", packed: bool = False) -> Way:
    """It answers with this body, the password in it."""

    def way(host: Host) -> None:
        content = text.replace("%s", host.password).replace("%b", host.pair).encode()
        coded = [("Content-Encoding", "gzip")] if packed else []
        host.home.faults.append(
            Fault(at, True, status=status, headers=coded, body=gzip.compress(content) if packed else content)
        )

    return way


def redirects(target: str, *, at: str = "/v2/*", status: int = 307) -> Way:
    """It sends those who log in elsewhere: %o another host, %p another port."""

    def way(host: Host) -> None:
        place = target.replace("%o", host.other.url).replace("%p", host.beside.url).replace("%s", host.password)
        host.home.faults.append(Fault(at, True, status=status, redirect=place))

    return way


def led_with(*headers: tuple[str, str]) -> Way:
    """It sends those who log in to another host, with these headers, the password in them."""

    def way(host: Host) -> None:
        told = [(name, value.replace("%s", host.password)) for name, value in headers]
        host.home.faults.append(Fault("/v2/*", True, redirect=f"{host.other.url}/x", headers=told))

    return way


def led_to_who(asks: str) -> Way:
    """It sends those who log in to another host, which asks for a login in its turn: %o is that host."""

    def way(host: Host) -> None:
        challenge = asks.replace("%o", host.other.url)
        host.other.faults = [Fault(status=401, headers=[("WWW-Authenticate", challenge)])]
        host.home.faults.append(Fault("/v2/*", True, redirect=f"{host.other.url}/v2/team/app/manifests/1"))

    return way


def form_is_led_on(host: Host) -> None:
    """Its token server wants a form, and sends that to another host."""
    host.home.faults = [
        Fault("/token", method="GET", status=404),
        Fault("/token", method="POST", redirect=f"{host.other.url}/token"),
    ]


def away_and_back(host: Host) -> None:
    """Through another host back home."""
    host.other.faults = [Fault(redirect=f"{host.home.url}/v2/team/app/blobs/home")]
    host.home.faults = [Fault("/v2/team/app/manifests/*", True, redirect=f"{host.other.url}/away")]


def realm(text: str) -> Way:
    """Its tokens are to be had elsewhere."""

    def way(host: Host) -> None:
        place = text.replace("%o", host.other.url).replace("%p", host.beside.url).replace("%s", host.password)
        place = place.replace("%n", str(host.beside.port))
        host.other.auth = host.beside.auth = Auth(users={"ann": host.password})
        assert host.home.auth is not None
        host.home.auth.realm = place.replace("%h", f"{HERE}:{host.home.port}")

    return way


def token(text: str) -> Way:
    """Its token server answers with this."""
    return body(text, 200, at="/token")


def basic(way: Way) -> Way:
    """The same, by a registry without a token server."""

    def changed(host: Host) -> None:
        assert host.home.auth is not None
        host.home.auth.scheme = "basic"
        way(host)

    return changed


CHALLENGE = 'Bearer realm="http://127.0.0.1/%s",service="%s",scope="%s",error="%s",error_description="%s"'
DETAIL = json.dumps({"errors": [{"code": "%s", "message": "Basic %b", "detail": {"header": ["%s", "%b"]}}]})

SHOWS: dict[str, Way] = {
    **{f"echo-of-{coding.replace('+', '-shifted-')}": basic(says(403, coding)) for coding in CODINGS},
    "echo-of-a-token": says(403),
    "echo-packed": basic(says(403, packed=True)),
    "echo-refused": basic(says(401)),
    "echo-not-found": basic(says(404)),
    "echo-of-a-server-that-fails": basic(says(500)),
    "echo-as-a-document": basic(says(200)),
    "echo-of-a-token-server": says(401, at="/token"),
    "echo-of-a-token-server-in-base64": says(403, "base64", at="/token"),
    "details-of-an-error": basic(body(DETAIL)),
    "details-of-an-error-packed": basic(body(DETAIL, packed=True)),
    "details-that-are-no-json": basic(body("<html>ann %s %b</html>")),
    "reason-of-a-status": basic(raw("HTTP/1.1 403 %s %b\r\nContent-Length: 0\r\n\r\n")),
    "status-that-is-none": basic(raw("HTTP/1.1 %s %b\r\n\r\n")),
    "header-that-is-none": basic(raw("HTTP/1.1 200 OK\r\n%s %b\r\n\r\n")),
    "length-that-is-none": basic(raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n")),
    "chunk-that-is-none": basic(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n")),
    "no-http": basic(raw("%s %b")),
    "challenge": basic(answers(("WWW-Authenticate", CHALLENGE), status=401)),
    "challenge-that-is-none": basic(answers(("WWW-Authenticate", '%s %s="%s'), status=401)),
    "content-type": basic(answers(("Content-Type", "%s/%s; a=%s"), status=200)),
    "digest-header": basic(answers(("Docker-Content-Digest", "sha256:%s"), status=200)),
    "retry-after": basic(answers(("Retry-After", "%s"), status=429)),
    "warning-header": basic(answers(("Warning", '299 - "%s"'), ("Server", "%s"), ("Date", "%s"), status=403)),
    "location-that-is-none": basic(redirects("http://%s:%s@[%s/")),
    "location-of-a-scheme": basic(redirects("%s://x/%s")),
    "location-with-user-information": basic(redirects("http://ann:%s@127.0.0.1/")),
    "location-with-a-query": basic(redirects("http://127.0.0.1:1/?X-Amz-Signature=%s")),
    "location-with-a-fragment": basic(redirects("http://127.0.0.1:1/#%s")),
    "content-coding": basic(answers(("Content-Encoding", "%s"), status=200)),
    "realm-with-user-information": realm("http://ann:%s@%h/token"),
    "realm-with-a-query": realm("http://127.0.0.1:1/?password=%s"),
    "token-that-no-header-can-carry": token('{"token": "%s\\n"}'),
    "token-beside-nonsense": token('{"token": "%s", "expires_in": "%s"}'),
    "token-cut-short": token('{"token": "%s'),
    "token-with-a-date": token('{"token": "%s", "issued_at": "%s"}'),
}
"""Registries whose answers hold what they were sent."""

LEAVES: dict[str, Way] = {
    "redirect-to-another-host": redirects("%o/x"),
    "redirect-to-another-port": redirects("%p/x"),
    "redirect-to-another-host-basic": basic(redirects("%o/x")),
    "redirect-to-another-port-basic": basic(redirects("%p/x")),
    "redirect-of-a-blob": basic(redirects("%o/x", at="/v2/*/blobs/*")),
    "redirect-301": basic(redirects("%o/x", status=301)),
    "redirect-303": basic(redirects("%o/x", status=303)),
    "redirect-308": basic(redirects("%o/x", status=308)),
    "redirect-away-and-back": basic(away_and_back),
    "redirect-of-a-token-server": redirects("%o/token", at="/token"),
    "redirect-of-a-token-server-to-another-port": redirects("%p/token", at="/token"),
    "redirect-with-a-cookie": basic(led_with(("Set-Cookie", "a=%s; Domain=127.0.0.2; Path=/"))),
    "redirect-with-a-cookie-for-all": basic(led_with(("Set-Cookie", "a=%s; Path=/; SameSite=None"))),
    "redirect-to-who-asks-for-a-password": basic(led_to_who('Basic realm="x"')),
    "redirect-to-who-asks-for-a-token": led_to_who('Bearer realm="%o/token",service="x"'),
    "redirect-of-a-form": form_is_led_on,
}
"""Registries that lead to other servers."""
NOT_FOLLOWED = {"redirect-of-a-form"}
"""Those of which nothing goes to another server at all."""
