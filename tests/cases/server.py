"""One HTTP server of a case: what it does to a request by the case's rules, and what it notes of it."""

import http.server
import socket
import threading
import time
import urllib.parse
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.cases import answers
from tests.cases.answers import Answer, Headers
from tests.cases.content import Json, check_keys
from tests.cases.glob import glob_fits

if TYPE_CHECKING:
    from tests.cases.world import World

RULE_KEYS: Final = {
    *("at", "when", "times", "delay", "close", "status", "headers", "body", "serve", "redirect", "truncate", "endless"),
    *("gzip", "bomb", "drop", "chunked"),
}
INSTEAD: Final = {"status", "body", "serve", "redirect", "endless", "bomb"}
"""What a rule says that replaces the registry's own answer; the others only change it."""
BLOCK: Final = 65536


@dataclass
class Record:
    """One request as it arrived, and what was sent: status (None: nothing yet) and bytes of the body."""

    time: float
    host: str
    method: str
    path: str
    query: dict[str, list[str]]
    form: dict[str, list[str]]
    headers: dict[str, list[str]]
    status: int | str | None = None
    sent: int = 0

    @property
    def authorization(self) -> str:
        """Of the header; empty where there is none."""
        return self.headers.get("authorization", [""])[0]


@dataclass
class Rule:
    """What happens to requests that fit `at`; `left`: to how many more, None: to all."""

    says: Json
    left: int | None = field(default=None)

    @classmethod
    def of(cls, where: str, says: Json) -> "Rule":
        """A rule of a case."""
        check_keys(where, says, RULE_KEYS)
        return cls(says, says.get("times"))

    def fits(self, record: Record) -> bool:
        if self.left == 0:
            return False
        method, _, path = self.says.get("at", "* *").partition(" ")
        when = self.says.get("when", "any")
        anonymous = "authorization" not in record.headers
        return (
            method in ("*", record.method)
            and glob_fits(record.path, path or "*")
            and (when == "any" or (when == "anonymous") == anonymous)
        )


class Server(http.server.ThreadingHTTPServer):
    """A server that can be told to stop in the middle of a slow answer."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], world: "World", host: str) -> None:
        super().__init__(address, Handler)
        self.world = world
        self.host = host
        self.stopping = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def listen(ip: str, world: "World", host: str) -> Server:
    """A server on a free port; on 127.0.0.1 where a system has no other loopback address."""
    try:
        return Server((ip, 0), world, host)
    except OSError:
        return Server(("127.0.0.1", 0), world, host)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    server: Server
    protocol_version = "HTTP/1.1"
    record: Record

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002  # the name that the base class gives it
        """The world's log is the log."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        world = self.server.world
        config = world.config[self.server.host]
        self.record = self._noted()
        with world.lock:
            world.log.append(self.record)
            rule = next((rule for rule in config["behave"] if rule.fits(self.record)), Rule({}))
            if rule.left is not None:
                rule.left -= 1
        self._answer(rule.says)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def _noted(self) -> Record:
        length = int(self.headers.get("Content-Length") or 0)
        form = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        url = urllib.parse.urlsplit(self.path)
        headers: dict[str, list[str]] = {}
        for key, value in self.headers.items():
            headers.setdefault(key.lower(), []).append(value)
        return Record(
            time=time.monotonic(),
            host=self.server.host,
            method=self.command,
            path=urllib.parse.unquote(url.path),
            query=urllib.parse.parse_qs(url.query, keep_blank_values=True),
            form=urllib.parse.parse_qs(form, keep_blank_values=True),
            headers=headers,
        )

    def _answer(self, says: Json) -> None:
        self.server.stopping.wait(says.get("delay", 0))
        if says.get("close"):
            self.record.status = "closed"
            self.close_connection = True
            return
        content = self.server.world.content
        status, headers, body = (200, {}, b"") if INSTEAD & set(says) else answers.usual(self.server, self.record)
        if "serve" in says:
            built = content.get(content.name(says["serve"]))
            body, headers = built.body, {"Content-Type": built.content_type}
        if "redirect" in says:
            status, headers = 307, {"Location": says["redirect"]}
        if "body" in says:
            body = says["body"].encode()
            headers.setdefault("Content-Type", "application/json")
        headers = {**headers, **says.get("headers", {})}
        if says.get("gzip"):
            body, headers["Content-Encoding"] = _gzip(body), "gzip"
        dropped = says.get("drop", [])
        kept = {key: value for key, value in headers.items() if value is not None and key not in dropped}
        self._send(says, (says.get("status", status), kept, body))

    def _send(self, says: Json, answer: Answer) -> None:
        status, headers, body = answer
        self.record.status = status
        self.send_response_only(status)
        self._send_headers(headers)
        if "endless" in says or "bomb" in says:
            self._flood(says)
        elif says.get("chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if self.command != "HEAD":
                self._write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n")
        else:
            self._send_body(says, body)

    def _send_headers(self, headers: Headers) -> None:
        for key, value in headers.items():
            for line in value if isinstance(value, list) else [value]:
                self.send_header(key, str(line))

    def _send_body(self, says: Json, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        if "truncate" in says:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._write(body[: says.get("truncate", len(body))])
        if "truncate" in says:
            self.close_connection = True

    def _flood(self, says: Json) -> None:
        """Far more than anybody should read: plain with its true length, or packed small by gzip."""
        self.close_connection = True
        size = says.get("endless") or says["bomb"]
        self.send_header("Connection", "close")
        if "bomb" in says:
            self.send_header("Content-Encoding", "gzip")
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "HEAD":
            return
        packer = zlib.compressobj(9, zlib.DEFLATED, 31) if "bomb" in says else None
        for number in range(size // BLOCK):
            if self.server.stopping.is_set():
                return
            piece = b"{".ljust(BLOCK) if number == 0 else b" " * BLOCK
            self._write(packer.compress(piece) if packer else piece)
        if packer:
            self._write(packer.flush())

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.record.sent += len(data)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
