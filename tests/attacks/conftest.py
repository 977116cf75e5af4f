"""podgate as `serve` puts it together, between an API server's requests and a network of the test's own."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization

from tests.service.conftest import Object, node, pod
from tests.support import images
from tests.support.certificates import certificate, server_context
from tests.support.internet import Internet
from tests.support.registry import Registry
from tests.support.serving import Served, changed, response_of
from webhook.app.generations import Around, Generations
from webhook.app.serve import hooks
from webhook.app.surroundings import in_environment
from webhook.cluster.files import FileCluster
from webhook.observability.metrics import Metrics
from webhook.registry import tls
from webhook.settings import parse_settings

PUBLIC = "93.184.216.34"
"""Where public.example is: an address of the Internet."""
PRIVATE = "10.1.2.3"
"""Where reg.example is: an address of a company's network."""
API_SERVER = "10.96.0.1"
"""Where kubernetes.default.svc is."""
THIEF = "93.184.217.66"
"""Where thief.example is: another one of the Internet."""
NAMES = (
    *("public.example", "reg.example", "*.public.example", "*.reg.example", "example"),
    *("thief.example", "*.thief.example", "public.example.thief.example", "thief-public.example"),
)

Response = dict[str, Any]


class Gate:
    """A running admission server with everything behind it. What it is told of settings and surroundings counts until
    the first review."""

    def __init__(self, folder: Path, internet: Internet) -> None:
        self.internet = internet
        self.settings: dict[str, Any] = {}
        self.environment = {"KUBERNETES_SERVICE_HOST": API_SERVER, "KUBERNETES_SERVICE_PORT": "443"}
        self.objects: list[Object] = [node("amd-1")]
        self.metrics = Metrics()
        self.served = Served(folder, max_body_bytes=16 << 20)
        self.generations: Generations | None = None
        self._starting = asyncio.Lock()
        self._client: aiohttp.ClientSession | None = None
        self._cluster = FileCluster.from_documents([])

    async def start(self) -> None:
        """Builds it all and listens; the first review does so by itself."""
        self._cluster = FileCluster.from_documents(self.objects)
        around = Around(
            cluster=self._cluster,
            listed=lambda: True,
            connection=None,
            observer=self.metrics,
            unreadable=self.metrics.unreadable,
            hooks=hooks(self.metrics),
            surrounded=lambda options: in_environment(options, self.environment, None),
        )
        self.generations = Generations(parse_settings(self.settings), around)
        self.served.port = await self.served.server.start(self.generations.review)
        self.internet.own.add(self.served.port)
        self._client = aiohttp.ClientSession()

    async def review(self, obj: Object | str | bytes, within: str = "10s", **request: Any) -> Response:
        """The answer to a review of an object, of a pod with one image, or to a body as it is."""
        async with self._starting:
            if self._client is None:
                await self.start()
        assert self._client is not None
        body = obj if isinstance(obj, bytes) else body_of(pod(obj) if isinstance(obj, str) else obj, **request)
        url = f"https://localhost:{self.served.port}/validate?timeout={within}"
        async with self._client.post(url, data=BytesIO(body), ssl=self.served.trust) as answer:
            return response_of(answer.status, answer.content_type, await answer.read())

    async def close(self) -> None:
        """Ends it."""
        if self._client is not None:
            await self._client.close()
        await self.served.server.stop()
        if self.generations is not None:
            await self.generations.aclose()


def body_of(obj: Object, **request: Any) -> bytes:
    """The body of a review of an object."""
    fields = {"object": obj, "namespace": "team", "name": "web", **request}
    return json.dumps(changed("CREATE-Pod", **fields)).encode()


def verdict(response: Response) -> str:
    """Decision and reason."""
    notes = response["auditAnnotations"]
    assert response["allowed"] == (notes["decision"] != "deny")
    return f"{notes['decision']} {notes['reason']}"


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """A network where behind every address a registry waits that has team/app for another architecture: whoever gets
    there, by whatever way, will deny."""
    made = Internet(monkeypatch)
    with willing() as trap:
        made.nowhere = trap
        yield made


@pytest.fixture
async def gate(tmp_path: Path, internet: Internet) -> AsyncIterator[Gate]:
    (tmp_path / "serving").mkdir()
    made = Gate(tmp_path / "serving", internet)
    yield made
    await made.close()
    assert (made.served.errors, made.served.unread) == (0, 0)


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A certificate for NAMES that the system trusts."""
    folder = tmp_path / "certified"
    folder.mkdir()
    authority = certificate("authority of the Internet")
    (folder / "ca.pem").write_bytes(authority[0].public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    tls.context.cache_clear()
    yield server_context(folder, certificate("registries", authority, names=NAMES))
    tls.context.cache_clear()


def willing(context: ssl.SSLContext | None = None) -> Registry:
    """A registry that has team/app:1, which runs on no node there is."""
    registry = Registry(tls=context)
    registry.push("team/app", images.single("linux/s390x"), "1")
    return registry


@contextmanager
def _placed(internet: Internet, certified: ssl.SSLContext, name: str, address: str) -> Iterator[Registry]:
    """A willing registry over TLS, with a name and an address."""
    with willing(certified) as registry:
        internet.names[name] = [[address]]
        internet.places[address] = registry
        yield registry


@pytest.fixture
def public(internet: Internet, certified: ssl.SSLContext) -> Iterator[Registry]:
    """public.example."""
    with _placed(internet, certified, "public.example", PUBLIC) as registry:
        yield registry


@pytest.fixture
def private(internet: Internet, certified: ssl.SSLContext) -> Iterator[Registry]:
    """reg.example."""
    with _placed(internet, certified, "reg.example", PRIVATE) as registry:
        yield registry


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> StringIO:
    """What is logged at DEBUG."""
    caplog.set_level(logging.DEBUG)
    return caplog.handler.stream
