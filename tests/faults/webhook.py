"""podgate as `serve --nodes` puts it together, in this process, and what it says over HTTPS."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from tests.faults.hosts import FORBIDDEN
from tests.faults.samples import NODES, review
from tests.support.serving import Served, response_of
from webhook.app.generations import Around, Generations
from webhook.app.serve import hooks
from webhook.cluster.files import FileCluster
from webhook.core.decision import Judgement
from webhook.core.errors import ErrorCode
from webhook.core.trace import Exchanged
from webhook.observability.metrics import Metrics
from webhook.ports import Observation
from webhook.registry.options import RegistryOptions
from webhook.settings import parse_settings


@dataclass(frozen=True)
class Pace:
    """Seconds: what the API server gives a review, and what podgate gives a request to a registry."""

    timeout: int
    request_timeout: float


@dataclass(frozen=True)
class Told:
    """An answer: what the API server reads in it, and what podgate's own observers were told. `words`: warnings and
    the message of a denial. `code` and `stale` are the image's."""

    allowed: bool
    decision: str
    reason: str
    words: str
    code: ErrorCode | None
    stale: bool
    seconds: float


class Clock:
    """The machine's, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Podgate:
    """An async context manager. `exchanges`: its requests to registries, as they end. `clock` is what its cache and its
    circuits go by."""

    def __init__(self, folder: Path, pace: Pace, authority: str) -> None:
        self.clock = Clock()
        self.exchanges: list[Exchanged] = []
        self._pace = pace
        self._judgements: dict[str, Judgement] = {}
        self._served = Served(folder)
        everywhere = folder / "hosts" / "_default"
        everywhere.mkdir(parents=True)
        (everywhere / "hosts.toml").write_text(f'ca = "{authority}"\n')
        settings = parse_settings(
            {
                "registries": {
                    "hostsDir": str(everywhere.parent),
                    "requestTimeout": f"{pace.request_timeout}s",
                    "allowedAddresses": ["127.0.0.0/29"],
                    "deniedAddresses": ["10.0.0.0/8", f"{FORBIDDEN}/32"],
                }
            }
        )
        metrics = Metrics()
        around = Around(
            cluster=FileCluster.from_documents(NODES),
            listed=lambda: True,
            connection=None,
            observer=self,
            unreadable=metrics.unreadable,
            hooks=replace(hooks(metrics), clock=self.clock, on_exchange=self.exchanges.append),
            surrounded=_as_they_are,
        )
        self._generations = Generations(settings, around)
        self._session: aiohttp.ClientSession | None = None

    def decided(self, observation: Observation) -> None:
        """Part of ports.Observer."""
        self._judgements[observation.uid] = observation.judgement

    async def __aenter__(self) -> Self:
        self._port = await self._served.server.start(self._generations.review)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.server.stop()
        await self._generations.aclose()

    @property
    def let_through(self) -> int:
        """Reviews that were answered without a check, since podgate failed, or could not read them."""
        return self._served.errors + self._served.unread

    def requests(self, host: str, since: int) -> list[Exchanged]:
        """Those to a host, from a number of exchanges on."""
        return [one for one in self.exchanges[since:] if urlsplit(one.url).hostname == host]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Within, it can be asked, over connections that are kept as an API server keeps them."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._served.trust)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            yield
        await asyncio.sleep(0.05)  # for the server to see that they are closed

    async def ask(self, image: str) -> Told:
        """What becomes of a pod with an image. Asserts that the answer is an AdmissionReview with status 200."""
        assert self._session is not None
        uid, body = review(image)
        url = f"https://localhost:{self._port}/validate?timeout={self._pace.timeout}s"
        headers = {"Content-Type": "application/json"}
        started = time.monotonic()
        async with self._session.post(url, data=body, headers=headers) as answer:
            response = response_of(answer.status, answer.content_type, await answer.read())
        seconds = time.monotonic() - started
        assert response["uid"] == uid
        return self._told(uid, response, seconds)

    def _told(self, uid: str, response: dict[str, Any], seconds: float) -> Told:
        annotations = response["auditAnnotations"]
        words = [*response.get("warnings", ()), response.get("status", {}).get("message", "")]
        judgement = self._judgements.pop(uid, None)
        found = judgement.images[0] if judgement is not None else None
        return Told(
            allowed=response["allowed"],
            decision=annotations["decision"],
            reason=annotations["reason"],
            words="\n".join(words),
            code=found.error[0] if found is not None and found.error else None,
            stale=found is not None and found.stale,
            seconds=seconds,
        )


def _as_they_are(options: RegistryOptions) -> RegistryOptions:
    """No proxies, and no API server that must not be asked."""
    return options
