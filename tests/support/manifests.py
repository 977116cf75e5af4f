"""Small Kubernetes objects, and files of them."""

import json
from pathlib import Path
from typing import Any

REGISTRY = "reg.example"
"""The registry that images of tests are in, unless they say otherwise."""


def pod(image: str = f"{REGISTRY}/team/app:1.4", name: str = "web", **spec: Any) -> dict[str, Any]:
    """A pod of one container."""
    containers = [{"name": "app", "image": image}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def node(name: str, architecture: str | None = "arm64", runtime: str = "containerd://2.1.4") -> dict[str, Any]:
    """A node; without nodeInfo where it has no architecture."""
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    if architecture is not None:
        info = {"operatingSystem": "linux", "architecture": architecture, "containerRuntimeVersion": runtime}
        made["metadata"]["labels"] = {"kubernetes.io/os": "linux", "kubernetes.io/arch": architecture}
        made["status"] = {"nodeInfo": info}
    return made


def write(path: Path, *objects: Any) -> Path:
    """Objects as a file of several documents: JSON is YAML."""
    path.write_text("\n---\n".join(json.dumps(one) for one in objects))
    return path
