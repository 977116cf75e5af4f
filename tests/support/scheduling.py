"""Nodes and pods for tests of scheduling, written shortly."""

from typing import Any

from webhook.core.platform import Platform
from webhook.core.scheduling import (
    Node,
    Taint,
)
from webhook.core.workload import PodConstraints, parse_pod_spec

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str, platform: str = "linux/amd64", *taints: str, **labels: str) -> Node:
    """A node as the kubelet registers one, with further labels; taints as key=value:Effect."""
    os, _, architecture = platform.partition("/")
    own = {"kubernetes.io/os": os, "kubernetes.io/arch": architecture, "kubernetes.io/hostname": name}
    return Node(
        name, Platform(os, architecture), labels={**own, **labels}, taints=tuple(taint(written) for written in taints)
    )


def taint(written: str) -> Taint:
    rest, _, effect = written.rpartition(":")
    key, _, value = rest.partition("=")
    return Taint(key, value, effect)


def pod(**spec: Any) -> PodConstraints:
    return parse_pod_spec(spec)


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def fields(*requirements: dict[str, Any]) -> dict[str, Any]:
    return {"matchFields": list(requirements)}


def expressions(*requirements: dict[str, Any]) -> dict[str, Any]:
    return {"matchExpressions": list(requirements)}


def names(found: tuple[Node, ...]) -> list[str | None]:
    return [one.name for one in found]


NAMED = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
UNNAMED = {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}
BUT_N3 = {"key": "metadata.name", "operator": "NotIn", "values": ["n3"]}
ARM64 = expression("kubernetes.io/arch", "In", "arm64")
