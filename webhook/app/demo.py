"""`podgate demo`: the real webhook, a registry and a client, in one process."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from webhook.admission.certificate import Certificate
from webhook.admission.review import Reviewer
from webhook.admission.server import AdmissionServer
from webhook.app.parts import docker_config, registry_options
from webhook.app.serve import Observers, server_options
from webhook.cluster.documents import load_documents
from webhook.cluster.files import FileCluster
from webhook.core.keyring import Keyring
from webhook.demo import show
from webhook.demo.certificates import serving_pair
from webhook.demo.images import sample_repositories
from webhook.demo.registry import DemoRegistry
from webhook.observability import logs
from webhook.registry.resolver import RegistryImages
from webhook.service import Judge
from webhook.settings import Settings, parse_settings


def run_demo(images: Sequence[str], *, keep: bool, environment: Mapping[str, str], output: TextIO) -> int:
    """`podgate demo`: prints what happens to `output`; returns the exit code."""
    logs.set_up("error", "text")
    return asyncio.run(_demo(images, keep, docker_config(environment), output))


async def _demo(images: Sequence[str], keep: bool, own: Keyring, output: TextIO) -> int:  # noqa: FBT001  # as run_demo's
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podgate-demo-")))
        registry = await stack.enter_async_context(DemoRegistry(sample_repositories()))
        settings = _demo_settings(folder, registry.port)
        client = await stack.enter_async_context(RegistryImages(registry_options(settings, own)))
        samples = [(name, show.sample_text(name)) for name in show.sample_names()]
        documents = [obj for text in (show.nodes_text(), *(text for _, text in samples)) for obj in _objects(text)]
        judge = Judge(settings, client, FileCluster.from_documents(documents))
        server, trust = _demo_server(settings, folder)
        port = await server.start(Reviewer(judge, Observers(())).review)
        stack.push_async_callback(server.stop)
        output.write(show.HEADER)
        presenter = show.Presenter(port, trust, output)
        for name, text in samples:
            await presenter.show(name, show.comment_of(text), show.objects_of(text))
        for image in images:
            await presenter.show(f"a pod of {image}", (), [show.pod_of(image)])
        output.write(f"\n{show.counted(presenter.counts)}\n\n{show.FOOTER}")
        if keep:
            output.write(show.kept(port, registry.port, folder))
            output.flush()
            await asyncio.Event().wait()
        return 0


def _objects(text: str) -> list[Mapping[str, Any]]:
    return [one.object for one in load_documents(text, "demo")]


def _demo_settings(folder: Path, registry_port: int) -> Settings:
    """Settings under which the samples' registry is the demo's own; loopback is allowed here and nowhere else."""
    hosts = folder / "hosts" / show.REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "http://127.0.0.1:{registry_port}"\n')
    registries = {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8", "::1/128"]}
    return parse_settings({"registries": registries, "server": {"address": "127.0.0.1", "port": 0}})


def _demo_server(settings: Settings, folder: Path) -> tuple[AdmissionServer, ssl.SSLContext]:
    """The webhook's server with a certificate for an hour of demo, and what a client needs to trust it."""
    pair = serving_pair("localhost", "127.0.0.1")
    (folder / "ca.crt").write_bytes(pair.authority)
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").touch(mode=0o600)
    (folder / "tls.key").write_bytes(pair.key)
    certificate = Certificate(str(folder), lambda _: None)
    certificate.load()
    trust = ssl.create_default_context(cadata=pair.authority.decode())
    return AdmissionServer(server_options(settings), certificate.context), trust
