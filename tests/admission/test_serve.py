"""`podgate serve` as a process: real HTTPS, real signals, exit codes."""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.apiserver import ApiServer, api_server, node
from tests.support.serving import RECORDED, answered, uid_of, write_pair

NODES = {"apiVersion": "v1", "kind": "List", "items": [node("amd-1"), node("arm-1", "arm64")]}


class Process:
    """A `podgate serve` and what it has written to standard error."""

    def __init__(self, process: asyncio.subprocess.Process, trust: ssl.SSLContext) -> None:
        self.process = process
        self.trust = trust
        self.lines: list[str] = []
        self._grown = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode())
            self._grown.set()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    async def said(self, text: str) -> dict[str, Any]:
        """The first line of the log whose message holds a text."""
        async with asyncio.timeout(30):
            while True:
                for line in self.log:
                    if text in line["message"]:
                        return line
                assert not self._reading.done(), self.lines
                self._grown.clear()
                await self._grown.wait()

    async def port(self) -> int:
        return int((await self.said("listening on port"))["port"])

    async def health(self, path: str) -> tuple[int, str]:
        port = (await self.said("health and metrics on port"))["port"]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, await response.text()

    async def ready(self) -> None:
        async with asyncio.timeout(30):
            while (await self.health("/readyz"))[0] != 200:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.02)

    async def exit_code(self) -> int:
        async with asyncio.timeout(30):
            code = await self.process.wait()
            await self._reading
            return code


@asynccontextmanager
async def serve(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Runs it with a certificate, on free ports of loopback, in an environment without a cluster."""
    tls = folder / "tls"
    if not tls.exists():
        tls.mkdir()
        (folder / "ca.crt").write_bytes(write_pair(tls).authority)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "webhook",
        "serve",
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PODGATE_SERVER_ADDRESS": "127.0.0.1",
            "PODGATE_SERVER_PORT": "0",
            "PODGATE_SERVER_METRICS_PORT": "0",
            "PODGATE_SERVER_CERTIFICATE_DIR": str(tls),
            "PODGATE_SERVER_SHUTDOWN_DELAY": "0s",
            "PYTHONWARNINGS": "error",
            **environment,
        },
    )
    ran = Process(process, ssl.create_default_context(cafile=str(folder / "ca.crt")))
    try:
        yield ran
    finally:
        if process.returncode is None:
            process.kill()
        await ran.exit_code()


@pytest.fixture
def nodes(tmp_path: Path) -> str:
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps(NODES))
    return str(path)


def kubeconfig(folder: Path, url: str) -> str:
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "the-secret-token"}}],
    }
    path.write_text(json.dumps(document))  # JSON is YAML
    return str(path)


# With a file of nodes.


async def test_recorded_reviews_against_a_file_of_nodes_until_sigterm(tmp_path: Path, nodes: str):
    async with serve(tmp_path, "--nodes", nodes) as podgate:
        port = await podgate.port()
        await podgate.ready()
        for recorded in RECORDED.values():
            response = await answered(port, podgate.trust, json.dumps(recorded).encode(), "?timeout=10s")
            assert response["uid"] == uid_of(recorded)
            assert response["auditAnnotations"]["reason"] != "error"
        assert (await podgate.health("/livez")) == (200, "ok\n")
        status, metrics = await podgate.health("/metrics")
        assert status == 200
        assert 'podgate_nodes{platform="linux/arm64",runtime="containerd://2.1.4"} 1.0' in metrics
        assert "podgate_internal_errors_total 0.0" in metrics
        podgate.process.send_signal(signal.SIGTERM)
        assert await podgate.exit_code() == 0
    decided = [line for line in podgate.log if line["logger"] == "podgate.decisions"]
    assert {line["uid"] for line in decided} <= {uid_of(each) for each in RECORDED.values()}
    assert len(decided) == len({line["uid"] for line in decided}) == len(RECORDED) - 3  # two bindings and a DELETE


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's descriptors of processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_any_number_of_signals_ends_it_with_0(tmp_path: Path, nodes: str, number: signal.Signals):
    async with serve(tmp_path, "--nodes", nodes) as podgate:
        await podgate.port()
        sending = asyncio.create_task(_send_until_gone(podgate.process.pid, number))
        assert await podgate.exit_code() == 0
        await sending


async def _send_until_gone(pid: int, number: signal.Signals) -> None:
    """By a descriptor of the process, which is good after its end too; asyncio's own send_signal would reap it."""
    process = os.pidfd_open(pid)
    try:
        while True:
            signal.pidfd_send_signal(process, number)
            await asyncio.sleep(0.001)
    except ProcessLookupError:
        return
    finally:
        os.close(process)


async def test_readiness_fails_first_and_reviews_are_served_on(tmp_path: Path, nodes: str):
    async with serve(tmp_path, "--nodes", nodes, PODGATE_SERVER_SHUTDOWN_DELAY="5m") as podgate:
        port = await podgate.port()
        await podgate.ready()
        podgate.process.send_signal(signal.SIGTERM)
        await podgate.said("not ready any more")
        status, text = await podgate.health("/readyz")
        assert (status, "[-]not-stopping" in text) == (503, True)
        assert (await podgate.health("/livez"))[0] == 200
        body = json.dumps(RECORDED["DELETE-Pod"]).encode()
        assert (await answered(port, podgate.trust, body))["allowed"] is True
        podgate.process.send_signal(signal.SIGINT)
        assert await podgate.exit_code() == 0


async def test_neither_kopf_nor_the_kubernetes_client_is_loaded_with_a_file_of_nodes(tmp_path: Path, nodes: str):
    program = (
        "import sys, threading\n"
        "from webhook import cli\n"
        "sys.argv = ['podgate', 'serve', '--nodes', sys.argv[1]]\n"
        "try:\n"
        "    cli.main()\n"
        "finally:\n"
        "    print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    tls = tmp_path / "tls"
    tls.mkdir()
    write_pair(tls)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        nodes,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "PODGATE_SERVER_ADDRESS": "127.0.0.1",
            "PODGATE_SERVER_PORT": "0",
            "PODGATE_SERVER_METRICS_PORT": "0",
            "PODGATE_SERVER_CERTIFICATE_DIR": str(tls),
        },
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        async for line in process.stderr:
            if b'"listening on port' in line:
                process.send_signal(signal.SIGINT)
                break
        output, _ = await process.communicate()
    loaded = set(output.decode().split())
    assert {"webhook", "aiohttp", "prometheus_client"} <= loaded
    assert not loaded & {"kopf", "kubernetes", "opentelemetry"}


# What it cannot start with: one line, and exit code 2.


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PODGATE_SERVER_CERTIFICATE_DIR": "/nowhere"}, "podgate: /nowhere/tls.crt: No such file or directory"),
        ({"PODGATE_MODE": "maybe"}, "PODGATE_MODE"),
        ({"PODGATE_SERVER_ADDRESS": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
    ],
)
async def test_what_it_cannot_start_with(tmp_path: Path, nodes: str, environment: dict[str, str], words: str):
    async with serve(tmp_path, "--nodes", nodes, PODGATE_LOG_LEVEL="error", **environment) as podgate:
        assert await podgate.exit_code() == 2
        [line] = podgate.lines
        assert words in line


async def test_a_port_that_is_taken(tmp_path: Path, nodes: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with serve(tmp_path, "--nodes", nodes, PODGATE_LOG_LEVEL="error", PODGATE_SERVER_PORT=port) as podgate:
            assert await podgate.exit_code() == 2
            [line] = podgate.lines
            assert line.startswith(f"podgate: server.port: cannot listen on 127.0.0.1:{port}")


async def test_no_cluster_and_no_file(tmp_path: Path):
    async with serve(tmp_path, PODGATE_LOG_LEVEL="error") as podgate:
        assert await podgate.exit_code() == 2
        [line] = podgate.lines
        assert line.startswith("podgate: no kubeconfig")


# With a cluster.


async def test_reviews_in_a_cluster_until_sigterm(tmp_path: Path):
    async with api_server() as api:
        api.token = "the-secret-token"
        api.put("nodes", node("amd-1"))
        api.put("namespaces", {"metadata": {"name": "default"}})
        async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url)) as podgate:
            port = await podgate.port()
            await podgate.ready()
            for name in ("CREATE-Pod", "UPDATE-Deployment", "DELETE-Pod"):
                body = json.dumps(RECORDED[name]).encode()
                response = await answered(port, podgate.trust, body, "?timeout=10s")
                assert response["uid"] == uid_of(RECORDED[name])
                assert response["auditAnnotations"]["reason"] != "error"
            podgate.process.send_signal(signal.SIGTERM)
            assert await podgate.exit_code() == 0
    asked = {request.partition(" ")[0] for request in api.requests}
    assert asked <= {"discover", "list", "watch", "get", "create"}
    assert {request.split()[1] for request in api.requests if request.startswith("create")} <= {"events"}
    assert {request for request in api.requests if request.startswith("list")} == {"list nodes", "list namespaces"}
    assert "the-secret-token" not in "".join(podgate.lines)
    assert not [line for line in podgate.log if line["level"] in ("error", "critical")]


async def test_an_api_server_that_cannot_be_reached_is_waited_for(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, f"http://127.0.0.1:{port}")) as podgate:
        await podgate.said("Cannot watch nodes")
        await podgate.said("will retry")
        assert (await podgate.health("/livez"))[0] == 200
        status, text = await podgate.health("/readyz")
        assert status == 503
        assert "[-]nodes-listed" in text
        assert "[-]serving" in text
        api = ApiServer()
        api.put("nodes", node("amd-1"))
        async with api_server(port, api):
            await podgate.ready()
            body = json.dumps(RECORDED["CREATE-Pod"]).encode()
            response = await answered(await podgate.port(), podgate.trust, body, "?timeout=10s")
            assert response["uid"] == uid_of(RECORDED["CREATE-Pod"])
            podgate.process.send_signal(signal.SIGTERM)
            assert await podgate.exit_code() == 0
    assert "Traceback" not in "".join(podgate.lines)


async def test_sigterm_while_the_api_server_cannot_be_reached(tmp_path: Path):
    url = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
    environment = {"KUBECONFIG": kubeconfig(tmp_path, url), "PODGATE_SERVER_SHUTDOWN_DELAY": "5m"}
    async with serve(tmp_path, **environment) as podgate:
        await podgate.said("will retry")
        podgate.process.send_signal(signal.SIGTERM)
        assert await podgate.exit_code() == 0


async def test_discovery_that_hangs_keeps_readiness_down_though_nodes_are_listed(tmp_path: Path):
    async with api_server() as api:
        api.put("nodes", node("amd-1"))
        api.discovery.clear()
        async with serve(tmp_path, KUBECONFIG=kubeconfig(tmp_path, api.url)) as podgate:
            await podgate.said("Listed 1 nodes")
            status, text = await podgate.health("/readyz")
            assert (status, "[-]serving" in text) == (503, True)
            api.discovery.set()
            await podgate.ready()
