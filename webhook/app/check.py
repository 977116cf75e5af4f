"""`podgate check`: files, or a cluster, and registries, put together for one run."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final, TextIO

from webhook import interrupts
from webhook.app.keeping import CacheChoice, open_images
from webhook.app.nodes import FoundNodes, NodeSources, find_nodes
from webhook.app.parts import credentials_of_a_run, registry_options
from webhook.app.surroundings import in_environment
from webhook.check import (
    AT_ONCE,
    Pace,
    elsewhere,
    judge_all,
    on_no_node,
    sort_out,
    timed_out,
    unmatched,
)
from webhook.cluster.files import FileCluster
from webhook.core.errors import MalformedInput
from webhook.core.text import name_some
from webhook.observability import logs
from webhook.reading import Reading, read_manifests
from webhook.report.document import Checked, check_document
from webhook.report.github import write_github
from webhook.report.junit import write_junit
from webhook.report.lines import deliver, json_text, say
from webhook.report.progress import progress
from webhook.report.run import UNREADABLE, CheckRun, FailOn, Problem
from webhook.report.sarif import write_sarif
from webhook.report.table import print_table
from webhook.service import Judge
from webhook.settings import Settings, judged_kinds, load_settings
from webhook.targets import parse_target

_WITHOUT_PLACES: Final = frozenset({"table", "json"})
"""Forms of output that name no lines."""
_WORTH_A_BAR: Final = 10
"""Objects from which on a progress bar tells somebody something."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The options of `podgate check`, as the command line has them.

    `namespace` None: none was named. `fail_on` None: it was not said. `timeout`: seconds for the whole run, None: as
    long as it takes. `cache_dir` None: no folder, offline the user's own. `reports`: further forms, each with a file.
    """

    files: tuple[str, ...]
    config: str | None = None
    recursive: bool = False
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    output: str = "table"
    reports: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    fail_on: FailOn | None = None
    ignore: tuple[str, ...] = ()
    jobs: int = AT_ONCE
    timeout: float | None = None
    offline: bool = False
    cache_dir: str | None = None

    @property
    def with_places(self) -> bool:
        """Whether a form of output points at lines."""
        return not {self.output, *(form for form, _ in self.reports)} <= _WITHOUT_PLACES


def run_check(request: CheckRequest, environment: Mapping[str, str], output: TextIO | None) -> int:
    """`podgate check`: prints results to `output` (None: it is closed) and all else to standard error.

    Returns the exit code. Raises MalformedInput and ClusterUnavailable where nothing can be judged at all.
    """
    deadline = None if request.timeout is None else time.monotonic() + request.timeout
    settings = _settings(request, environment)
    logs.set_up("error", "text", say)
    logging.getLogger("webhook.cluster").setLevel(logging.WARNING)  # a registry's faults are in the results, not these
    kinds = judged_kinds(settings)
    reading = read_manifests(request.files, recursive=request.recursive, kinds=kinds, places=request.with_places)
    checked: list[Checked] = []
    against = ""
    if reading.objects:
        checked, against = interrupts.run(_Check(request, settings, reading, environment, deadline).run())
    run = CheckRun(
        checked,
        reading.notes,
        reading.problems,
        request.fail_on or ("warn" if request.strict else "deny"),
        against,
        _source_root(environment),
        tuple(map(parse_target, request.targets)) if checked else (),
    )
    deliver(output, lambda stream: WRITERS[request.output](run, stream))  # a reader that has gone changes no exit code
    for line in (*run.notes, *run.problems):
        say(str(line))
    lost = [name for form, name in request.reports if not _write_report(run, form, name)]
    return UNREADABLE if lost else run.exit_code


def _write_report(run: CheckRun, form: str, name: str) -> bool:
    """Writes a form of output into a file, and says where that fails. Whether it is there: one that cannot be written
    keeps no other from being."""
    try:
        with Path(name).open("w", encoding="utf-8", errors="backslashreplace") as stream:
            WRITERS[form](run, stream)
    except OSError as error:
        say(f"{name}: cannot be written: {error.strerror or error}")
        return False
    return True


def _settings(request: CheckRequest, environment: Mapping[str, str]) -> Settings:
    """The settings, with the images that the command line exempts."""
    settings = load_settings(request.config, environment)
    if "" in request.ignore:
        raise MalformedInput("is empty", "--ignore")
    exempt = settings.exempt.model_copy(update={"images": (*settings.exempt.images, *request.ignore)})
    return settings.model_copy(update={"exempt": exempt})


def _write_table(run: CheckRun, stream: TextIO) -> None:
    print_table(run.checked, stream)


def _write_json(run: CheckRun, stream: TextIO) -> None:
    stream.write(json_text(check_document(run.checked)))


def _write_html(run: CheckRun, stream: TextIO) -> None:
    # Most runs print no page.
    from webhook.report.html import Heading, write_html  # noqa: PLC0415
    from webhook.report.surveying import survey_of_checked  # noqa: PLC0415

    survey = survey_of_checked(run.checked, targets=run.targets)
    survey = replace(survey, notes=tuple(run.notes), problems=tuple(map(str, run.problems)))
    read = list(dict.fromkeys(one.place.file for one in run.checked))
    write_html(survey, Heading(name_some(read, limit=200) or "nothing", datetime.now(UTC), version("podgate")), stream)


WRITERS: Final[Mapping[str, Callable[[CheckRun, TextIO], None]]] = MappingProxyType(
    {
        "table": _write_table,
        "json": _write_json,
        "github": write_github,
        "sarif": write_sarif,
        "junit": write_junit,
        "html": _write_html,
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


@dataclass(frozen=True, slots=True)
class _Check:
    """One run, after the manifests have been read. `deadline`: a time of the monotonic clock, which is the event loop's
    too; None: there is none."""

    request: CheckRequest
    settings: Settings
    reading: Reading
    environment: Mapping[str, str]
    deadline: float | None

    async def run(self) -> tuple[list[Checked], str]:
        """What was found, and in words what stood for the cluster."""
        request, reading, settings = self.request, self.reading, self.settings
        async with contextlib.AsyncExitStack() as stack:
            nodes = await self._nodes(stack)
            cluster, api_server = nodes.cluster, nodes.api_server
            found = sort_out(reading, cluster, request.namespace or self._own_namespace(api_server))
            reading.notes += filter(None, (elsewhere(reading, request.namespace or ""),))
            reading.notes += [f"--ignore {glob}: no image matches" for glob in unmatched(request.ignore, found)]
            # What an object is told must not depend on which other objects happened to be looked up before it.
            own = credentials_of_a_run(
                stack, settings, self.environment, lambda text: reading.problems.append(Problem(text))
            )
            options = in_environment(registry_options(settings, own), self.environment, api_server)
            options = replace(options, lend_lists=False)
            choice = CacheChoice(request.cache_dir, offline=request.offline)
            images, _ = await open_images(stack, options, choice, self.environment, reading.notes.append)
            judge = Judge(settings, images, cluster)
            with contextlib.ExitStack() as shown:
                bar = progress("judging", len(found), self.environment)
                done = shown.enter_context(bar) if len(found) >= _WORTH_A_BAR else None
                checked = await judge_all(judge, found, Pace(request.jobs, self.deadline, done))
            reading.notes += filter(None, (on_no_node(checked),))
            self._note_timeout(checked)
            return checked, self._against(cluster, api_server) if found else ""

    def _note_timeout(self, checked: list[Checked]) -> None:
        late = timed_out(checked)
        if late and self.deadline is not None and time.monotonic() >= self.deadline:
            number = f"{late} of {len(checked)} object{'s' if len(checked) > 1 else ''}"
            self.reading.notes.append(f"--timeout: {number} could not be looked up in {self.request.timeout:g} s")

    def _own_namespace(self, api_server: str | None) -> str:
        """The namespace of objects that name none, where the command line names none either: the context's."""
        if api_server is None:
            return "default"
        from webhook.cluster.credentials import context_namespace  # noqa: PLC0415  # not without a cluster

        return context_namespace(self.request.kubeconfig, self.request.context) or "default"

    def _against(self, cluster: FileCluster, api_server: str | None) -> str:
        request = self.request
        named = request.nodes or api_server or ("" if request.targets else "the manifests")
        nodes = len(cluster.nodes()) - len(set(request.targets))
        parts = [f"{nodes} node{'' if nodes == 1 else 's'} of {'stdin' if named == '-' else named}"] if named else []
        return " and ".join((*parts, *([f"--target {', '.join(request.targets)}"] if request.targets else ())))

    async def _nodes(self, stack: contextlib.AsyncExitStack) -> FoundNodes:
        """What stands in for a cluster: nodes of a file and of targets, else a real cluster."""
        request, reading = self.request, self.reading
        # Without an object to judge no cluster is of use.
        named = request.kubeconfig or request.context
        wanted = named or not (request.nodes or request.targets or reading.has_nodes)
        sources = NodeSources(
            request.nodes,
            request.targets,
            request.kubeconfig,
            request.context,
            live=bool(reading.found and wanted),
            admitted=False,
            deadline=self.deadline,
        )
        found = await find_nodes(stack, sources, self.settings)
        reading.notes += found.notes
        return found
