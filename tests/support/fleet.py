"""Workloads as an API server gives them out: controllers, and the pods that they have made, on nodes and all."""

from typing import Any

from tests.support.manifests import REGISTRY

Object = dict[str, Any]

APP = f"{REGISTRY}/team/app:1.4"

_NOT_NEEDED = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"f:conditions": {}}}}]


def owned(obj: Object, owner: Object) -> Object:
    """The object with an owner that controls it."""
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    obj["metadata"]["ownerReferences"] = [{**reference, "uid": owner["metadata"]["uid"], "controller": True}]
    return obj


def named(api_version: str, kind: str, name: str, namespace: str = "shop") -> Object:
    """An object with metadata."""
    metadata = {"name": name, "namespace": namespace, "uid": f"{kind}-{namespace}-{name}", "managedFields": _NOT_NEEDED}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def template(image: str = APP, **spec: Any) -> Object:
    """A pod template of one container."""
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": image}], **spec}}


def deployment(name: str, image: str = APP, namespace: str = "shop", **spec: Any) -> Object:
    return {
        **named("apps/v1", "Deployment", name, namespace),
        "spec": {"replicas": 3, "template": template(image, **spec)},
    }


def replica_set(owner: Object, image: str = "", revision: int = 1, **spec: Any) -> Object:
    """A revision of a Deployment: of what it asks for now, unless an image says otherwise."""
    metadata = owner["metadata"]
    made = named("apps/v1", "ReplicaSet", f"{metadata['name']}-{revision}", metadata["namespace"])
    asked = template(image, **spec) if image else owner["spec"]["template"]
    return owned({**made, "spec": {"replicas": 1, "template": asked}}, owner)


def pods_of(owner: Object, count: int, *sidecars: Object, node: str = "node-1", phase: str = "Running") -> list[Object]:
    """Pods as they are after admission and scheduling: bound, with tolerations and what injectors add."""
    spec = owner["spec"]["template"]["spec"]
    made = []
    for number in range(count):
        metadata = owner["metadata"]
        pod = named("v1", "Pod", f"{metadata['name']}-{number}", metadata["namespace"])
        toleration = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
        full = {**spec, "nodeName": node, "serviceAccountName": "default", "tolerations": [toleration]}
        full["containers"] = [*spec["containers"], *sidecars]
        made.append(owned({**pod, "spec": full, "status": {"phase": phase}}, owner))
    return made


def job_template(image: str = APP) -> Object:
    """What a CronJob makes Jobs from."""
    return {"spec": {"template": template(image, restartPolicy="Never")}}


PLURALS = {
    "Pod": "pods",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "ReplicationController": "replicationcontrollers",
    "Rollout": "rollouts",
}
