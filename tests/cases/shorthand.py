"""Short forms of a case written out: nodes, objects, secrets, settings."""

import base64
import copy
import json
from typing import Any, Final

from tests.cases.content import Json, check_keys, platform_of

RUNTIME: Final = "containerd://2.1.4"
NODE_KEYS: Final = {
    *("name", "platform", "os", "architecture", "runtime", "labels", "taints", "variant", "build", "kernelVersion"),
    *("bare", "unschedulable"),
}
OBJECT_KEYS: Final = {"kind", "name", "namespace", "image", "images", "pod", "metadata", "spec", "secrets"}
SECRET_KEYS: Final = {"type", "auths", "json", "extra", "key", "namespace"}
API_VERSIONS: Final = {
    "Pod": "v1",
    "ReplicationController": "v1",
    "PodTemplate": "v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


def node(short: Json) -> Json:
    """A Node."""
    check_keys("node", short, NODE_KEYS)
    platform = platform_of(short.get("platform")) or {}
    system, architecture = (short.get(key, platform.get(key, "")) for key in ("os", "architecture"))
    labels: Json = {}
    if not short.get("bare"):
        labels = {
            "kubernetes.io/hostname": short["name"],
            "kubernetes.io/os": system,
            "kubernetes.io/arch": architecture,
        }
    variant = short.get("variant") or platform.get("variant")
    if variant:
        labels["podgate.dev/variant"] = variant
    if short.get("build"):
        labels["node.kubernetes.io/windows-build"] = short["build"]
    labels.update(short.get("labels", {}))
    spec: Json = {"taints": [taint(one) for one in short.get("taints", [])]}
    if short.get("unschedulable"):
        spec["unschedulable"] = True
    info = {
        "operatingSystem": system,
        "architecture": architecture,
        "containerRuntimeVersion": short.get("runtime", RUNTIME),
        "kernelVersion": short.get("kernelVersion", "6.8.0"),
        "kubeletVersion": "v1.37.2",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": short["name"], "labels": labels},
        "spec": spec,
        "status": {"nodeInfo": info, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def taint(value: str | Json) -> Json:
    """A taint of "key[=value]:Effect"."""
    if isinstance(value, dict):
        return value
    rest, _, effect = value.rpartition(":")
    key, equals, text = rest.partition("=")
    return {"key": key, "effect": effect, **({"value": text} if equals else {})}


def secret_data(value: Json) -> str:
    """The JSON text of a docker configuration: {auths: {key: user:password or an entry}}, or `json` as it stands."""
    if "json" in value:
        return str(value["json"])
    auths = {
        key: {"auth": base64.b64encode(entry.encode()).decode()} if isinstance(entry, str) else entry
        for key, entry in value.get("auths", {}).items()
    }
    old = value.get("type") == "kubernetes.io/dockercfg"
    return json.dumps(auths if old else {**value.get("extra", {}), "auths": auths})


def secret(name: str, value: Json) -> Json:
    """A Secret."""
    check_keys(f"secret {name}", value, SECRET_KEYS)
    kind = value.get("type", "kubernetes.io/dockerconfigjson")
    key = value.get("key", ".dockercfg" if kind == "kubernetes.io/dockercfg" else ".dockerconfigjson")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": value.get("namespace", "default")},
        "data": {key: base64.b64encode(secret_data(value).encode()).decode()},
    }


def manifest(short: Json) -> Json:
    """A Kubernetes object from its short form; one with an apiVersion is taken as it is."""
    if "apiVersion" in short:
        return short
    check_keys("object", short, OBJECT_KEYS)
    kind = short.get("kind", "Pod")
    metadata = {"name": short["name"], "namespace": short.get("namespace", "default"), **short.get("metadata", {})}
    body = _body(kind, short["name"], _pod_spec(kind, short), short.get("spec", {}))
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, **body}


def _pod_spec(kind: str, short: Json) -> Json:
    images = short.get("images") or ({"app": short["image"]} if "image" in short else {})
    spec: Json = {"containers": [{"name": name, "image": image} for name, image in images.items()]}
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
    if short.get("secrets"):
        spec["imagePullSecrets"] = [{"name": name} for name in short["secrets"]]
    return {**spec, **copy.deepcopy(short.get("pod", {}))}


def _body(kind: str, name: str, spec: Json, more: Any) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    match kind:
        case "Pod":
            return {"spec": {**spec, **more}}
        case "PodTemplate":
            return {"template": template}
        case "CronJob":
            return {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}, **more}}
        case "Job":
            return {"spec": {"template": template, **more}}
    selector: Json = labels if kind == "ReplicationController" else {"matchLabels": labels}
    named = {"serviceName": name} if kind == "StatefulSet" else {}
    return {"spec": {"selector": selector, "template": template, **named, **more}}
