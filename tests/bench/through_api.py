"""Through a real API server: what a pod waits longer for, and what a ReplicaSet of many pods asks."""

import json
import statistics
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import Figure
from tests.bench.load import Hits, Target
from tests.bench.machine import pinned
from tests.bench.setting import Run, index
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.components import components
from tests.e2e.harness.controlplane import ControlPlane
from tests.e2e.harness.podgate import (
    Podgate,
    install,
    pod,
    podgate_settings,
    point_at,
    wait_for_node,
    wait_until_called,
)
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.workloads import workload
from tests.support.registry import Registry

MOST_MORE: Final = 3.0
"""Milliseconds that podgate may add to the median creation of a pod."""
RATE: Final = 40
SECONDS: Final = 3
ROUNDS: Final = 6
REPLICAS: Final = 500
WITHOUT: Final = "kube-system"
"""A namespace that the webhook's configuration leaves out."""


async def figures(run: Run) -> list[Figure]:
    """With a control plane of their own, podgate installed by its manifests."""
    control_plane = ControlPlane(components(), run.folder / "control-plane")
    control_plane.start()
    try:
        cluster = Cluster(components(), control_plane)
        with Registry() as registry:
            registry.push("team/app", index(0), "1.0")
            return await _measured(run, cluster, registry)
    finally:
        control_plane.stop()


async def _measured(run: Run, cluster: Cluster, registry: Registry) -> list[Figure]:
    install(cluster)
    podgate = Podgate(cluster, run.folder / "through-api", podgate_settings(cache={"tagTTL": "1h"}))
    with pinned(run.server):
        podgate.launch()
    try:
        wait_until("podgate to be ready", podgate.ready, 60.0, podgate.processes)
        point_at(cluster, podgate.port, podgate.ca)
        wait_until_called(cluster)
        for name, platform in (("amd-1", "linux/amd64"), ("arm-1", "linux/arm64")):
            cluster.add_node(name, platform)
            wait_for_node(cluster, name)
        image = f"{registry.address}/team/app:1.0"
        return [*_replica_set(cluster, podgate, registry, image), *await _creation(run, cluster, podgate, image)]
    finally:
        podgate.kill()


def _replica_set(cluster: Cluster, podgate: Podgate, registry: Registry, image: str) -> list[Figure]:
    """All of its pods are created, each is reviewed once, and the registry is asked once for all."""
    with cluster.namespace("replicas") as namespace:
        obj = workload("ReplicaSet", "web", image)
        obj["spec"]["replicas"] = REPLICAS
        before = {kind: podgate.decisions(kind=kind) for kind in ("ReplicaSet", "Pod")}
        registry.log.clear()
        path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        assert cluster.call("POST", path, obj).status_code == 201

        def created() -> bool:
            return bool(cluster.call("GET", f"{path}/web").json()["status"].get("replicas") == REPLICAS)

        wait_until(f"{REPLICAS} pods", created, 120.0, podgate.processes)
        pods = len(cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods").json()["items"])
        reviews = sum(podgate.decisions(kind=kind) - count for kind, count in before.items())
    name = f"ReplicaSet of {REPLICAS} pods"
    return [
        Figure(f"{name}: pods created", pods, "pods", REPLICAS, "exactly"),
        Figure(f"{name}: reviews", reviews, "reviews", REPLICAS + 1, "exactly"),
        Figure(f"{name}: requests at the registry", len(registry.log), "requests", 1, "exactly"),
    ]


async def _creation(run: Run, cluster: Cluster, podgate: Podgate, image: str) -> list[Figure]:
    """Pods are created at a steady rate, by turns where podgate is asked and where it is not."""
    body = _nobodys_pod(image)
    with cluster.namespace("creation") as namespace:
        before = podgate.decisions(kind="Pod")
        turns = [
            (await _created(run, cluster, WITHOUT, body), await _created(run, cluster, namespace, body))
            for _ in range(run.rounds(ROUNDS))
        ]
        reviewed = podgate.decisions(kind="Pod") - before
    assert reviewed == sum(len(with_podgate.seconds) for _, with_podgate in turns)
    medians = [(_median(without), _median(with_podgate)) for without, with_podgate in turns]
    more = statistics.median(with_podgate - without for without, with_podgate in medians)
    return [
        Figure("pod creation without podgate, p50", statistics.median(one for one, _ in medians), "ms", timed=True),
        Figure("pod creation with podgate, p50", statistics.median(other for _, other in medians), "ms", timed=True),
        Figure("pod creation: what podgate adds to p50", more, "ms", MOST_MORE, timed=True),
    ]


def _median(hits: Hits) -> float:
    return 1000 * hits.percentile(50)


def _nobodys_pod(image: str) -> bytes:
    """A pod that no scheduler takes, with a name that the API server makes up."""
    obj: dict[str, Any] = pod("web", image, schedulerName="nobody")
    obj["metadata"] = {"generateName": "web-"}
    return json.dumps(obj).encode()


async def _created(run: Run, cluster: Cluster, namespace: str, body: bytes) -> Hits:
    control_plane = cluster.control_plane
    pki: Path = control_plane.folder / "pki"
    url = f"{control_plane.server}/api/v1/namespaces/{namespace}/pods"
    target = Target(url, control_plane.authority.file, (pki / "admin.crt", pki / "admin.key"))
    return await run.load.at_rate(target, [body], RATE, SECONDS)
