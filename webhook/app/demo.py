"""`podgate demo`: the real webhook, a registry and a client, in one process."""

import asyncio
import contextlib
import json
import signal
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from webhook.admission.certificate import Certificate
from webhook.admission.review import Reviewer
from webhook.admission.server import AdmissionServer
from webhook.app.parts import docker_logins, registry_options
from webhook.app.serve import Observers, server_options
from webhook.app.surroundings import in_environment
from webhook.cluster.documents import load_documents
from webhook.cluster.files import FileCluster
from webhook.core.errors import BadCredentials
from webhook.demo import show
from webhook.demo.certificates import serving_pair
from webhook.demo.images import sample_repositories
from webhook.demo.registry import DemoRegistry
from webhook.observability import logs
from webhook.registry.resolver import RegistryImages
from webhook.report.lines import be_quiet, say
from webhook.service import Judge
from webhook.settings import Settings, parse_settings


def run_demo(images: Sequence[str], *, keep: bool, environment: Mapping[str, str], output: TextIO) -> int:
    """`podgate demo`: prints what happens to `output`; returns the exit code.

    Raises BadCredentials where images are to be tried and the user's docker configuration cannot be read.
    """
    logs.set_up("error", "text")
    if not images:
        environment = {}  # the samples' registry is on this machine, and needs nothing of it
    try:
        return asyncio.run(_demo(images, environment, output, keep=keep))
    except BrokenPipeError:  # whoever looked on has gone
        be_quiet(output)
        return 0


def _refuse(problem: str) -> NoReturn:
    """Begins nothing: whoever tries images of his own looks on, and would take what follows for podgate's fault."""
    raise BadCredentials(problem)


async def _demo(images: Sequence[str], environment: Mapping[str, str], output: TextIO, *, keep: bool) -> int:
    own = docker_logins(environment, say, _refuse)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podgate-demo-")))
        registry = await stack.enter_async_context(DemoRegistry(sample_repositories()))
        settings = _demo_settings(folder, registry.port)
        for source in own:
            stack.push_async_callback(source.aclose)
        client = await stack.enter_async_context(
            RegistryImages(in_environment(registry_options(settings, own), environment))
        )
        samples = [(name, show.sample_text(name)) for name in show.sample_names()]
        texts = [show.nodes_text(), *(text for _, text in samples)]
        cluster = FileCluster.from_documents(obj for text in texts for obj in _objects(text))
        server, trust = _demo_server(settings, folder)
        port = await server.start(Reviewer(Judge(settings, client, cluster), Observers(())).review)
        stack.push_async_callback(server.stop)
        output.write(f"{show.HEADER}{show.nodes_line(cluster.nodes())}")
        presenter = show.Presenter(port, trust, output)
        for name, text in samples:
            await presenter.apply(name, text)
        for image in images:
            await presenter.run(image)
        output.write(f"\n{show.counted(presenter.counts)}\n\n{show.FOOTER}")
        if keep:
            _leave_files(folder, samples)
            output.write(show.kept(port, registry.port, folder))
            output.flush()
            await _terminated()
        output.flush()
        return 0


async def _terminated() -> None:
    """Waits for SIGTERM; Ctrl-C ends the wait as it ends everything, and both tidy up."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    await asked.wait()


def _leave_files(folder: Path, samples: Sequence[tuple[str, str]]) -> None:
    """What `podgate check` needs for the samples of a demo that is left up."""
    (folder / "samples").mkdir()
    for name, text in samples:
        (folder / "samples" / name).write_text(text, encoding="utf-8")
    (folder / "nodes.yaml").write_text(show.nodes_text(), encoding="utf-8")


def _objects(text: str) -> list[Mapping[str, Any]]:
    return [one.object for one in load_documents(text, "demo")]


def _demo_settings(folder: Path, registry_port: int) -> Settings:
    """Settings under which the samples' registry is the demo's own; loopback is allowed here and nowhere else."""
    hosts = folder / "hosts" / show.REGISTRY
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "http://127.0.0.1:{registry_port}"\n')
    registries = {"hostsDir": str(hosts.parent), "allowedAddresses": ["127.0.0.0/8", "::1/128"]}
    (folder / "settings.yaml").write_text(json.dumps({"registries": registries}))
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
