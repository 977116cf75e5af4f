"""Servers under test: processes on a core of their own, in a cluster that a small API server stands in for."""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.load import webhook_at
from tests.bench.machine import pinned
from tests.bench.reviews import NAMESPACE
from tests.bench.setting import hosts
from tests.e2e.harness.processes import Process, bare_environment, free_port
from tests.support.apiserver import ApiServer, api_server
from tests.support.registry import Registry
from tests.support.serving import write_pair

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120.0
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Place:
    """Where servers run: a folder for their files, an API server, and the core that they get."""

    folder: Path
    api: ApiServer
    core: int

    @property
    def environment(self) -> dict[str, str]:
        """A kubeconfig, and nothing of the developer's."""
        kubeconfig = self.folder / "kubeconfig"
        named = {"name": "bench", "cluster": {"server": self.api.url}}
        user = {"name": "bench", "user": {"token": "any"}}
        context = {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
        kubeconfig.write_text(json.dumps({"clusters": [named], "users": [user], "contexts": [context],
                                          "current-context": "bench"}))  # fmt: skip
        return bare_environment(self.folder / "home", KUBECONFIG=str(kubeconfig), PYTHONPATH=str(ROOT))


@asynccontextmanager
async def place(folder: Path, core: int, nodes: Sequence[Mapping[str, Any]]) -> AsyncIterator[Place]:
    """A cluster of these nodes, with one namespace and a certificate for whoever serves in it."""
    tls = folder / "tls"
    tls.mkdir(parents=True)
    (folder / "authority.pem").write_bytes(write_pair(tls).authority)
    async with api_server() as api:
        for one in nodes:
            api.put("nodes", dict(one))
        for name in ("default", NAMESPACE):
            api.put("namespaces", {"metadata": {"name": name, "labels": {}}})
        api.compact()  # or it would go through all of these whenever it looks what there is to be told
        yield Place(folder, api, core)


class Server:
    """One server, from its start to its end."""

    def __init__(self, where: Place, name: str, command: Sequence[str], ports: tuple[int, int]) -> None:
        """`ports`: for reviews, and for health and metrics (the same one where it has none apart)."""
        self._health = f"http://127.0.0.1:{ports[1]}"
        self.target = webhook_at(ports[0], where.folder / "authority.pem")
        self.started = time.monotonic()
        with pinned(where.core):
            self._process = Process(name, [sys.executable, *command], where.folder, where.environment)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    async def ready(self) -> float:
        """Waits until it says that it is; the seconds since its start."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS):
            while not await self._answers(session):
                self._process.check()
                await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - self.started

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self._health}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def decisions(self) -> dict[str, int]:
        """How many decisions it has counted, by `decision/reason`."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._health}/metrics") as response:
            text = await response.text()
        found: dict[str, int] = {}
        for labels, number in re.findall(r"^podgate_decisions_total\{(.*)\} (\S+)$", text, re.MULTILINE):
            named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            key = f"{named['decision']}/{named['reason']}"
            found[key] = found.get(key, 0) + int(float(number))
        return found

    def stop(self) -> None:
        """Ends it, without the time that it would go on serving."""
        self._process.kill()


@asynccontextmanager
async def podgate(where: Place, registry: Registry | None = None, **settings: Any) -> AsyncIterator[Server]:
    """`podgate serve` in the cluster, ready; `registry`: the one that pods pull from, `settings`: beside those that say
    where it listens and where that is."""
    server = start_podgate(where, registry, **settings)
    try:
        await server.ready()
        yield server
    finally:
        server.stop()


def start_podgate(where: Place, registry: Registry | None = None, **settings: Any) -> Server:
    """The same, as it starts."""
    port, health = free_port(), free_port()
    listening = {
        "address": "127.0.0.1",
        "port": port,
        "metricsPort": health,
        "certificateDir": str(where.folder / "tls"),
    }
    registries: dict[str, Any] = {"allowedAddresses": ["127.0.0.0/8"]}
    if registry is not None:
        registries |= hosts(where.folder, registry)
    file = where.folder / f"settings-{port}.yaml"
    file.write_text(json.dumps({"mode": "deny", "server": listening, "registries": registries, **settings}))
    return Server(where, f"podgate-{port}", ["-m", "webhook", "serve", "--config", str(file)], (port, health))


@asynccontextmanager
async def bare(where: Place) -> AsyncIterator[Server]:
    """The bare kopf handler, ready."""
    port, health = free_port(), free_port()
    words = [str(where.folder / "tls"), str(port), str(health)]
    server = Server(where, f"bare-{port}", ["-m", "tests.bench.bare", *words], (port, health))
    try:
        await server.ready()
        yield server
    finally:
        server.stop()
