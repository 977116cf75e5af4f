"""A cluster of unlike nodes, and pods with generated demands: what the real scheduler is asked about as a witness."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.e2e.harness.cluster import Cluster, node_object, node_status

Json = dict[str, Any]

ZONE, DISK, CORES, FLAG, POOL = "zone", "disk", "cores", "flag", "example.com/pool"
ARCH, OS, HOSTNAME = "kubernetes.io/arch", "kubernetes.io/os", "kubernetes.io/hostname"


@dataclass(frozen=True)
class Kind:
    """What one node is: platform, labels beside those of every kubelet, taints (`key=value:Effect`), or a cordon."""

    platform: str
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    cordoned: bool = False


NODES: dict[str, Kind] = {
    "amd-plain": Kind("linux/amd64", {ZONE: "a", DISK: "ssd", CORES: "4", POOL: "general"}),
    "amd-soft": Kind("linux/amd64", {ZONE: "b", DISK: "hdd", CORES: "8"}, ("dedicated=soft:PreferNoSchedule",)),
    "amd-db": Kind("linux/amd64", {ZONE: "a", DISK: "ssd", CORES: "064", POOL: "db"}, ("dedicated=db:NoSchedule",)),
    "amd-evict": Kind("linux/amd64", {ZONE: "c", FLAG: "", CORES: "16"}, ("dedicated=db:NoExecute",)),
    "amd-cordon": Kind("linux/amd64", {ZONE: "d", DISK: "tape", CORES: "32", POOL: "general"}, cordoned=True),
    "arm-plain": Kind("linux/arm64", {ZONE: "a", DISK: "ssd", CORES: "2", FLAG: "on"}),
    "arm-web": Kind("linux/arm64", {ZONE: "b", CORES: "many", POOL: "web"}, ("dedicated=web:NoSchedule",)),
    "arm-both": Kind("linux/arm64", {ZONE: "b", DISK: "hdd"}, ("dedicated=db:NoSchedule", "gpu:NoSchedule")),
    "arm-full": Kind("linux/arm64", {ZONE: "d", CORES: "96"}, ("node.kubernetes.io/disk-pressure:NoSchedule",)),
    "s390x-big": Kind("linux/s390x", {ZONE: "c", CORES: "9223372036854775807", FLAG: "on"}),
    "riscv-gpu": Kind("linux/riscv64", {ZONE: "e", CORES: "9223372036854775808"}, ("gpu=old:NoExecute",)),
    "windows": Kind("windows/amd64:10.0.20348.1", {ZONE: "a", CORES: "8"}, ("os=windows:NoSchedule",)),
}
"""Twelve nodes, no two alike. Numbers that are none, with leading zeros and beyond 64 bits are among their labels."""

PASSING = ("amd-cordon", "arm-full")
"""Nodes that take nothing just now, for a reason that passes."""

_VALUES = {
    ZONE: ("a", "b", "c", "d", "e", "f"),
    DISK: ("ssd", "hdd", "tape"),
    POOL: ("general", "db", "web"),
    FLAG: ("", "on", "off"),
    ARCH: ("amd64", "arm64", "s390x", "riscv64", "ppc64le"),
    OS: ("linux", "windows"),
    HOSTNAME: (*NODES, "nobody"),
    CORES: ("4", "8", "64", "many"),
}
_NUMBERS = ("0", "2", "4", "7", "08", "16", "64", "100", "9223372036854775807")
_TOLERATED = (("dedicated", ("db", "web", "soft")), ("gpu", ("", "old")), ("os", ("windows",)), ("other", ("x",)))
RUNTIME_CLASS = "witness"
"""A RuntimeClass that adds a node selector and a toleration to its pods."""


def runtime_class() -> Json:
    """The RuntimeClass."""
    scheduling = {
        "nodeSelector": {ZONE: "b"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "web", "effect": "NoSchedule"}],
    }
    kind = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": RUNTIME_CLASS}}
    return {**kind, "handler": "witness", "scheduling": scheduling}


@contextmanager
def nodes(cluster: Cluster) -> Iterator[None]:
    """The nodes and the RuntimeClass are in the cluster, and go at the end."""
    objects = [runtime_class(), *(_node(name, kind) for name, kind in NODES.items())]
    cluster.must("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})
    try:
        yield
    finally:
        cluster.must("delete", "node", *NODES, "--wait=false")
        cluster.must("delete", "runtimeclass", RUNTIME_CLASS, "--wait=false")


def let_in(cluster: Cluster, *, passing: bool) -> None:
    """Whether the nodes that take nothing take pods now."""
    for name in PASSING:
        now = {"unschedulable": None, "taints": None} if passing else _node(name, NODES[name])["spec"]
        cluster.must("patch", "node", name, "-p", json.dumps({"spec": now}))


def _node(name: str, kind: Kind) -> Json:
    node = node_object(name, kind.platform, kind.labels, kind.taints)
    node["spec"]["unschedulable"] = kind.cordoned
    return {**node, "status": node_status(name, kind.platform, "cri-o://1.33.1")}


def demands(random: Random) -> Json:
    """Fields of a pod's spec that say where it may land: such that the API server accepts them."""
    spec: Json = {}
    if random.random() < 0.4:
        keys = random.sample([ZONE, DISK, POOL, FLAG, ARCH, OS], random.choice((1, 1, 2)))
        spec["nodeSelector"] = {key: random.choice(_VALUES[key]) for key in keys}
    affinity: Json = {}
    if random.random() < 0.7:
        terms = [_term(random) for _ in range(random.choice((1, 1, 2, 3)))]
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if random.random() < 0.3:
        preferred = [{"weight": random.randint(1, 100), "preference": _term(random)} for _ in range(2)]
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    if affinity:
        spec["affinity"] = {"nodeAffinity": affinity}
    if random.random() < 0.6:
        spec["tolerations"] = [_toleration(random) for _ in range(random.choice((1, 2, 3)))]
    if random.random() < 0.1:
        spec["os"] = {"name": "linux"}  # the kubelet's business, not the scheduler's
    # The API server refuses a pod whose selector contradicts its RuntimeClass.
    if spec.get("nodeSelector", {}).get(ZONE, "b") == "b" and random.random() < 0.1:
        spec["runtimeClassName"] = RUNTIME_CLASS
    return spec


def _term(random: Random) -> Json:
    """A term; now and then an empty one, which no node meets."""
    term: Json = {}
    if random.random() < 0.85:
        term["matchExpressions"] = [_expression(random) for _ in range(random.choice((1, 1, 2)))]
    if random.random() < 0.25:
        name = random.choice((*NODES, *NODES, "nobody"))
        term["matchFields"] = [{"key": "metadata.name", "operator": random.choice(("In", "NotIn")), "values": [name]}]
    return term


def _expression(random: Random) -> Json:
    operator = random.choice(("In", "In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"))
    if operator in ("Gt", "Lt"):
        key = random.choice((CORES, CORES, CORES, ZONE))
        return {"key": key, "operator": operator, "values": [random.choice(_NUMBERS)]}
    key = random.choice(tuple(_VALUES))
    if operator in ("Exists", "DoesNotExist"):
        return {"key": key, "operator": operator}
    return {"key": key, "operator": operator, "values": random.sample(_VALUES[key], random.choice((1, 1, 2)))}


def _toleration(random: Random) -> Json:
    key, values = random.choice(_TOLERATED)
    effect = random.choice(("", "", "NoSchedule", "NoExecute", "PreferNoSchedule"))
    shapes: Sequence[Callable[[], Json]] = (
        lambda: {"key": key, "operator": "Exists"},
        lambda: {"key": key, "operator": "Equal", "value": random.choice(values)},
        lambda: {"key": key, "value": random.choice(values)},
        lambda: {"operator": "Exists"} if random.random() < 0.3 else {"key": key, "operator": "Exists"},
    )
    return random.choice(shapes)() | ({"effect": effect} if effect else {})
