"""The way from the API server to a webhook on this machine, with a webhook of a few lines at its end."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.controlplane import HOST
from tests.e2e.harness.podgate import Names, install, pod, point_at, wait_until_called
from tests.e2e.harness.processes import ProcessFailed

NAMES = Names(namespace="way", service="hook", service_account="hook", configuration="way")
SERVER_NAME = "hook.way.svc"


class Webhook(ThreadingHTTPServer):
    """Warns about every pod, denies those that are called `denied`, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.seen: list[tuple[str, str, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        assert isinstance(self.server, Webhook)
        self.server.seen.append((self.headers["Host"], self.path, request))
        response = {
            "uid": request["uid"],
            "allowed": request["name"] != "denied",
            "status": {"code": 403, "message": "not this one"},
            "warnings": ["seen"],
            "auditAnnotations": {"decision": "made"},
        }
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass


@contextmanager
def serving(cluster: Cluster, folder: Path, name: str) -> Iterator[Webhook]:
    """The webhook, with a certificate for a name."""
    pair = cluster.control_plane.authority.server("tls", [name], folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with Webhook() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Manifests of the same shape as podgate's, applied with `kubectl apply -k`."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    webhook = {
        "name": "pods.way.example",
        "clientConfig": {"service": {"namespace": "way", "name": "hook", "path": "/validate"}},
        "rules": [rule],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 7,
    }
    service = {"selector": {"app": "hook"}, "ports": [{"port": 443, "targetPort": 8443}]}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "way"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook", "namespace": "way"}, "spec": service},
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "way"},
            "webhooks": [webhook],
        },
    ]
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "all.yaml").write_text("\n---\n".join(json.dumps(one) for one in objects))
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": ["all.yaml"]}))
    said = install(cluster, folder)
    assert "validatingwebhookconfiguration.admissionregistration.k8s.io/way created" in said
    yield
    cluster.must("delete", "-k", folder, "--wait=false")


def test_the_server_calls_the_service_by_name_and_kubectl_shows_what_it_was_told(cluster, installed, tmp_path):
    with serving(cluster, tmp_path / "tls", SERVER_NAME) as webhook, cluster.namespace("called") as namespace:
        point_at(cluster, webhook.server_port, cluster.control_plane.authority.file.read_bytes(), NAMES)
        wait_until_called(cluster, NAMES)
        admitted = cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=pod("admitted", "none.example/none"))
        assert (admitted.code, admitted.stdout) == (0, "pod/admitted created\n")
        assert "Warning: seen" in admitted.stderr.splitlines()
        denied = cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=pod("denied", "none.example/none"))
        assert denied.code == 1
        assert 'admission webhook "pods.way.example" denied the request: not this one' in denied.stderr
        host, path, request = webhook.seen[-1]
        assert host == f"{SERVER_NAME}:{webhook.server_port}"
        assert path == "/validate?timeout=7s"
        assert request["object"]["metadata"]["name"] == "denied"
        event = cluster.audit_events(resource="pods", namespace=namespace, name="admitted", verb="create")[-1]
        assert event["annotations"]["pods.way.example/decision"] == "made"
    applied = cluster.get("validatingwebhookconfiguration", "way")["webhooks"][0]
    assert (applied["failurePolicy"], applied["timeoutSeconds"]) == ("Ignore", 7)


def test_a_certificate_for_another_name_is_not_taken(cluster, installed, tmp_path):
    with serving(cluster, tmp_path / "tls", "localhost") as webhook:
        point_at(cluster, webhook.server_port, cluster.control_plane.authority.file.read_bytes(), NAMES)
        with pytest.raises(ProcessFailed, match="waited 3 s for the API server to reach podgate"):
            wait_until_called(cluster, NAMES, seconds=3)
        assert webhook.seen == []
