"""How a run goes, and what all its parts share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Load
from tests.bench.machine import cores
from tests.support.apiserver import node
from tests.support.images import Image, document, multi, single
from tests.support.registry import Registry


@dataclass(frozen=True)
class Run:
    """`short`: fewer rounds, for machines that others use as well. `server`: the core of servers under test."""

    folder: Path
    load: Load
    server: int
    short: bool = False

    def rounds(self, many: int) -> int:
        """Rounds of something: so many, or in a short run a third, and two at least."""
        return max(2, many // 3) if self.short else many


@contextmanager
def running(*, short: bool) -> Iterator[Run]:
    """A run, with a folder of its own that goes at the end."""
    server, other = cores()
    with tempfile.TemporaryDirectory(prefix="podgate-bench-") as folder:
        path = Path(folder)
        yield Run(path, Load(path, other), server, short)


def small_cluster(count: int = 50) -> list[dict[str, Any]]:
    """Nodes of two platforms in three zones."""
    return [
        node(f"node-{number}", ("amd64", "arm64")[number % 2], **{"topology.kubernetes.io/zone": f"z{number % 3}"})
        for number in range(count)
    ]


_INDEX = multi("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x")


def index(number: int) -> Image:
    """An image for both platforms of the small cluster, and others; each number is another one."""
    return Image(document(_INDEX.root.media_type, {**_INDEX.root.json, "annotations": {"number": str(number)}}))


REGISTRY = "reg.example"
"""What pods call the registry; `hosts` says where it is."""


def hosts(folder: Path, registry: Registry) -> dict[str, str]:
    """The setting by which podgate finds the registry, as a node would: https is not tried first."""
    registry.serve_as(REGISTRY, folder / "hosts")
    return {"hostsDir": str(folder / "hosts")}


def pushed(registry: Registry, count: int, singles: int = 0) -> list[str]:
    """So many images, each in a repository of its own, the first ones single manifests for amd64; how a pod names
    them."""
    names = []
    for number in range(count):
        image = single("linux/amd64", text=f"{number}\n") if number < singles else index(number)
        registry.push(f"team/app-{number}", image, "1.0")
        names.append(f"{REGISTRY}/team/app-{number}:1.0")
    return names
