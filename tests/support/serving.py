"""Certificates for a server under test, a client that verifies them, and what a test often serves."""

import io
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from webhook.admission.certificate import Certificate
from webhook.admission.server import AdmissionServer, Counting, ServerOptions
from webhook.demo.certificates import ServingPair, serving_pair

REVIEWS = Path(__file__).resolve().parents[1] / "admission" / "reviews"
"""The recorded reviews of an API server."""

RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted(REVIEWS.glob("*.json"))}


def write_pair(folder: Path, pair: ServingPair | None = None) -> ServingPair:
    """Puts tls.crt and tls.key into a folder, as a Secret's volume has them."""
    pair = pair or serving_pair("localhost", "127.0.0.1")
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    return pair


class Served:
    """An admission server on loopback and how to ask it. `errors` and `unread` count what was let through unchecked."""

    def __init__(
        self, folder: Path, margin: float = 1.0, max_body_bytes: int = 1 << 20, pair: ServingPair | None = None
    ) -> None:
        self.errors = 0
        self.unread = 0
        pair = write_pair(folder, pair)
        self.certificate = Certificate(str(folder), lambda _: None, poll_seconds=0.02)
        self.certificate.load()
        self.trust = ssl.create_default_context(cadata=pair.authority.decode())
        options = ServerOptions("127.0.0.1", 0, margin, max_body_bytes)
        self.server = AdmissionServer(options, self.certificate.context, Counting(self._error, self._unread))
        self.port = 0

    def _error(self) -> None:
        self.errors += 1

    def _unread(self) -> None:
        self.unread += 1

    async def post(self, review: object, query: str = "?timeout=7s") -> dict[str, Any]:
        """The `response` of the AdmissionReview that answers, after a look at all that an API server looks at."""
        body = review if isinstance(review, bytes) else json.dumps(review).encode()
        return await answered(self.port, self.trust, body, query)


async def answered(port: int, trust: ssl.SSLContext, body: bytes, query: str = "?timeout=7s") -> dict[str, Any]:
    """Posts a body as an API server does; the `response` of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://localhost:{port}/validate{query}",
            data=io.BytesIO(body),
            ssl=trust,
            headers={"Content-Type": "application/json"},
        ) as response,
    ):
        return response_of(response.status, response.content_type, await response.read())


def response_of(status: int, content_type: str, body: bytes) -> dict[str, Any]:
    """The `response` of an AdmissionReview, in the form that an API server takes (VerifyAdmissionResponse)."""
    assert (status, content_type) == (200, "application/json"), body
    review = json.loads(body)
    assert set(review) == {"apiVersion", "kind", "response"}
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = review["response"]
    assert isinstance(response["uid"], str)
    assert isinstance(response["allowed"], bool)
    for warning in response.get("warnings", ()):
        assert len(warning) <= 256, warning
        assert warning.isprintable(), warning
    assert all("/" not in key for key in response.get("auditAnnotations", {}))
    if not response["allowed"]:
        assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")
    return response


def changed(name: str, /, **fields: Any) -> dict[str, Any]:
    """A recorded review with other fields in its request."""
    review = json.loads(json.dumps(RECORDED[name]))
    review["request"] |= fields
    return dict(review)


def uid_of(review: Mapping[str, Any]) -> str:
    """The uid of a recorded review."""
    return str(review["request"]["uid"])
