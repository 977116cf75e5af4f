"""What the tests of the command line have in common: a user without a past, and a registry on loopback."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import ApiServer, api_server
from tests.support.command import new_user, podgate
from tests.support.images import multi, single
from tests.support.manifests import REGISTRY, node
from tests.support.registry import Registry

__all__ = ["new_user", "podgate"]  # pytest looks for fixtures here


@pytest.fixture
def registry() -> Iterator[Registry]:
    """team/app:1.4 is an index of amd64 alone, team/app:2.0 of two platforms, team/tool:1 a single amd64 manifest."""
    with Registry() as running:
        running.push("team/app", multi("linux/amd64"), "1.4")
        running.push("team/app", multi("linux/amd64", "linux/arm64"), "2.0")
        running.push("team/tool", single("linux/amd64"), "1")
        yield running


@pytest.fixture
def settings(registry: Registry, tmp_path: Path, new_user: None) -> Path:
    """A settings file by which reg.example is the registry of the test."""
    hosts = tmp_path / "hosts" / REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"registries": {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8"]}}))
    return path


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """An API server in a thread of its own, with one arm64 node; its token is `right`."""
    server = ApiServer()
    server.token = "right"
    server.put("nodes", node("arm-1"))
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with api_server(server=server):
            started.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    yield server
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


def kubeconfig(monkeypatch: pytest.MonkeyPatch, path: Path, url: str, token: str = "right", **context: str) -> Path:
    """Makes a kubeconfig with one context, `here`, that of the user. `context`: more of the context's fields."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **context}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    path.write_text(json.dumps(document))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
