"""The use case with everything real but the wire's other end: registries on loopback, a cluster of documents."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.support.registry import Registry
from webhook.cluster.files import FileCluster
from webhook.core.decision import Judgement
from webhook.core.platform import parse_platform
from webhook.core.workload import parse_workload
from webhook.ports import Cluster
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge, Request
from webhook.settings import Settings, judged_kinds, parse_settings

Object = dict[str, Any]
CONTAINERD = "containerd://2.1.4"


def node(name: str, platform: str = "linux/amd64", runtime: str = CONTAINERD, **more: Any) -> Object:
    """A Node; `labels` beside those of its kubelet, `taints` as key=value:Effect. Platform "": it does not say."""
    of = parse_platform(platform) if platform else None
    own = {"kubernetes.io/os": of.os, "kubernetes.io/arch": of.architecture} if of else {}
    info = {"operatingSystem": of.os, "architecture": of.architecture, "kernelVersion": of.os_version} if of else {}
    taints = []
    for text in more.get("taints", ()):
        key, _, rest = text.partition("=")
        value, _, effect = rest.partition(":")
        taints.append({"key": key, "value": value, "effect": effect})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**own, "kubernetes.io/hostname": name, **more.get("labels", {})}},
        "spec": {"taints": taints},
        "status": {"nodeInfo": {**info, "containerRuntimeVersion": runtime}},
    }


def pod(*images: str, name: str = "web", metadata: Mapping[str, Any] | None = None, **spec: Any) -> Object:
    """A Pod with a container for each image, named a, b, c and so on."""
    containers = [{"name": chr(ord("a") + number), "image": image} for number, image in enumerate(images)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team", **(metadata or {})},
        "spec": {"containers": containers, **spec},
    }


def templated(kind: str, *images: str, metadata: Mapping[str, Any] | None = None, **spec: Any) -> Object:
    """An object of a kind with a pod template."""
    group = {"Job": "batch/v1", "CronJob": "batch/v1", "PodTemplate": "v1", "ReplicationController": "v1"}
    template = {"metadata": {}, "spec": pod(*images, **spec)["spec"]}
    inside: Object = {"spec": {"template": template}}
    if kind == "CronJob":
        inside = {"spec": {"jobTemplate": inside}}
    if kind == "PodTemplate":
        inside = {"template": template}
    return {
        "apiVersion": group.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": "web", "namespace": "team", **(metadata or {})},
        **inside,
    }


def pull_secret(name: str, auths: Mapping[str, str], namespace: str = "team") -> Object:
    """A Secret of user:password by registry."""
    entries = {host: {"auth": base64.b64encode(pair.encode()).decode()} for host, pair in auths.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps({"auths": entries})},
    }


class World:
    """Registries by name, a cluster, settings; `judge` asks the use case about an object."""

    def __init__(self, folder: Path) -> None:
        self.hosts = folder / "hosts"
        self.hosts.mkdir()
        self.registry = Registry()
        self.options: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.objects: list[Object] = []
        self.cluster: Cluster | None = None
        self._stack = ExitStack()
        self._images: RegistryImages | None = None
        self.serve("reg.example", self.registry)

    def serve(self, name: str, registry: Registry) -> Registry:
        """Starts a registry under a name."""
        self._stack.enter_context(registry)
        self.serve_as(name, registry)
        return registry

    def serve_as(self, name: str, registry: Registry | None = None) -> None:
        """Gives a running registry (None: the usual one) a name."""
        (registry or self.registry).serve_as(name, self.hosts)

    def has(self, *objects: Object) -> None:
        """Puts objects into the cluster."""
        self.objects += objects

    @property
    def images(self) -> RegistryImages:
        """The one registry client of this world."""
        if self._images is None:
            loopback = AddressPolicy(allowed=(ip_network("127.0.0.0/8"),))
            self._images = RegistryImages(RegistryOptions(self.hosts, loopback, **self.options))
        return self._images

    def build(self) -> Judge:
        """The use case as it is put together for `serve --nodes`."""
        settings: Settings = parse_settings(self.settings)
        return Judge(settings, self.images, self.cluster or FileCluster.from_documents(self.objects))

    async def judge(
        self, obj: Object, *, old: Object | None = None, within: float | None = None, **more: Any
    ) -> Judgement:
        """The decision about an object; `within` seconds, None: whenever it is done."""
        kinds = judged_kinds(parse_settings(self.settings))
        workload = parse_workload(obj, kinds)
        assert workload is not None
        former = parse_workload(old, kinds) if old is not None else None
        deadline = None if within is None else asyncio.get_running_loop().time() + within
        return await self.build().judge(Request(workload, former, deadline=deadline, **more))

    def paths(self, registry: Registry | None = None) -> list[str]:
        """What a registry was asked, in order."""
        return [f"{asked.method} {asked.path.removeprefix('/v2/')}" for asked in (registry or self.registry).log]

    async def forget(self) -> None:
        """Closes the client; the next one knows nothing."""
        if self._images is not None:
            await self._images.aclose()
        self._images = None

    async def close(self) -> None:
        """Closes the client, then the registries."""
        await self.forget()
        self._stack.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    try:
        yield made
    finally:
        await made.close()


def outcomes(judgement: Judgement) -> dict[str, list[str]]:
    """Each candidate's outcomes, image by image, in the words of the cases."""
    return {
        str(finding.node.name): [f"{outcome.verdict} {outcome.why}" for outcome in finding.outcomes]
        for finding in judgement.nodes
    }


def codes(judgement: Judgement) -> list[str | None]:
    """Each image's error code."""
    return [image.error[0] if image.error else None for image in judgement.images]


def brief(judgement: Judgement) -> str:
    """Decision and reason in one word pair."""
    return f"{judgement.decision} {judgement.reason}"
