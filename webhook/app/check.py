"""`podgate check`: files, or a cluster, and registries, put together for one run."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from webhook.app.parts import docker_config, registry_options
from webhook.check import Reading, judge_all, parse_target, read_manifests, read_nodes, workloads
from webhook.cluster.documents import located
from webhook.cluster.files import FileCluster
from webhook.core.errors import MalformedObject
from webhook.core.scheduling import Node
from webhook.observability import logs
from webhook.registry.resolver import RegistryImages
from webhook.report.document import Checked, check_document
from webhook.report.table import print_table
from webhook.service import Judge
from webhook.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The options of `podgate check`, as the command line has them."""

    files: tuple[str, ...]
    config: str | None = None
    recursive: bool = False
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    context: str | None = None
    namespace: str = "default"
    output: str = "table"
    strict: bool = False


def run_check(request: CheckRequest, environment: Mapping[str, str], output: TextIO) -> int:
    """`podgate check`: prints results to `output` and all else to standard error; returns the exit code."""
    settings = load_settings(request.config, environment)
    logs.set_up("error", "text")
    reading = read_manifests(request.files, recursive=request.recursive)
    checked = asyncio.run(_check(request, settings, reading, environment))
    if request.output == "json":
        output.write(json.dumps(check_document(checked), indent=2) + "\n")
    else:
        print_table(checked, output)
    for line in (*reading.notes, *reading.problems):
        print(f"podgate: {line}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    return _exit_code(request, reading, checked)


def _exit_code(request: CheckRequest, reading: Reading, checked: Sequence[Checked]) -> int:
    decisions = {one.judgement.decision for one in checked}
    if reading.problems:
        return 2
    return int("deny" in decisions or (request.strict and "warn" in decisions))


async def _check(
    request: CheckRequest, settings: Settings, reading: Reading, environment: Mapping[str, str]
) -> list[Checked]:
    found = list(workloads(reading, request.namespace))
    async with contextlib.AsyncExitStack() as stack:
        cluster = await _files_cluster(request, reading, stack)
        options = registry_options(settings, docker_config(environment))
        images = await stack.enter_async_context(RegistryImages(options))
        return await judge_all(Judge(settings, images, cluster), found)


async def _files_cluster(request: CheckRequest, reading: Reading, stack: contextlib.AsyncExitStack) -> FileCluster:
    """The documents as if they were in a cluster: before nodes of a file or of targets, else before a real cluster."""
    nodes: list[Node] = [parse_target(text) for text in request.targets]
    if request.nodes:
        nodes += read_nodes(request.nodes)
        if not nodes:
            reading.notes.append(f"{request.nodes}: no nodes in it")
    live = None
    if request.context or not (request.nodes or request.targets):
        # Loaded only here: a check against files imports no Kubernetes client.
        from webhook.cluster.connection import connect  # noqa: PLC0415
        from webhook.cluster.live import LiveCluster  # noqa: PLC0415

        live = LiveCluster(await connect(context=request.context), admitted=False)
        stack.push_async_callback(live.close)
        await live.start(watch=False)
    cluster = FileCluster(before=live, admitted=False)
    for source, obj in reading.objects:
        try:
            with located(source):
                cluster.add(obj, request.namespace)
        except MalformedObject as error:
            reading.problems.append(str(error))
    for node in nodes:
        cluster.add_node(node)
    return cluster
