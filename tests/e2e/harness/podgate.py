"""podgate in the cluster of the tests: its manifests applied, the process beside it, and the way between the two."""

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.controlplane import HOST
from tests.e2e.harness.processes import Process, bare_environment, free_port, wait_until
from tests.e2e.harness.registry import Registry
from tests.support.volume import Files

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = ROOT / "manifests"
NAME = "podgate"
"""The name of podgate's namespace, Service, ServiceAccount and webhook configuration in manifests/."""

READY_SECONDS = 60.0
_DRY_RUN = "/api/v1/namespaces/default/pods?dryRun=All"


@dataclass(frozen=True)
class Names:
    """What the applied manifests call things."""

    namespace: str = NAME
    service: str = NAME
    service_account: str = NAME
    configuration: str = NAME


NAMES = Names()


def install(cluster: Cluster, manifests: Path = MANIFESTS) -> str:
    """`kubectl apply -k`, as a user would; its standard output. Nothing is changed on the way."""
    return cluster.must("apply", "-k", manifests)


def point_at(cluster: Cluster, port: int, ca: bytes | None, names: Names = NAMES) -> None:
    """Sends the webhook's calls to a port of this machine.

    The Service becomes a name for localhost, and in the ValidatingWebhookConfiguration nothing changes but the port and
    the CA (None: not that either). The API server still calls the service by name, so the certificate must be for
    NAME.NAMESPACE.svc.
    """
    lead_here(cluster, names)
    configuration = cluster.get("validatingwebhookconfiguration", names.configuration)
    operations: list[dict[str, Any]] = []
    for number, webhook in enumerate(configuration["webhooks"]):
        service = webhook["clientConfig"]["service"]
        if (service["namespace"], service["name"]) != (names.namespace, names.service):
            raise AssertionError(f"webhook {webhook['name']} calls {service}, not the service of {names}")
        path = f"/webhooks/{number}/clientConfig"
        operations.append({"op": "add", "path": f"{path}/service/port", "value": port})
        if ca is not None:
            operations.append({"op": "add", "path": f"{path}/caBundle", "value": base64.b64encode(ca).decode()})
    patch = json.dumps(operations)
    cluster.must("patch", "validatingwebhookconfiguration", names.configuration, "--type=json", "-p", patch)


def lead_here(cluster: Cluster, names: Names = NAMES) -> None:
    """Makes the Service a name for localhost. The ports are then those that a caller names."""
    # The fields that a Service of type ExternalName may not have are taken away with the type.
    spec = {"type": "ExternalName", "externalName": "localhost", "clusterIP": None, "clusterIPs": None,
            "ipFamilies": None, "ipFamilyPolicy": None, "internalTrafficPolicy": None}  # fmt: skip
    words = ("service", names.service, "-n", names.namespace)
    cluster.must("patch", *words, "--type=merge", "-p", json.dumps({"spec": spec}))


def wait_until_called(cluster: Cluster, names: Names = NAMES, seconds: float = READY_SECONDS) -> None:
    """Waits until the API server, which sees a changed configuration only after a moment, gets answers from podgate."""
    configuration = cluster.get("validatingwebhookconfiguration", names.configuration)
    webhooks = [webhook["name"] for webhook in configuration["webhooks"]]
    probe = pod("podgate-e2e-probe", f"{HOST}:1/none:none")

    def answered() -> bool:
        before = _answers(cluster, webhooks)
        # Whatever podgate says of an image that is nowhere: what counts is that it was asked.
        cluster.call("POST", _DRY_RUN, probe)
        return _answers(cluster, webhooks) > before

    wait_until("the API server to reach podgate", answered, seconds, cluster.control_plane.processes)


def wait_for_node(cluster: Cluster, name: str, *, known: bool = True) -> None:
    """Waits until podgate, in mode deny, knows a node, or knows it no more: its watch tells it after a moment."""
    # An image that fails on every node there is; a pod without any node is no reason to deny.
    tolerated = [{"operator": "Exists"}]
    probe = pod("podgate-e2e-node", "Not/Valid", nodeSelector={"kubernetes.io/hostname": name}, tolerations=tolerated)

    def denied() -> bool:
        answer = cluster.call("POST", _DRY_RUN, probe)
        return (answer.status_code == 403 and name in answer.json()["message"]) == known

    wait_until(f"podgate to {'know' if known else 'forget'} node {name}", denied, 30.0)


def _answers(cluster: Cluster, webhooks: list[str]) -> float:
    """The calls that podgate answered, whatever the verdict: all calls but those that failed, open or closed."""
    prefix = "apiserver_admission_webhook"
    total, text = 0.0, cluster.metrics()
    for name in webhooks:
        total += cluster.metric(f"{prefix}_request_total", {"name": name}, text)
        total -= cluster.metric(f"{prefix}_fail_open_count", {"name": name}, text)
        failed = {"name": name, "error_type": "calling_webhook_error"}
        total -= cluster.metric(f"{prefix}_rejection_count", failed, text)
    return total


def podgate_settings(hosts: Path | None = None, lent: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Settings for tests: mode deny, registries on loopback allowed, nothing that changes remembered for long.

    hosts: containerd's directory of hosts.toml files. lent: an entry of registries.credentials.
    """
    registries: dict[str, Any] = {"allowedAddresses": ["127.0.0.0/8"]}
    if hosts is not None:
        registries["hostsDir"] = str(hosts)
    if lent is not None:
        registries["credentials"] = [lent]
    return {"mode": "deny", "registries": registries, "cache": {"tagTTL": "1s", "negativeTTL": "500ms"}, **more}


def write_hosts(root: Path, domain: str, *registries: Registry) -> None:
    """Makes a directory of hosts.toml files say that a registry's name stands for these, in that order."""
    folder = root / domain
    folder.mkdir(parents=True)
    lines = [f'[host."{one.scheme}://{one.host}"]\ncapabilities = ["pull", "resolve"]\n' for one in registries]
    (folder / "hosts.toml").write_text("".join(lines))


class Podgate:
    """`podgate serve` as a process of this machine, in the cluster only by its ServiceAccount's token.

    settings: laid over those that every test needs (ports, certificate). Loopback registries are not allowed unless the
    settings say so.
    """

    def __init__(self, cluster: Cluster, folder: Path, settings: Mapping[str, Any], names: Names = NAMES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.metrics_port = free_port(), free_port()
        self.ca = cluster.control_plane.authority.file.read_bytes()
        self.folder = folder
        self._host = f"{names.service}.{names.namespace}.svc"
        certificates = folder / "tls"
        self._certificates = Files(certificates, self._pair(cluster.control_plane.authority))
        server = {"address": HOST, "port": self.port, "metricsPort": self.metrics_port,
                  "certificateDir": str(certificates)}  # fmt: skip
        self.settings: Mapping[str, Any] = {**settings, "server": server}
        self._settings = folder / "settings" / "settings.yaml"
        self._settings_files = Files(self._settings.parent, _as_file(self.settings))
        kubeconfig = cluster.service_account_kubeconfig(names.namespace, names.service_account)
        self._environment = bare_environment(folder / "home", KUBECONFIG=str(kubeconfig), PYTHONUNBUFFERED="1",
                                             POD_NAMESPACE=names.namespace,
                                             PYTHONPATH=os.environ.get("PYTHONPATH", str(ROOT)))  # fmt: skip
        self._process: Process | None = None

    def show_settings(self, settings: Mapping[str, Any]) -> None:
        """Turns its ConfigMap's volume to other settings, which are whole this time; it sees them after a moment."""
        self._settings_files.turn(_as_file(settings))
        self.settings = settings

    def show_certificate(self, authority: Authority) -> None:
        """Turns its Secret's volume to a new certificate, of this authority; it sees it after a moment."""
        self._certificates.turn(self._pair(authority))

    def show_no_pair(self, authority: Authority) -> None:
        """Turns its Secret's volume to a certificate with the key of another."""
        self._certificates.turn({**self._pair(authority), "tls.key": self._pair(authority)["tls.key"]})

    def _pair(self, authority: Authority) -> dict[str, bytes]:
        pair = authority.server("tls", [self._host], self.folder / "issued")
        return {file.name: file.read_bytes() for file in (pair.certificate, pair.key)}

    def launch(self) -> None:
        """Begins to run it, ready or not."""
        command = [sys.executable, "-m", "webhook", "serve", "--config", str(self._settings)]
        self._process = Process("podgate", command, self.folder, self._environment)

    def start(self) -> None:
        """Returns when /readyz says so."""
        self.launch()
        assert self._process is not None
        try:
            wait_until("podgate to be ready", self._ready, READY_SECONDS, [self._process])
        except BaseException:
            self.stop()
            raise

    def stop(self, seconds: float = 30.0) -> int:
        """Ends it as a kubelet would; its exit code. It serves on for 10 s after the signal, and drains."""
        return self._process.stop(seconds) if self._process is not None else 0

    def ask_to_end(self) -> None:
        """Sends SIGTERM, and does not wait."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self._process is not None:
            self._process.kill()

    def check(self, *arguments: str | Path, stdin: Any) -> tuple[int, Any, str]:
        """Runs `podgate check` with this podgate's settings and rights; its exit code, JSON document and complaints."""
        return self.run_json("check", "-f", "-", *arguments, stdin=stdin)

    def run_json(
        self, command: str, *arguments: str | Path, stdin: Any = None, **environment: str
    ) -> tuple[int, Any, str]:
        """Runs a command of podgate's with this podgate's settings and rights, and `environment` beside its own; its
        exit code, JSON document and complaints."""
        done = subprocess.run(
            [sys.executable, "-m", "webhook", command, "--config", str(self._settings), "-o", "json",
             *map(str, arguments)],
            input=json.dumps(stdin), capture_output=True, text=True, env={**self._environment, **environment},
            cwd=self.folder, timeout=READY_SECONDS, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout), done.stderr

    def ask(self, obj: Mapping[str, Any], namespace: str) -> Any:
        """Sends it the review of an object that is created, past the API server; the response."""
        group, _, version = obj["apiVersion"].rpartition("/")
        resource = {"group": group, "version": version, "resource": f"{obj['kind'].lower()}s"}
        request = {"uid": "apart", "operation": "CREATE", "resource": resource, "namespace": namespace,
                   "name": obj["metadata"]["name"], "userInfo": {"username": "e2e"}, "object": obj}  # fmt: skip
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        trust = ssl.create_default_context(cadata=self.ca.decode())
        with httpx.Client(verify=trust, trust_env=False, timeout=30.0) as client:
            sent = client.post(
                f"https://{HOST}:{self.port}/validate?timeout=10s", json=review, extensions={"sni_hostname": self._host}
            )
        return sent.raise_for_status().json()["response"]

    @property
    def processes(self) -> list[Process]:
        """Its process, once started."""
        return [self._process] if self._process is not None else []

    def log_lines(self) -> list[dict[str, Any]]:
        """What it has logged: JSON lines. A line that is none is an error of podgate's."""
        assert self._process is not None
        return [json.loads(line) for line in self._process.log.read_text().splitlines()]

    def metrics(self) -> str:
        """The text of its /metrics."""
        return httpx.get(f"http://{HOST}:{self.metrics_port}/metrics", trust_env=False).raise_for_status().text

    def decisions(self, **labels: str) -> int:
        """How many decisions it has counted that have these labels (decision, reason, kind, mode)."""
        total = 0.0
        for found, number in re.findall(r"^podgate_decisions_total\{(.*)\} (\S+)$", self.metrics(), re.MULTILINE):
            if dict(re.findall(r'(\w+)="([^"]*)"', found)).items() >= labels.items():
                total += float(number)
        return int(total)

    def decided(self, namespace: str, name: str | None = None) -> list[dict[str, Any]]:
        """Its log's lines about decisions on the objects of a namespace, or on one of them."""
        return [
            line
            for line in self.log_lines()
            if line["logger"] == "podgate.decisions"
            and line["namespace"] == namespace
            and name in (None, line["object"])
        ]

    def ready(self) -> bool:
        """What /readyz says; false where nobody listens."""
        try:
            return self._ready()
        except OSError:
            return False

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://{HOST}:{self.metrics_port}/readyz", trust_env=False).is_success
        except httpx.TransportError as error:
            raise OSError(str(error)) from error


def _as_file(settings: Mapping[str, Any]) -> dict[str, bytes]:
    return {"settings.yaml": json.dumps(settings, indent=1).encode()}  # JSON is YAML


def pod(name: str, image: str, **spec: Any) -> dict[str, Any]:
    """A Pod with one container, `app`; `spec` has further fields of its spec."""
    container = {"name": "app", "image": image}
    body = {"containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}
