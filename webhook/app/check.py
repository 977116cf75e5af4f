"""`podgate check`: files, or a cluster, and registries, put together for one run."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TextIO

from webhook.app.parts import docker_logins, own_credentials, registry_options
from webhook.app.surroundings import in_environment
from webhook.check import Reading, doubt_about, judge_all, parse_target, read_manifests, read_nodes, sort_out
from webhook.cluster.files import FileCluster
from webhook.observability import logs
from webhook.registry.options import Hooks
from webhook.registry.resolver import RegistryImages
from webhook.report.document import Checked, check_document
from webhook.report.github import write_github
from webhook.report.junit import write_junit
from webhook.report.lines import deliver, say
from webhook.report.run import CheckRun, Problem
from webhook.report.sarif import write_sarif
from webhook.report.table import print_table
from webhook.service import Judge
from webhook.settings import Settings, judged_kinds, load_settings


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The options of `podgate check`, as the command line has them; `reports`: further forms, each with a file."""

    files: tuple[str, ...]
    config: str | None = None
    recursive: bool = False
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    context: str | None = None
    namespace: str = "default"
    output: str = "table"
    strict: bool = False
    reports: tuple[tuple[str, str], ...] = ()


def run_check(request: CheckRequest, environment: Mapping[str, str], output: TextIO | None) -> int:
    """`podgate check`: prints results to `output` (None: it is closed) and all else to standard error.

    Returns the exit code. Raises MalformedInput and ClusterUnavailable where nothing can be judged at all.
    """
    settings = load_settings(request.config, environment)
    logs.set_up("error", "text")
    logging.getLogger("webhook.cluster").setLevel(logging.WARNING)  # a registry's faults are in the results, not these
    reading = read_manifests(request.files, recursive=request.recursive)
    checked = asyncio.run(_check(request, settings, reading, environment)) if reading.objects else []

    run = CheckRun(
        checked, reading.notes, reading.problems, "warn" if request.strict else "deny", root=_source_root(environment)
    )
    deliver(output, lambda stream: WRITERS[request.output](run, stream))  # a reader that has gone changes no exit code
    for line in (*run.notes, *run.problems):
        say(str(line))
    for form, name in request.reports:
        with Path(name).open("w", encoding="utf-8", errors="backslashreplace") as stream:
            WRITERS[form](run, stream)
    return run.exit_code


def _write_table(run: CheckRun, stream: TextIO) -> None:
    print_table(run.checked, stream)


def _write_json(run: CheckRun, stream: TextIO) -> None:
    stream.write(json.dumps(check_document(run.checked), indent=2) + "\n")


WRITERS: Final[Mapping[str, Callable[[CheckRun, TextIO], None]]] = MappingProxyType(
    {
        "table": _write_table,
        "json": _write_json,
        "github": write_github,
        "sarif": write_sarif,
        "junit": write_junit,
    }
)
"""The forms of output by name; the choices of `check -o` are these."""

_ROOTS: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where GitHub's and GitLab's runners say that the source tree is; a job may have gone into a folder of it."""


def _source_root(environment: Mapping[str, str]) -> str:
    """The folder that reports name files below, as code hosts know them: the source tree, else the current folder."""
    named = next((environment[name] for name in _ROOTS if environment.get(name)), "")
    if named and Path(named).is_absolute():
        return named
    try:
        return str(Path.cwd())
    except OSError:  # it was removed: files are named as they were given
        return ""


async def _check(
    request: CheckRequest, settings: Settings, reading: Reading, environment: Mapping[str, str]
) -> list[Checked]:
    async with contextlib.AsyncExitStack() as stack:
        cluster, api_server = await _cluster(request, reading, stack, with_node_pools=settings.nodes.node_pools)
        found = sort_out(reading, cluster, request.namespace or "default", judged_kinds(settings))
        # What an object is told must not depend on which other objects happened to be looked up before it.
        own = (
            *own_credentials(settings, Hooks()),
            docker_logins(environment, say, lambda text: reading.problems.append(Problem(text))),
        )
        for source in own:
            stack.push_async_callback(source.aclose)
        options = in_environment(registry_options(settings, own), environment, api_server)
        options = replace(options, lend_lists=False)
        images = await stack.enter_async_context(RegistryImages(options))
        return await judge_all(Judge(settings, images, cluster), found)


async def _cluster(
    request: CheckRequest, reading: Reading, stack: contextlib.AsyncExitStack, *, with_node_pools: bool
) -> tuple[FileCluster, str | None]:
    """What stands in for a cluster: nodes of a file and of targets, else a real cluster, before it the documents. And
    the URL of the API server that is asked, None where none is."""
    nodes = [parse_target(text) for text in request.targets]
    reading.notes += [doubt for target in nodes if (doubt := doubt_about(target))]
    if request.nodes:
        from_file = read_nodes(request.nodes)
        if not from_file:
            reading.notes.append(f"{request.nodes}: no nodes in it")
        nodes += from_file
    live, api_server = None, None
    if request.context or not (request.nodes or request.targets or reading.has_nodes):
        # Loaded only here: a check against files imports no Kubernetes client.
        from webhook.cluster.connection import connect  # noqa: PLC0415
        from webhook.cluster.live import LiveCluster  # noqa: PLC0415

        connection = await connect(context=request.context)
        api_server = connection.host
        live = LiveCluster(connection, admitted=False, with_node_pools=with_node_pools)
        stack.push_async_callback(live.close)
        await live.start(watch=False)
    cluster = FileCluster(before=live, admitted=False)
    for node in nodes:
        cluster.add_node(node)
    return cluster, api_server
