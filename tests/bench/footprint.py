"""Memory of the process, and its start: in a cluster of many nodes, each as large as an API server gives it."""

from collections import Counter
from typing import Any, Final

from tests.bench.figures import Figure
from tests.bench.machine import peak, resident
from tests.bench.nodes import shaped
from tests.bench.reviews import pods_of
from tests.bench.served import place, podgate, start_podgate
from tests.bench.setting import Run, pushed
from tests.support.registry import Registry

NODES_AT_START: Final = 1000
NODES: Final = 5000
IMAGES: Final = 10_000
AT_ONCE: Final = 32
BOUND: Final = 128.0
AIM: Final = 100.0


async def figures(run: Run) -> list[Figure]:
    """Seconds to readiness, MiB of resident memory."""
    return [*await _starts(run), await _idle(run), *await _full(run)]


def node(number: int) -> dict[str, Any]:
    """A Node with all that decisions do not see: 10 KB of JSON, as a kubelet with 50 images reports it."""
    made = shaped(number)
    made["metadata"]["annotations"] = {"node.alpha.kubernetes.io/ttl": "0", "volumes": "true"}
    made["metadata"]["managedFields"] = [{"manager": "kubelet", "fieldsV1": {f"f:field-{n}": {} for n in range(40)}}]
    made["status"]["images"] = [
        {"names": [f"reg.example/team/app-{n}@sha256:{n:064x}", f"reg.example/team/app-{n}:1.0"], "sizeBytes": 10**8}
        for n in range(50)
    ]
    return made


async def _starts(run: Run) -> list[Figure]:
    """From the start of the process to the answer that it is ready, the median of several."""
    taken = []
    async with place(run.folder / "start", run.server, [node(n) for n in range(NODES_AT_START)]) as where:
        for _ in range(run.rounds(5)):
            server = start_podgate(where)
            try:
                taken.append(await server.ready())
            finally:
                server.stop()
    name = f"start to ready with {NODES_AT_START:,} nodes"
    return [Figure(name, sorted(taken)[len(taken) // 2], "s", 2.0, timed=True)]


async def _idle(run: Run) -> Figure:
    async with place(run.folder / "idle", run.server, [node(0)]) as where, podgate(where) as server:
        return Figure("memory: idle, one node", resident(server.pid), "MiB")


async def _full(run: Run) -> list[Figure]:
    """Many nodes listed, many images looked up, then looked up once more."""
    with Registry() as registry:
        reviews = pods_of(pushed(registry, IMAGES), IMAGES)
        async with (
            place(run.folder / "full", run.server, [node(n) for n in range(NODES)]) as where,
            podgate(where, registry, cache={"tagTTL": "1h"}) as server,
        ):
            listed = resident(server.pid)
            await run.load.all_once(server.target, reviews, AT_ONCE)
            again = await run.load.all_once(server.target, reviews, AT_ONCE)
            looked_up, most = resident(server.pid), peak(server.pid)
            decisions = await server.decisions()
    assert sum(decisions.values()) == 2 * IMAGES, decisions
    verdicts = Counter(response["auditAnnotations"]["reason"] for response in again.responses)
    known = verdicts["partial"]  # there are nodes of ppc64le, and no image is for them
    return [
        Figure(f"memory: {NODES:,} nodes", listed, "MiB", BOUND),
        Figure(f"memory: {NODES:,} nodes and {IMAGES:,} images (aim: {AIM:g})", looked_up, "MiB", BOUND),
        Figure("memory: the same, most at any time", most, "MiB"),
        Figure("memory: images decided on the second time", known, "images", IMAGES, "exactly", timed=True),
    ]
