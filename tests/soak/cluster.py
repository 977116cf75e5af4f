"""The cluster: a small API server on loopback, since nodes are to come and go faster than a real one is made for."""

import base64
import json
from typing import Any, Final

from tests.soak.world import TENANTS
from tests.support.apiserver import ApiServer, node

BASE_NODES: Final = 20
"""Nodes that stay, half of them of each architecture."""
NAMESPACES: Final = ("team", "moody", *TENANTS)
PULL_SECRET: Final = "pull"
_HISTORY: Final = 200
"""Changes that watches may be behind by, before the API server says that they are too old."""


class LongLived(ApiServer):
    """An API server that forgets, or an hour of it would be in its memory and in each look for what is new."""

    def forget_old(self) -> None:
        """Keeps the newest changes, and none of the Events that were written."""
        self._events = [event for event in self._events if event[0] > self.version - _HISTORY]
        self._oldest = max(self._oldest, self.version - _HISTORY)
        self._objects["events"].clear()
        self.requests.clear()
        self.limits.clear()


def furnish(api: ApiServer) -> None:
    """What is there from the start."""
    for number in range(BASE_NODES):
        api.put("nodes", plain_node(f"base-{number}", ("amd64", "arm64")[number % 2]))
    for architecture in ("amd64", "arm64"):
        api.put("nodes", gpu_node(architecture, labelled=architecture == "amd64"))
    for name in NAMESPACES:
        namespace(api, name)


def plain_node(name: str, architecture: str, **labels: str) -> dict[str, Any]:
    """A node of Linux."""
    return node(name, architecture, **{"kubernetes.io/hostname": name, **labels})


def gpu_node(architecture: str, *, labelled: bool) -> dict[str, Any]:
    """One of the two nodes that the label pool=gpu goes between."""
    return plain_node(f"gpu-{architecture}", architecture, **({"pool": "gpu"} if labelled else {}))


def rare_node() -> dict[str, Any]:
    """A node that pods have to tolerate."""
    made = plain_node("rare", "s390x")
    made["spec"]["taints"] = [{"key": "rare", "value": "yes", "effect": "NoSchedule"}]
    return made


def namespace(api: ApiServer, name: str, mode: str | None = None) -> None:
    """Creates or changes one. `mode`: the label podgate.dev/mode, None: it has none."""
    labels = {"podgate.dev/mode": mode} if mode else {}
    api.put("namespaces", {"metadata": {"name": name, "labels": labels}})


def pull_secret(api: ApiServer, name: str, registry: str, user: str, password: str) -> None:
    """Creates or changes the pull secret of a namespace."""
    proof = base64.b64encode(f"{user}:{password}".encode()).decode()
    text = json.dumps({"auths": {registry: {"auth": proof}}})
    data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    metadata = {"name": PULL_SECRET, "namespace": name}
    api.put("secrets", {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": data})
