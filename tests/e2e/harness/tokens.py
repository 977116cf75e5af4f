"""A token service for a registry: who logs in gets a signed token, which the registry checks by itself.

Source: distribution's docs/content/spec/auth (token.md, jwt.md, oauth.md).
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.controlplane import HOST

SERVICE = "podgate e2e"
ISSUER = "token service of podgate e2e"
TOKEN_SECONDS = 300


class TokenService:
    """Runs from start() to stop(), and gives its one user tokens; `asked` holds what tokens were asked for."""

    def __init__(self, folder: Path, username: str, password: str) -> None:
        self._username, self._password = username, password
        self.refresh_token = f"refresh-{secrets.token_hex(16)}"
        """What stands for the user's password where it is an identity token."""
        self.asked: list[tuple[str, str]] = []
        """Method and scope of each request, refused ones too, oldest first."""
        authority = Authority(folder / "tokens")
        pair = authority.server("signing", ["localhost"], folder / "tokens")
        self.root = authority.file
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        self._certificate = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._server = _Server(self)
        self.realm = f"http://{HOST}:{self._server.server_port}/token"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, scopes: Iterable[str]) -> str:
        """A token for scopes (repository:NAME:ACTIONS)."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [self._certificate]}
        claims = {"iss": ISSUER, "sub": self._username, "aud": SERVICE, "iat": now, "nbf": now,
                  "exp": now + TOKEN_SECONDS, "jti": secrets.token_hex(8), "access": access}  # fmt: skip
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def knows(self, authorization: str, form: dict[str, list[str]]) -> bool:
        """Whether a request comes from the user."""
        pair = base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
        return authorization == f"Basic {pair}" or form.get("refresh_token") == [self.refresh_token]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: TokenService) -> None:
        super().__init__((HOST, 0), _Handler)
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query), {})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(form, form)

    def _answer(self, query: dict[str, list[str]], form: dict[str, list[str]]) -> None:
        assert isinstance(self.server, _Server)
        service = self.server.service
        scopes = [scope for text in query.get("scope", []) for scope in text.split()]
        service.asked.append((self.command, " ".join(scopes)))
        if query.get("service") != [SERVICE] or not service.knows(self.headers.get("Authorization", ""), form):
            self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "not the user"}]})
        else:
            token = service.token(scopes)
            self._send(200, {"token": token, "access_token": token, "expires_in": TOKEN_SECONDS})

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
