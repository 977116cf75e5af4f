"""What a scan of a large cluster takes: requests at the floor, and memory that follows a page and not the cluster."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import Figure
from tests.bench.setting import Run
from tests.support.apiserver import ApiServer, api_server, node
from tests.support.fleet import deployment, pods_of, replica_set
from tests.support.images import multi
from tests.support.registry import Registry
from webhook.cluster.listing import PAGE, WITH_TEMPLATES

ROOT: Final = Path(__file__).parents[2]
PODS: Final = 5_000
IMAGES: Final = 500
PADDING: Final = 8_000
"""Characters of annotations and managedFields of a pod: what real ones have, and no decision sees."""
MOST_MIB: Final = 120
"""Of the process at its peak. A page of 500 such pods is some 5 MB as text, 5,000 of them are 50; the interpreter with
the clients of Kubernetes and of registries has some 60 MiB before it begins."""

PROGRAM: Final = """
import sys
from pathlib import Path
from webhook import cli
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""
"""podgate, which tells at the end what it has held at most. What the kernel tells a parent of its child (ru_maxrss) may
be the parent's own size, from before the child began another program."""


async def figures(_: Run) -> list[Figure]:
    """The process's own peak, and what the two servers were asked, of two runs with one cache folder."""
    with Registry() as registry, tempfile.TemporaryDirectory() as folder:
        for number in range(IMAGES):
            architectures = ("linux/amd64", "linux/arm64") if number % 3 else ("linux/amd64",)
            registry.push(f"scale/app-{number}", multi(*architectures, text=f"{number}\n"), "1")
        async with api_server() as server:
            for plural, obj in _objects(registry.address):
                server.put(plural, obj)
            first, peak = await _scan(server, Path(folder))
            asked, requests = len(registry.log), list(server.requests)
            await _scan(server, Path(folder))
            again = len(registry.log) - asked
    pages = sum(request.startswith("list") for request in requests)
    floor = PODS // PAGE + len(WITH_TEMPLATES) + 2  # all else fits on a page each; nodes, namespaces
    judged = sum(first["summary"]["replicas"].values())
    assert judged == PODS, f"{judged} of {PODS} pods were judged"
    return [
        Figure(f"scan of {PODS} pods: requests to registries for each of {IMAGES} images", asked / IMAGES, "", 1),
        Figure(f"scan of {PODS} pods, run again: requests to registries", again, "requests", 0),
        Figure(f"scan of {PODS} pods: lists asked of the API server", pages, "requests", floor),
        Figure(f"scan of {PODS} pods: peak memory of the process", peak / 1024, "MiB", MOST_MIB),
    ]


def _objects(registry: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A Deployment for each image, with its ReplicaSet and its pods."""
    for architecture in ("amd64", "arm64"):
        yield "nodes", node(f"{architecture}-1", architecture)
    for number in range(IMAGES):
        made = deployment(f"app-{number}", f"{registry}/scale/app-{number}:1", f"team-{number % 20}")
        of = replica_set(made)
        yield "deployments", made
        yield "replicasets", of
        for pod in pods_of(of, PODS // IMAGES):
            pod["metadata"]["annotations"] = {"example.com/padding": "x" * PADDING}
            yield "pods", pod


async def _scan(server: ApiServer, folder: Path) -> tuple[dict[str, Any], float]:
    """The document of `podgate scan -o json` against a platform that is to come, and the process's peak in KiB."""
    kubeconfig, settings = folder / "kubeconfig", folder / "settings.yaml"
    kubeconfig.write_text(json.dumps(_kubeconfig(server.url)))
    settings.write_text(json.dumps({"registries": {"allowedAddresses": ["127.0.0.0/8"]}}))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-c", PROGRAM, "scan", "--config", str(settings), "-o", "json"]

    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)

    ran = await asyncio.to_thread(run)
    document: dict[str, Any] = json.loads(ran.stdout)
    return document, float(ran.stderr.split()[-2])


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
    }
