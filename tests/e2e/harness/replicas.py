"""Replicas of podgate behind a balancer, installed from manifests/ for this machine."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.harness.balancer import Balancer
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.podgate import MANIFESTS, NAME, Podgate, podgate_settings, wait_until_called
from tests.e2e.harness.processes import wait_until


def write_overlay(folder: Path, port: int, ca: bytes | None = None, components: Sequence[str] = ()) -> Path:
    """A folder for `kubectl apply -k`: manifests/ with components of its own, but the processes are outside of the
    cluster, at a port of this machine, and nothing passes without them (failurePolicy Fail). ca: the caBundle; None:
    podgate's own to write."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAME}}
    service["spec"] = {"$patch": "replace", "type": "ExternalName", "externalName": "localhost"}
    webhook: list[dict[str, Any]] = [
        {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
        {"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": port},
    ]
    if ca is not None:
        bundle = {"path": "/webhooks/0/clientConfig/caBundle", "value": base64.b64encode(ca).decode()}
        webhook.append({"op": "add", **bundle})
    kustomization = {
        "resources": [os.path.relpath(MANIFESTS, folder)],
        "components": [os.path.relpath(MANIFESTS / "components" / name, folder) for name in components],
        "replicas": [{"name": NAME, "count": 0}],
        "patches": [
            {"patch": json.dumps(service)},
            {"target": {"kind": "ValidatingWebhookConfiguration"}, "patch": json.dumps(webhook)},
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))  # JSON is YAML
    return folder


class Replicas:
    """Processes of podgate with the settings that are installed, in mode deny, behind the balancer."""

    def __init__(self, cluster: Cluster, folder: Path, balancer: Balancer, watch: Any) -> None:
        self.cluster = cluster
        self.running: list[Podgate] = []
        self.all: list[Podgate] = []
        self._folder = folder
        self._balancer = balancer
        watch(lambda: [process for each in self.all for process in each.processes])

    def launch(self, **certificate: str) -> Podgate:
        """One more, which need not be ready yet."""
        delivered = yaml.safe_load(self.cluster.get("configmap", NAME, "-n", NAME)["data"]["settings.yaml"])
        settings = {**delivered, **podgate_settings(), "certificate": {**delivered["certificate"], **certificate}}
        replica = Podgate(self.cluster, self._folder / f"replica-{len(self.all)}", settings)
        self.all.append(replica)
        self.running.append(replica)
        replica.launch()
        self._balancer.behind(self.running)
        return replica

    def start(self, **certificate: str) -> None:
        """Two, until both are ready and the API server has reached them."""
        for _ in range(2):
            self.launch(**certificate)
        self.wait_ready(60)
        wait_until_called(self.cluster)

    def wait_ready(self, seconds: float) -> None:
        wait_until("all replicas to be ready", lambda: len(self._balancer.ready) == len(self.running), seconds)

    def end(self, replica: Podgate) -> None:
        """SIGTERM for one, until it has ended by itself. It says first that it is not ready, and gets no further
        connections then."""
        (process,) = replica.processes
        replica.ask_to_end()
        wait_until("it to say that it is not ready", lambda: not replica.ready(), 30)
        assert process.running()
        self.running.remove(replica)
        wait_until("it to end by itself", lambda: not process.running(), 45)
        assert replica.stop() == 0

    def kill(self) -> None:
        for each in self.all:
            each.kill()

    def complaints(self) -> list[dict[str, Any]]:
        """What any of them has ever logged as wrong, but for what a test has done to it."""
        lines = [line for each in self.all for line in each.log_lines()]
        return [
            line for line in lines if line["level"] in ("warning", "error") and line["logger"] != "podgate.registry"
        ]
