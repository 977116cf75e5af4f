"""What tests do with a cluster: real kubectl, nodes that have no kubelet, namespaces, credentials, audit events."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.e2e.harness.components import Components
from tests.e2e.harness.controlplane import ControlPlane
from tests.e2e.harness.processes import Process, bare_environment, wait_until

KUBECTL_SECONDS = 60.0
READY = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "no kubelet: a node of the tests"}


class Result(NamedTuple):
    """How a kubectl ended."""

    code: int
    stdout: str
    stderr: str


class KubectlFailed(AssertionError):
    """A kubectl that had to succeed did not."""


class Cluster:
    """A running control plane, through kubectl."""

    def __init__(self, components: Components, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.own_control_plane = components.own_control_plane
        self.folder = control_plane.folder
        self._program = components.programs["kubectl"]
        self._environment = bare_environment(self.folder / "home")

    def kubectl(self, *arguments: str | Path, stdin: Any = None, kubeconfig: Path | None = None) -> Result:
        """Runs kubectl as the administrator, or as whom the kubeconfig names.

        `stdin` is what `-f -` reads: text as it is, and anything else as JSON.
        """
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        chosen = kubeconfig or self.control_plane.kubeconfigs["admin"]
        done = subprocess.run(
            [str(self._program), f"--kubeconfig={chosen}", *map(str, arguments)],
            input=text or "",
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self.folder,
            timeout=KUBECTL_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str | Path, stdin: Any = None, kubeconfig: Path | None = None) -> str:
        """Runs a kubectl that has to succeed, and gives its standard output; raises KubectlFailed."""
        result = self.kubectl(*arguments, stdin=stdin, kubeconfig=kubeconfig)
        if result.code:
            raise KubectlFailed(f"kubectl {' '.join(map(str, arguments))} ended with {result.code}: {result.stderr}")
        return result.stdout

    def get(self, *arguments: str) -> Any:
        """The object, or the list, that `kubectl get` gives."""
        return json.loads(self.must("get", *arguments, "-o", "json"))

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> httpx.Response:
        """A request of the administrator's, without kubectl: for what prepares tests and is done hundreds of times."""
        content = None if body is None else json.dumps(body)
        with self.control_plane.client() as client:
            return client.request(method, path, content=content, headers={"Content-Type": kind})

    def _succeed(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        answer = self.call(method, path, body, kind)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def environment(self) -> dict[str, str]:
        """The environment of a script that calls `kubectl`: this cluster's, as its administrator."""
        path = f"{self._program.parent}{os.pathsep}{self._environment['PATH']}"
        return {**self._environment, "PATH": path, "KUBECONFIG": str(self.control_plane.kubeconfigs["admin"])}

    def add_node(
        self,
        name: str,
        platform: str,
        runtime: str = "containerd://2.1.4",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
    ) -> None:
        """A node without a kubelet, to which the scheduler binds pods, which then stay Pending.

        platform: os/arch, for Windows with :os.version; what a kubelet would publish of it is published. taints:
        `key=value:Effect` or `key:Effect`.
        """
        node = node_object(name, platform, labels or {}, taints)
        self._succeed("POST", "/api/v1/nodes", node)
        status = {"status": node_status(name, platform, runtime)}
        self._succeed("PATCH", f"/api/v1/nodes/{name}/status", status, "application/merge-patch+json")

    def remove_node(self, name: str) -> None:
        """The node goes; pods that were bound to it are removed by the garbage collector for pods, in its time."""
        self._succeed("DELETE", f"/api/v1/nodes/{name}")

    @contextmanager
    def namespace(self, prefix: str = "e2e", labels: Mapping[str, str] | None = None) -> Iterator[str]:
        """A new namespace whose default ServiceAccount exists. At the end it goes, with its pods, by force:
        no kubelet says that a pod has ended."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        metadata = {"name": name, "labels": dict(labels or {})}
        self._succeed("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        path = f"/api/v1/namespaces/{name}"
        account = f"{path}/serviceaccounts/default"
        wait_until(account, lambda: self.call("GET", account).is_success, 30, self._processes)
        try:
            yield name
        finally:
            self._succeed("DELETE", path)
            # One request, however many there are.
            self._succeed("DELETE", f"{path}/pods?gracePeriodSeconds=0")

    def node_of(self, pod: str, namespace: str = "default", seconds: float = 30.0) -> str:
        """The node to which the scheduler has bound a pod; waits for it."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}"

        def node() -> str:
            name: str = self._succeed("GET", path)["spec"].get("nodeName", "")
            return name

        return wait_until(f"pod {namespace}/{pod} to be bound", node, seconds, self._processes)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a token of a ServiceAccount: whoever uses it may do what RBAC allows it, and no more."""
        token = self.must("create", "token", name, "-n", namespace, "--duration=24h").strip()
        return self.control_plane.kubeconfig(f"{namespace}.{name}", {"token": token})

    def audit_events(self, **wanted: str) -> list[dict[str, Any]]:
        """Events of the audit log, oldest first: writing requests at level Metadata, with a webhook's annotations.

        `wanted` compares fields of objectRef (resource, namespace, name, subresource) and `verb`.
        """
        lines = self.control_plane.audit_log.read_text().splitlines()
        # There are thousands, and reading them all as JSON takes seconds in the course of a run.
        likely = (line for line in lines if all(value in line for value in wanted.values()))
        events = [json.loads(line) for line in likely]
        return [event for event in events if _fields(event).items() >= wanted.items()]

    def metrics(self) -> str:
        """The text of the API server's /metrics."""
        return self.call("GET", "/metrics").raise_for_status().text

    def metric(self, name: str, labels: Mapping[str, str], text: str | None = None) -> float:
        """The sum of the API server's samples of a metric that have these labels; 0 where there is none.

        text: what metrics() gave, where several are wanted of one moment.
        """
        total = 0.0
        for line in re.findall(rf"^{name}\b.*$", self.metrics() if text is None else text, re.MULTILINE):
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                has = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                total += float(match[3]) if has.items() >= labels.items() else 0.0
        return total

    @property
    def _processes(self) -> list[Process]:
        return self.control_plane.processes


def node_object(name: str, platform: str, labels: Mapping[str, str], taints: Sequence[str]) -> dict[str, Any]:
    """A Node as a kubelet registers it."""
    os, architecture, version = _platform(platform)
    published = {"kubernetes.io/os": os, "kubernetes.io/arch": architecture, "kubernetes.io/hostname": name}
    if version:
        published["node.kubernetes.io/windows-build"] = ".".join(version.split(".")[:3])
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**published, **labels}},
        "spec": {"taints": [_taint(text) for text in taints]},
    }


def node_status(name: str, platform: str, runtime: str) -> dict[str, Any]:
    """A Node's status as a kubelet writes it."""
    os, architecture, version = _platform(platform)
    resources = {"cpu": "16", "memory": "64Gi", "pods": "500", "ephemeral-storage": "500Gi"}
    return {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [READY],
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {
            "operatingSystem": os,
            "architecture": architecture,
            "containerRuntimeVersion": runtime,
            "kernelVersion": version or "6.12.0",
            "osImage": "none",
            "kubeletVersion": "v1.37.2",
            "kubeProxyVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


def _platform(text: str) -> tuple[str, str, str]:
    name, _, version = text.partition(":")
    os, architecture = name.split("/")
    return os, architecture, version


def _taint(text: str) -> dict[str, str]:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "value": value, "effect": effect} if value else {"key": key, "effect": effect}


def _fields(event: Mapping[str, Any]) -> dict[str, str]:
    return {**event.get("objectRef", {}), "verb": event["verb"]}
