"""What a Service does for podgate's replicas: new connections go to those that are ready, and to no other."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Iterable
from typing import Self

import httpx

from tests.e2e.harness.controlplane import HOST
from tests.e2e.harness.podgate import Podgate
from tests.e2e.harness.processes import free_port

PROBE_SECONDS = 1.0
"""Between two looks at readiness: a kubelet looks every two seconds here, and an endpoint takes a moment to follow."""


class Balancer:
    """A TCP balancer on loopback, in a thread of its own. A connection that is open stays where it is."""

    def __init__(self) -> None:
        self.port = free_port()
        self.ready: list[Podgate] = []
        self.refused = 0
        self._replicas: list[Podgate] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._turns = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def behind(self, replicas: Iterable[Podgate]) -> None:
        """From now on these are the replicas."""
        self._replicas = list(replicas)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._connected, HOST, self.port, backlog=512)
        self._probing = asyncio.create_task(self._probe())

    async def _stop(self) -> None:
        self._server.close()
        self._probing.cancel()
        while self._open:  # connections that are aborted end by themselves
            for each in self._open:
                each.transport.abort()
            await asyncio.sleep(0.01)
        await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
            while True:
                self.ready = [each for each in self._replicas if await _is_ready(client, each)]
                await asyncio.sleep(PROBE_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = {writer}
        self._open |= mine
        ready = self.ready
        try:
            replica = ready[next(self._turns) % len(ready)]
            there, back = await asyncio.open_connection(HOST, replica.port)
        except (ZeroDivisionError, OSError):  # none is ready, or the one that was has gone
            self.refused += 1
            writer.transport.abort()
        else:
            mine.add(back)
            self._open |= mine
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        self._open -= mine


async def _is_ready(client: httpx.AsyncClient, replica: Podgate) -> bool:
    try:
        return (await client.get(f"http://{HOST}:{replica.metrics_port}/readyz")).is_success
    except httpx.TransportError:
        return False


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes until it ends, and then the end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
