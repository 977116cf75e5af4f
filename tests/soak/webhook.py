"""The process under test: `podgate serve` as it runs in a cluster, and what can be seen of it from outside."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.load import Target, webhook_at
from tests.bench.served import Place
from tests.e2e.harness.processes import Process, free_port
from tests.faults.hosts import FORBIDDEN
from tests.soak.world import TAG_SECONDS
from tests.support.apiserver import ApiServer
from tests.support.certificates import Signer, certificate
from tests.support.volume import Files

Metrics = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by name and labels."""

_READY_SECONDS: Final = 60.0
_POLL: Final = 0.1
_LOG_BYTES: Final = 64 << 20
SIZES: Final = ("8Mi", "7680Ki")
"""cache.maxBytes, in turn: less than the images need."""
REST_SIZE: Final = "7Mi"
"""The same at rest, whichever was in use before."""


class Webhook:
    """`podgate serve`, with its ConfigMap's and its Secret's volume. `errors`: lines that it has logged as errors."""

    def __init__(self, folder: Path, api: ApiServer) -> None:
        self._place = Place(folder, api, 0)
        self._port, self._health = free_port(), f"http://127.0.0.1:{free_port()}"
        self._authority = certificate("serving CA", days=(-1, 30))
        authority = folder / "serving.pem"
        authority.write_bytes(self._authority[0].public_bytes(Encoding.PEM))
        self.target: Target = webhook_at(self._port, authority)
        self.trust = ssl.create_default_context(cafile=str(authority))
        self.serial = 0
        self._tls = Files(folder / "tls", self._pair())
        self._files = Files(folder / "settings", _file(self.settings()))
        self._read = 0
        self.errors: list[str] = []

    def settings(self, *, exempt: bool = False, size: str = SIZES[0]) -> dict[str, Any]:
        """`exempt`: some images count as running everywhere."""
        return {
            "mode": "deny",
            "exempt": {"images": ["well.example/exempt/*"] if exempt else []},
            "registries": {
                "hostsDir": str(self._place.folder / "hosts"),
                "allowedAddresses": ["127.0.0.0/29"],
                "deniedAddresses": ["10.0.0.0/8", f"{FORBIDDEN}/32"],
                "requestTimeout": "2s",
            },
            "cache": {"maxBytes": size, "tagTTL": f"{TAG_SECONDS:g}s", "negativeTTL": "2s"},
            "server": {
                "address": "127.0.0.1",
                "port": self._port,
                "metricsPort": int(self._health.rpartition(":")[2]),
                "certificateDir": str(self._place.folder / "tls"),
                "shutdownDelay": "0s",
            },
        }

    def show_settings(self, settings: Mapping[str, Any]) -> None:
        """Turns the ConfigMap's volume; it counts after a moment, if it is good."""
        self._files.turn(_file(settings))

    def show_certificate(self) -> None:
        """Turns the Secret's volume to a new pair; new connections get it after a moment."""
        self._tls.turn(self._pair())

    def show_no_pair(self) -> None:
        """Turns it to a certificate with the key of another: the one before goes on to be shown."""
        serial = self.serial
        self._tls.turn({**self._pair(), "tls.key": self._pair()["tls.key"]})
        self.serial = serial

    def _pair(self) -> dict[str, bytes]:
        made: Signer = certificate("podgate", self._authority, names=("localhost", "127.0.0.1"))
        self.serial = made[0].serial_number
        key = made[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {"tls.crt": made[0].public_bytes(Encoding.PEM), "tls.key": key}

    async def start(self) -> None:
        """Returns when it is ready."""
        file = self._place.folder / "settings" / "settings.yaml"
        words = [sys.executable, "-m", "webhook", "serve", "--config", str(file)]
        self._process = Process("podgate", words, self._place.folder, self._place.environment)
        async with asyncio.timeout(_READY_SECONDS):
            while not await self._ready():
                self._process.check()
                await asyncio.sleep(_POLL)

    async def stop(self) -> int:
        """Asks it to end, as a kubelet does; its exit code."""
        return await asyncio.to_thread(self._process.stop, 30.0)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def check(self) -> None:
        """Raises ProcessFailed where it has ended."""
        self._process.check()

    async def _ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self._health}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def metrics(self) -> Metrics:
        """What it shows of itself."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._health}/metrics") as response:
            text = await response.text()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def shown_serial(self) -> int:
        """The serial number of the certificate that a new connection gets. Raises ssl.SSLError where it is no good."""
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection("localhost", self._port, ssl=self.trust)
        try:
            found = writer.get_extra_info("ssl_object").getpeercert()
            return int(found["serialNumber"], 16)
        finally:
            writer.transport.abort()

    async def ask(self, body: bytes) -> dict[str, Any]:
        """The response to one review, apart from the load."""
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.target.url, data=body, ssl=self.trust, headers=headers) as answer,
        ):
            assert answer.status == 200
            response: dict[str, Any] = (await answer.json())["response"]
            return response

    def read_log(self) -> None:
        """Looks through what it has logged since the last time. An hour of it is a gigabyte: what was read goes."""
        log = self._process.log
        with log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            if b'"level": "info"' not in line:  # within a text the quotes would be escaped
                self._note(line)
        self._read += len(whole)
        if self._read > _LOG_BYTES and len(whole) == len(text):
            os.truncate(log, 0)  # it writes at the end, wherever that is
            self._read = 0

    def _note(self, line: bytes) -> None:
        try:
            level = json.loads(line)["level"]
        except (ValueError, LookupError, TypeError):
            level = "error"  # Python's own words, a traceback for instance
        if level not in ("debug", "info", "warning"):
            self.errors.append(line.decode(errors="replace"))


def _file(settings: Mapping[str, Any]) -> dict[str, bytes]:
    return {"settings.yaml": json.dumps(settings, indent=1).encode()}  # JSON is YAML


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels; 0 where there are none. Raises LookupError where no labels are
    asked for and there is no sample: a figure of another name would be flat for ever."""
    wanted = labels.items()
    found = [number for (one, has), number in metrics.items() if one == name and dict(has).items() >= wanted]
    if not found and not labels:
        raise LookupError(f"/metrics has no {name}")
    return sum(found)
