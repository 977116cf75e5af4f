"""What the tests of the command line have in common: a user without a past, and a registry on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Podgate
from tests.support.images import multi, single
from tests.support.manifests import REGISTRY
from tests.support.registry import Registry


@pytest.fixture(autouse=True)
def new_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No home, kubeconfig, docker configuration or settings of whoever runs the tests."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "DOCKER_CONFIG", "PODGATE_CONFIG", "KUBERNETES_SERVICE_HOST", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def podgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Podgate:
    return Podgate(monkeypatch, capsys)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """team/app:1.4 is an index of amd64 alone, team/app:2.0 of two platforms, team/tool:1 a single amd64 manifest."""
    with Registry() as running:
        running.push("team/app", multi("linux/amd64"), "1.4")
        running.push("team/app", multi("linux/amd64", "linux/arm64"), "2.0")
        running.push("team/tool", single("linux/amd64"), "1")
        yield running


@pytest.fixture
def settings(registry: Registry, tmp_path: Path) -> Path:
    """A settings file by which reg.example is the registry of the test."""
    hosts = tmp_path / "hosts" / REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"registries": {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8"]}}))
    return path
