"""Objects of every kind that makes pods, from one pod's spec."""

from collections.abc import Mapping
from typing import Any

from tests.e2e.harness.podgate import pod

Json = dict[str, Any]

KINDS: Mapping[str, tuple[str, str]] = {
    "Pod": ("v1", "pods"),
    "PodTemplate": ("v1", "podtemplates"),
    "ReplicationController": ("v1", "replicationcontrollers"),
    "Deployment": ("apps/v1", "deployments"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "Job": ("batch/v1", "jobs"),
    "CronJob": ("batch/v1", "cronjobs"),
}
"""apiVersion and resource of each kind."""


def workload(kind: str, name: str, image: str, **spec: Any) -> Json:
    """An object of a kind whose pods have one container, `app`; `spec` has further fields of the pods' spec."""
    if kind == "Pod":
        return pod(name, image, **spec)
    return {"apiVersion": KINDS[kind][0], "kind": kind, "metadata": {"name": name}, **_body(kind, name, image, spec)}


def _body(kind: str, name: str, image: str, spec: Json) -> Json:
    once = kind in ("Job", "CronJob")
    pod_spec = pod(name, image, **spec, **({"restartPolicy": "Never"} if once else {}))["spec"]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec}
    if kind == "PodTemplate":
        return {"template": template}
    if kind == "CronJob":
        return {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}
    if once:
        return {"spec": {"template": template}}
    selector = labels if kind == "ReplicationController" else {"matchLabels": labels}
    service = {"serviceName": name} if kind == "StatefulSet" else {}
    return {"spec": {"selector": selector, "template": template, **service}}
