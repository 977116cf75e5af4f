"""What a decision costs by the number of nodes: ratios within one run, counts, and memory."""

import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from typing import Any, Final

from tests.bench.figures import Figure
from tests.bench.setting import Run
from tests.support.images import multi
from webhook.cluster.files import FileCluster
from webhook.core.grouping import NodeIndex
from webhook.core.manifest import Document, Role
from webhook.core.reference import Reference
from webhook.core.workload import PodConstraints, Workload, parse_workload
from webhook.examined import MOST_KEPT
from webhook.landing import Landing
from webhook.ports import Access, Image
from webhook.service import Judge, Request
from webhook.settings import parse_settings

FEW: Final = 50
MANY: Final = 10_000
JUDGED: Final = 50
"""Decisions in a round: some 20 ms, so that on a busy machine some rounds are disturbed by nothing."""
ROUNDS: Final = 40
"""Rounds of each of two, in turn: the least of each is compared. They are taken as CPU time, which others' work on the
same cores adds less to than to the time on the wall."""

PLATFORMS: Final = (("linux", "amd64"), ("linux", "arm64"), ("linux", "s390x"), ("linux", "ppc64le"), ("linux", "arm"))
"""Times five zones, times with and without a taint: 50 shapes."""


def shaped(number: int) -> dict[str, Any]:
    """A Node as an API server gives it, with the labels that nodes have."""
    os, architecture = PLATFORMS[number % 5]
    zone = (number // 5) % 5
    labels = {
        "kubernetes.io/os": os,
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": f"node-{number}",
        "topology.kubernetes.io/region": "region-1",
        "topology.kubernetes.io/zone": f"region-1{'abcde'[zone]}",
        "node.kubernetes.io/instance-type": f"type-{number % 5}",
        "karpenter.sh/nodepool": f"pool-{number % 50}",
        "serial": str(number),
    }
    taints = [{"key": "team", "value": "blue", "effect": "NoSchedule"}] if (number // 25) % 2 else []
    info = {"operatingSystem": os, "architecture": architecture, "containerRuntimeVersion": "containerd://2.1.4"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{number}", "labels": labels},
        "spec": {"taints": taints},
        "status": {"nodeInfo": info, "conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]},
    }


class _Known:
    """Images that are known already: what is measured is all that is not a registry."""

    def __init__(self) -> None:
        root = multi("linux/amd64", "linux/s390x").root
        self._root = Document(root.media_type, root.digest, root.body)

    async def resolve(self, reference: Reference, access: Access) -> Image:
        raise AssertionError("it is at hand")

    def at_hand(self, reference: Reference, access: Access) -> Image:
        return Image(reference, self._root)

    def document_at_hand(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        raise AssertionError("an index decides by itself")

    async def fetch(self, reference: Reference, digest: str, role: Role, access: Access) -> Document:
        raise AssertionError("an index decides by itself")

    async def known_lists(self, reference: Reference, digest: str, access: Access) -> tuple[Document, ...]:
        return ()


UNLIKE: Final = 2 * MOST_KEPT
"""Pods of each kind, of which none is of the same template as another: what was found out about one is forgotten before
it comes again, so that each is looked at anew."""


def _pods(**spec: Any) -> list[Workload]:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "team"}}
    containers = [{"name": "app", "image": "reg.example/app:1"}]
    workload = parse_workload({**obj, "spec": {"containers": containers, **spec}})
    assert workload is not None
    (image,) = workload.images
    return [replace(workload, images=(replace(image, container=f"app-{number}"),)) for number in range(UNLIKE)]


def _required(*requirements: tuple[str, str, list[str]]) -> dict[str, Any]:
    """A required node affinity of one term."""
    expressions = [{"key": key, "operator": operator, "values": values} for key, operator, values in requirements]
    terms = [{"matchExpressions": expressions}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


_ZONES: Final = _required(
    ("topology.kubernetes.io/zone", "In", ["region-1a", "region-1b"]),
    ("kubernetes.io/hostname", "NotIn", ["node-1", "node-2"]),
)

PODS: Final = {
    "that may land anywhere": _pods(tolerations=[{"operator": "Exists"}]),
    "in a zone": _pods(nodeSelector={"topology.kubernetes.io/zone": "region-1a"}),
    "in two zones, but for some nodes": _pods(affinity=_ZONES),
    "on a node by its label": _pods(nodeSelector={"kubernetes.io/hostname": "node-7"}),
}


def _judge(count: int) -> tuple[Judge, FileCluster]:
    cluster = FileCluster.from_documents(map(shaped, range(count)))
    return Judge(parse_settings({}), _Known(), cluster), cluster


async def _round(judge: Judge, workloads: Iterator[Workload]) -> float:
    started = time.process_time()
    for _ in range(JUDGED):
        await judge.judge(Request(next(workloads)))
    return time.process_time() - started


async def _in_turn(one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]]) -> tuple[float, float]:
    """The least that each of two takes, after a round that only warms up."""
    seconds = [(await one(), await other()) for _ in range(ROUNDS + 1)][1:]
    return min(first for first, _ in seconds), min(second for _, second in seconds)


async def figures(run: Run) -> list[Figure]:
    """Decisions over many nodes against few, heartbeats against decisions, and memory."""
    (few, _), (many, cluster) = _judge(FEW), _judge(MANY)
    found = []
    gc.collect()
    gc.freeze()  # what is there stays, and a collection must not walk it in the one and not in the other
    for name, pods in PODS.items():
        for_few, for_many = cycle(pods), cycle(pods)

        async def over_few(workloads: Iterator[Workload] = for_few) -> float:
            return await _round(few, workloads)

        async def over_many(workloads: Iterator[Workload] = for_many) -> float:
            return await _round(many, workloads)

        small, large = await _in_turn(over_few, over_many)
        found.append(
            Figure(f"nodes: a pod {name}, over {MANY:,} against {FEW} nodes", large / small, "ratio", 1.1, timed=True)
        )
    found += await _heartbeats(many, cluster)
    gc.unfreeze()
    return [*found, *_memory()]


async def _heartbeats(judge: Judge, cluster: FileCluster) -> list[Figure]:
    """Decisions with a heartbeat before each, against decisions alone; the reading of the Node itself left out."""
    workloads = cycle(PODS["that may land anywhere"])
    before = cluster.nodes()
    nodes = [shaped(number) for number in range(JUDGED)]

    async def alone() -> float:
        return await _round(judge, workloads)

    async def between() -> float:
        total = 0.0
        for one in nodes:
            cluster.add(one)
            started = time.process_time()
            await judge.judge(Request(next(workloads)))
            total += time.process_time() - started
        return total

    plain, beating = await _in_turn(alone, between)
    assert cluster.nodes() is before
    with _counted(NodeIndex) as built:
        await between()
    return [
        Figure("nodes: a decision after a heartbeat, against one without", beating / plain, "ratio", 1.1, timed=True),
        Figure(f"nodes: indexes built for {JUDGED} heartbeats", built[0], "indexes", 0),
    ]


@contextmanager
def _counted(kind: type) -> Iterator[list[int]]:
    made, count = kind.__init__, [0]  # type: ignore[misc]  # of this very class, and put back below

    def counting(self: object, *arguments: Any) -> None:
        count[0] += 1
        made(self, *arguments)

    kind.__init__ = counting  # type: ignore[misc]  # put back below
    try:
        yield count
    finally:
        kind.__init__ = made  # type: ignore[misc]  # as it was


def _memory(nodes: int = 5000) -> Sequence[Figure]:
    """What nodes take up in memory once they are reduced to what decisions see, and grouped."""
    tracemalloc.start()
    cluster = FileCluster()
    for number in range(nodes):
        cluster.add(shaped(number))
    cluster.nodes()
    kept = tracemalloc.get_traced_memory()[0]
    landing = Landing(parse_settings({}).nodes, cluster)
    for workload, *_ in PODS.values():
        landing.candidates(workload.constraints, daemon_set=False)
    landing.candidates(PodConstraints(), daemon_set=False)
    grouped = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # The bounds are for a container of 256 MiB, which has to hold the cache of documents as well.
    return [
        Figure(f"nodes: memory of {nodes:,} nodes", kept / 2**20, "MiB", 32),
        Figure(f"nodes: memory of their groups, for {len(PODS) + 1} kinds of pods", (grouped - kept) / 2**20, "MiB", 8),
    ]
