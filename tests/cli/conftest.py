"""What the tests of the command line have in common: a user without a past, and a registry on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import new_user, podgate
from tests.support.images import multi, single
from tests.support.manifests import REGISTRY
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
