"""A Kubernetes control plane on loopback: etcd, kube-apiserver, kube-scheduler, kube-controller-manager."""

import json
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.harness.certificates import Authority, KeyPair, signing_key
from tests.e2e.harness.components import Components
from tests.e2e.harness.processes import Process, bare_environment, free_port, stop_all, wait_until

READY_SECONDS = 120.0
"""Ready after 4 s on two idle cores; the rest is for a machine that builds or tests something else meanwhile."""

HOST = "127.0.0.1"
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    # What an admission webhook can see, with the annotations that it gave; not what watches and leases say.
    "rules": [
        {"level": "None", "userGroups": ["system:masters"], "nonResourceURLs": ["*"]},
        {"level": "None", "resources": [{"group": "coordination.k8s.io"}, {"group": "", "resources": ["events"]}]},
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]},
        {"level": "None"},
    ],
}


class ControlPlane:
    """Starts the four programs; `kubeconfigs` holds those of their users, among them `admin`.

    The processes are in `processes` in the order they were started. Whoever makes one must call stop().
    """

    def __init__(self, components: Components, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.authority = Authority(folder / "pki")
        self.server = f"https://{HOST}:{free_port()}"
        self.audit_log = folder / "audit.log"
        self.processes: list[Process] = []
        self._api_server: Process
        self._programs = components.programs
        self._environment = bare_environment(folder / "home")
        self._serving = self.authority.server("server", [HOST, "localhost", "kubernetes.default.svc"])
        self._admin = self.authority.client("admin", "podgate-e2e-admin", "system:masters")
        self.kubeconfigs = {
            "admin": self._kubeconfig_of("admin", self._admin),
            "scheduler": self._kubeconfig_of("scheduler", self.authority.client("scheduler", "system:kube-scheduler")),
            "controller-manager": self._kubeconfig_of(
                "controller-manager",
                self.authority.client("controller-manager", "system:kube-controller-manager"),
            ),
        }

    def start(self) -> None:
        """Returns when all four say that they are ready. On failure what was started is stopped again."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops all four, the last started first, and removes the data; the logs stay."""
        try:
            stop_all(reversed(self.processes))
        finally:
            shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def freeze_api_server(self) -> None:
        """It does not answer any more, and breaks no connection: as on a machine that has no more memory."""
        self._api_server.freeze()

    def kill_api_server(self) -> None:
        """It is gone, with all of its connections; etcd goes on."""
        self._api_server.kill()

    def restart_api_server(self) -> None:
        """Starts it again after kill_api_server, and returns when it is ready."""
        place = self.processes.index(self._api_server)
        self._api_server = self._run("kube-apiserver", *self._api_server_options)
        self.processes[place] = self.processes.pop()
        self._wait_for_api_server()

    def client(self) -> httpx.Client:
        """An HTTP client of the API server, as its administrator. Whoever takes it closes it.

        It waits as long as an API server goes on with a request by default: hundreds of pods are deleted by one.
        """
        context = ssl.create_default_context(cafile=str(self.authority.file))
        context.load_cert_chain(self._admin.certificate, self._admin.key)
        return httpx.Client(base_url=self.server, verify=context, trust_env=False, timeout=60.0)

    def kubeconfig(self, name: str, user: Mapping[str, Any]) -> Path:
        """Writes a kubeconfig for this API server, with the user's entry given."""
        path = self.folder / "kubeconfigs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        cluster = {"server": self.server, "certificate-authority": str(self.authority.file)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "e2e",
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
            "clusters": [{"name": "e2e", "cluster": cluster}],
            "users": [{"name": "e2e", "user": dict(user)}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=1))  # JSON is YAML
        return path

    def _kubeconfig_of(self, name: str, pair: KeyPair) -> Path:
        return self.kubeconfig(name, {"client-certificate": str(pair.certificate), "client-key": str(pair.key)})

    def _start(self) -> None:
        self._api_server_options = self._options_for_api_server(self._start_etcd())
        self._api_server = self._run("kube-apiserver", *self._api_server_options)
        self._wait_for_api_server()
        ports = {"scheduler": free_port(), "controller-manager": free_port()}
        signing = self.folder / "pki" / "service-accounts.key"
        self._run_component("kube-scheduler", self.kubeconfigs["scheduler"], ports["scheduler"], [])
        self._run_component(
            "kube-controller-manager",
            self.kubeconfigs["controller-manager"],
            ports["controller-manager"],
            [
                # Nodes without kubelets never renew their leases: these two would taint them, and evict their pods.
                "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={signing}",
                f"--root-ca-file={self.authority.file}",
            ],
        )
        with self.client() as client:
            for name, port in ports.items():
                self._wait(f"kube-{name}", client, f"https://{HOST}:{port}/healthz")
            default = "/api/v1/namespaces/default/serviceaccounts/default"
            self._wait("the service account controller", client, default)
        assert self._api_server.running()

    def _start_etcd(self) -> str:
        client, peer = (f"http://{HOST}:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            "--name=e2e",
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",  # nothing here outlives the machine
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=e2e={peer}",
            "--log-level=warn",
        )
        with httpx.Client(trust_env=False) as http:
            self._wait("etcd", http, f"{client}/health")
        return client

    def _options_for_api_server(self, etcd: str) -> list[str]:
        private, public = signing_key(self.folder / "pki", "service-accounts")
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(_AUDIT_POLICY))
        return [
            f"--etcd-servers={etcd}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={self.server.rpartition(':')[2]}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            f"--client-ca-file={self.authority.file}",
            "--authorization-mode=Node,RBAC",
            # It taints new nodes not-ready until the node-lifecycle-controller, which is off, takes that away.
            "--disable-admission-plugins=TaintNodesByCondition",
            f"--service-account-signing-key-file={private}",
            f"--service-account-key-file={public}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/24",
            # The endpoints of the service `kubernetes` may not be loopback addresses; nobody here asks for them.
            "--endpoint-reconciler-type=none",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
        ]

    def _wait_for_api_server(self) -> None:
        with self.client() as client:
            self._wait("kube-apiserver", client, "/readyz")

    def _run_component(self, program: str, kubeconfig: Path, port: int, options: list[str]) -> None:
        self._run(
            program,
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",  # there is one
            "--kube-api-qps=500",  # the default of 20 made the controllers' start wait for 4 s
            "--kube-api-burst=500",
            f"--bind-address={HOST}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            *options,
        )

    def _run(self, program: str, *options: str) -> Process:
        process = Process(program, [self._programs[program], *options], self.folder / "logs", self._environment)
        self.processes.append(process)
        return process

    def _wait(self, what: str, client: httpx.Client, url: str) -> None:
        def answered() -> bool:
            try:
                return client.get(url).is_success
            except httpx.TransportError as error:
                raise OSError(str(error)) from error

        wait_until(f"{what} to be ready", answered, READY_SECONDS, self.processes)
