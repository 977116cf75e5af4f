"""Where the API server is found, who asks, and what the faults are called."""

import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.apiserver import ApiServer, Fault, api_server, node
from tests.support.certificates import make_ca
from webhook.cluster.connection import Connection, connect, open_connection
from webhook.cluster.credentials import service_account_loader
from webhook.core.errors import ClusterUnavailable

NO_NODES = {"apiVersion": "v1", "kind": "NodeList", "metadata": {"resourceVersion": "1"}, "items": []}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        running.put("nodes", node("a"))
        running.token = "right"
        yield running


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig and no cluster of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(path: Path, url: str, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> str:
    """Write a kubeconfig with the contexts `one` (current) and `two`, which has no user."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": url} | (cluster or {})}],
        "users": [{"name": "u", "user": user or {"token": "right"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c"}},
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


async def asked(connection: Connection) -> list[str]:
    """The names of the nodes, through a connection that is closed then."""
    try:
        answer = await connection.get("/api/v1/nodes", "NodeList")
        return [item["metadata"]["name"] for item in answer["items"]]
    finally:
        await connection.close()


async def refusal(path: str | None = None, context: str | None = None) -> ClusterUnavailable:
    with pytest.raises(ClusterUnavailable) as caught:
        await asked(await connect(path, context))
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("how", ["given", "environment", "home"])
async def test_a_kubeconfig_is_found(
    server: ApiServer, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "home/.kube/config" if how == "home" else tmp_path / "config"
    kubeconfig(path, server.url)
    if how == "environment":
        monkeypatch.setenv("KUBECONFIG", f"/none:{path}")
    assert await asked(await connect(str(path) if how == "given" else None)) == ["a"]


async def test_several_files_are_merged(server: ApiServer, tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", server.url)
    two = tmp_path / "two"
    two.write_text("contexts: [{name: three, context: {cluster: c, user: u}}]\nclusters: []\nusers: null\n")
    assert await asked(await connect(f"{one}:{two}", "three")) == ["a"]


async def test_a_context_without_a_user_is_anonymous(server: ApiServer, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", server.url)
    server.token = ""
    assert await asked(await connect(path, "two")) == ["a"]


async def test_a_token_file(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right")
    assert await asked(await connect(kubeconfig(tmp_path / "config", server.url, {"tokenFile": "token"}))) == ["a"]


def plugin(tmp_path: Path, body: str) -> dict[str, Any]:
    """A credential plugin of kubeconfig: a program that prints an ExecCredential."""
    script = tmp_path / "plugin.py"
    script.write_text(body)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}}


CREDENTIAL = """
import json, pathlib
token = pathlib.Path(__file__).with_name("token").read_text()
credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
print(json.dumps(credential))
"""


async def test_a_plugin_is_asked_again_when_its_token_has_expired(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right")
    connection = await connect(kubeconfig(tmp_path / "config", server.url, plugin(tmp_path, CREDENTIAL)))
    await connection.get("/api/v1/nodes", "NodeList")
    server.token = "newer"
    (tmp_path / "token").write_text("newer")
    assert await asked(connection) == ["a"]


async def test_a_plugin_that_fails_is_named(server: ApiServer, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", server.url, plugin(tmp_path, "raise SystemExit(1)"))
    assert "the credential plugin" in str(await refusal(path))


async def test_in_a_pod_the_service_account_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token's file is read again when the server refuses the token."""
    async with tls_server(tmp_path) as (port, tokens):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "localhost")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        (tmp_path / "token").write_text("first")
        loader = service_account_loader(str(tmp_path / "token"), str(tmp_path / "ca.pem"))
        connection = await open_connection(loader)
        assert await connection.get("/api/v1/nodes", "NodeList") == NO_NODES
        tokens[:] = ["second"]
        (tmp_path / "token").write_text("second")
        assert await connection.get("/api/v1/nodes", "NodeList") == NO_NODES
        await connection.close()


async def test_in_a_pod_without_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "localhost")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(ClusterUnavailable, match="Service token file does not exist"):
        await open_connection(service_account_loader(str(tmp_path / "none")))


async def test_client_certificates_and_trust(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (port, _):
        data = {"certificate-authority-data": base64.b64encode((tmp_path / "ca.pem").read_bytes()).decode()}
        client = {"client-certificate": "cert.pem", "client-key": "key.pem"}
        url = f"https://localhost:{port}"
        connection = await connect(kubeconfig(tmp_path / "config", url, client, data))
        assert await connection.get("/api/v1/nodes", "NodeList") == NO_NODES
        await connection.close()
        untrusted = await refusal(kubeconfig(tmp_path / "config", url))
        assert str(untrusted).startswith(f"{url}: no trust in its certificate, or no TLS: ")
        assert "Cannot connect" not in str(untrusted)
        assert "Error" not in str(untrusted)
        unverified = kubeconfig(tmp_path / "config", url, {"token": "first"}, {"insecure-skip-tls-verify": True})
        assert await asked(await connect(unverified)) == []
        anonymous = kubeconfig(tmp_path / "config", url, cluster=data)
        assert (await refusal(anonymous, "two")).status == 401


async def test_no_configuration_at_all() -> None:
    assert "no kubeconfig: " in str(await refusal())


async def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert str(await refusal(missing)) == f"no kubeconfig: {missing} does not exist"


async def test_an_unknown_context_names_the_known_ones(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://localhost:1")
    assert str(await refusal(path, "three")) == f"{path} has no context 'three'; it has: one, two"


def only_cluster(fields: str) -> str:
    """A kubeconfig of one context without a user."""
    return f"""
clusters: [{{name: c, cluster: {{{fields}}}}}]
contexts: [{{name: one, context: {{cluster: c}}}}]
current-context: one
"""


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "text", "a: [", "\x00", "{}"),
        "{clusters: [], users: [], contexts: [], current-context: x}",
        "{contexts: [{name: one, context: {cluster: gone}}], current-context: one}",
        "{contexts: [{name: one}], current-context: one}",
        "{contexts: [7], current-context: one}",
        "{contexts: {}, current-context: one}",
        only_cluster("server: 7"),
        only_cluster("server: nonsense"),
        only_cluster("server: 'https://x', certificate-authority: gone"),
        only_cluster("server: 'https://x', certificate-authority-data: '?'"),
        only_cluster("server: 'https://x', certificate-authority-data: aGk="),
    ],
)
async def test_a_kubeconfig_without_its_form(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    assert (await refusal(str(path))).status is None


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async with api_server() as gone:
        url = gone.url
    problem = str(await refusal(kubeconfig(tmp_path / "config", url)))
    assert problem.startswith(f"{url}: cannot be reached: ")


async def test_expired_credentials(server: ApiServer, tmp_path: Path) -> None:
    error = await refusal(kubeconfig(tmp_path / "config", server.url, {"token": "expired"}))
    assert error.status == 401
    assert str(error) == f"{server.url} does not accept the credentials (401); they may have expired: log in again"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault(403, "nodes is forbidden"), " answers 403: nodes is forbidden"),
        (Fault(500, "etcd\nis away"), " answers 500: etcd is away"),
        (Fault(0), ": the connection broke"),
        (Fault(200, text="<html>Log in</html>"), " answers /api/v1/nodes with something that is no list"),
        (Fault(200, text='{"kind": "Status"}'), " answers /api/v1/nodes with something that is no list"),
    ],
)
async def test_faults_have_one_line(server: ApiServer, tmp_path: Path, fault: Fault, problem: str) -> None:
    # aiohttp asks a second time where a kept connection breaks, as HTTP allows for GET.
    server.fail("list nodes", fault, fault)
    assert str(await refusal(kubeconfig(tmp_path / "config", server.url))) == f"{server.url}{problem}"


async def test_a_slow_server_is_given_up(server: ApiServer, tmp_path: Path) -> None:
    server.gate.clear()
    connection = await connect(kubeconfig(tmp_path / "config", server.url))
    with pytest.raises(ClusterUnavailable, match="no answer in time"):
        await connection.get("/api/v1/nodes", "NodeList", seconds=0.05)
    await connection.close()


@asynccontextmanager
async def tls_server(folder: Path) -> AsyncIterator[tuple[int, list[str]]]:
    """An HTTPS server that takes a token, or a certificate of its CA; gives its port and the tokens that it takes."""
    make_ca(folder)
    tokens = ["first"]

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        token = request.headers.get("Authorization", "").lower().removeprefix("bearer ")
        known = token in tokens or request.transport.get_extra_info("peercert")
        return web.json_response(NO_NODES, status=200 if known else 401)

    app = web.Application()
    app.router.add_get("/api/v1/nodes", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    # The certificates lack a key identifier, as those of many clusters do. Python 3.13 minds; podgate must not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1], tokens
    finally:
        await runner.cleanup()
