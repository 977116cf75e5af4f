"""`podgate ready`: waits until an API server that calls the webhook would be answered."""

import asyncio
from dataclasses import dataclass
from typing import Final, TextIO

from webhook import interrupts
from webhook.cluster.calling import NotAnswered, call, configured
from webhook.cluster.connection import connect
from webhook.core.errors import ClusterUnavailable
from webhook.report.lines import deliver, say

AGAIN_SECONDS: Final = 1.0
"""Between two attempts."""

_NOT_READY: Final = 1


@dataclass(frozen=True, slots=True)
class ReadyRequest:
    """The options of `podgate ready`, as the command line has them. `timeout` is in seconds."""

    webhook_configuration: str
    timeout: float
    kubeconfig: str | None = None
    context: str | None = None
    address: str | None = None


def run_ready(request: ReadyRequest, output: TextIO | None) -> int:
    """Returns the exit code: 0 as soon as every webhook answers, 1 where one does not until the end.

    Raises ClusterUnavailable where there is no cluster to ask.
    """
    problem = interrupts.run(_wait(request))
    if problem is not None:
        say(f"not ready after {request.timeout:g} s: {problem}")
        return _NOT_READY
    deliver(output, lambda stream: print("ready", file=stream))
    return 0


async def _wait(request: ReadyRequest) -> str | None:
    """What was wrong at the end; None where all is well."""
    loop = asyncio.get_running_loop()
    end = loop.time() + request.timeout
    connection = await connect(request.kubeconfig, request.context)
    try:
        while True:
            try:
                for webhook in await configured(connection, request.webhook_configuration):
                    await call(webhook, request.address)
            except (ClusterUnavailable, NotAnswered) as error:
                if loop.time() + AGAIN_SECONDS >= end:
                    return str(error)
            else:
                return None
            await asyncio.sleep(AGAIN_SECONDS)
    finally:
        await connection.close()
