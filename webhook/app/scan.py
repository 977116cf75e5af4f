"""`podgate scan`: a cluster's workloads, or saved ones, nodes and registries, put together for one run."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TextIO

from webhook import interrupts
from webhook.app.keeping import CacheChoice, open_images
from webhook.app.nodes import OTHER_WAYS, given_nodes, without_a_cluster
from webhook.app.parts import credentials_of_a_run, registry_options
from webhook.app.surroundings import in_environment
from webhook.check import sort_out
from webhook.cluster.answers import metadata_of
from webhook.cluster.documents import Object
from webhook.cluster.files import FileCluster
from webhook.core.errors import ClusterUnavailable, NoKubeconfig
from webhook.core.fleet import Fleet, PodGroup
from webhook.core.scheduling import Node
from webhook.core.text import name_some
from webhook.observability import logs
from webhook.ports import Images
from webhook.reading import STDIN, Reading, Taker, read_manifests
from webhook.registry.resolver import RegistryImages
from webhook.report.lines import deliver, say
from webhook.report.progress import progress
from webhook.report.run import Problem
from webhook.report.scan_csv import write_csv
from webhook.report.scan_document import write_json
from webhook.report.scan_table import print_survey
from webhook.report.survey import STATES, State, Survey
from webhook.report.surveying import Surveyed, survey_of
from webhook.scan import AT_ONCE, Advisor, Pace, judge_fleet, scan_settings
from webhook.service import Judge
from webhook.settings import Settings, judged_kinds, load_settings

if TYPE_CHECKING:
    from webhook.cluster.connection import Connection

_NAMED: Final = 3
"""Namespaces that a note names."""

_WITHOUT_A_CLUSTER: Final[Mapping[tuple[bool, bool], str]] = MappingProxyType(
    {
        (True, True): OTHER_WAYS,
        (True, False): "-f FILE with --nodes FILE or --target PLATFORM does without",
        (False, False): "-f FILE reads saved workloads instead",
    }
)
"""What does without a cluster: by whether nodes are to be asked for there, and whether workloads come from files."""

FailOn = Literal["never", "blocked", "partial", "unknown"]
"""From which state of a workload on a scan fails; the worse ones count too."""


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """The options of `podgate scan`, as the command line has them.

    files: saved workloads, none: the cluster's are listed. namespaces: none for all. selector: of
    labels, None for all. timeout: seconds for the whole
    run, None: none. cache_ttl: seconds for which what a tag was is not asked for again.
    """

    files: tuple[str, ...] = ()
    recursive: bool = False
    config: str | None = None
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    selector: str | None = None
    output: str = "table"
    fail_on: FailOn = "never"
    suggest: bool = False
    jobs: int = AT_ONCE
    timeout: float | None = None
    cache_dir: str | None = None
    cache_ttl: float = 3600.0
    offline: bool = False


@dataclass(slots=True)
class _Run:
    """One run as it goes: what it is told and what it tells."""

    request: ScanRequest
    settings: Settings
    environment: Mapping[str, str]
    stack: contextlib.AsyncExitStack
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    subject: str = ""


def run_scan(request: ScanRequest, environment: Mapping[str, str], output: TextIO | None) -> int:
    """`podgate scan`: prints the survey to `output` (None: it is closed) and all else to standard error.

    Returns the exit code: 2 where something could not be read, so that the survey is not complete; 1 where `fail_on` is
    met; else 0. Raises MalformedInput and ClusterUnavailable where nothing can be looked at at all.
    """
    only_given = bool(request.targets or request.nodes)
    settings = scan_settings(load_settings(request.config, environment), only_given=only_given)
    logs.set_up("error", "text", say)
    logging.getLogger("webhook.cluster.runtime_classes").setLevel(logging.WARNING)  # all else is in the survey
    survey, subject = interrupts.run(_scan(request, settings, environment))
    deliver(output, lambda stream: WRITERS[request.output](survey, subject, stream))
    for line in (*survey.notes, *survey.problems):
        say(line)
    return 2 if survey.problems else int(_fails(survey, request.fail_on))


def _write_html(survey: Survey, subject: str, stream: TextIO) -> None:
    from webhook.report.html import Heading, write_html  # noqa: PLC0415  # most runs print no page

    write_html(survey, Heading(subject, datetime.now(UTC), version("podgate")), stream)


WRITERS: Final[Mapping[str, Callable[[Survey, str, TextIO], None]]] = MappingProxyType(
    {
        "table": lambda survey, _, stream: print_survey(survey, stream),
        "json": lambda survey, _, stream: write_json(survey, stream),
        "csv": lambda survey, _, stream: write_csv(survey, stream),
        "html": _write_html,
    }
)
"""The forms of output by name; the choices of `scan -o` are these."""


def _fails(survey: Survey, fail_on: FailOn) -> bool:
    if fail_on == "never":
        return False
    failing: Sequence[State] = STATES[: STATES.index(fail_on) + 1]
    return any(one.state in failing for one in survey.workloads)


async def _scan(request: ScanRequest, settings: Settings, environment: Mapping[str, str]) -> tuple[Survey, str]:
    async with contextlib.AsyncExitStack() as stack:
        run = _Run(request, settings, environment, stack)
        deadline = None if request.timeout is None else asyncio.get_running_loop().time() + request.timeout
        given, notes = given_nodes(request.nodes, request.targets)
        run.notes += notes
        targets = given[: len(request.targets)]
        try:
            async with asyncio.timeout_at(deadline):
                fleet, cluster, api_server = await _gather(run, given)
        except TimeoutError:  # a cluster that was listed in part would look like all of it
            raise ClusterUnavailable("the cluster's objects could not be listed within --timeout") from None
        images, asked = await _images(run, api_server)
        judge = Judge(settings, images, cluster)
        groups = list(fleet.groups(by_word=bool(request.files or request.selector)))
        run.notes += _on_their_word(request, fleet, groups) + _without_makers(request, fleet)
        with progress("looking images up", len(groups), environment) as done:
            pace = Pace(request.jobs, deadline, done)
            entries = await judge_fleet(judge, groups, cluster.nodes(), pace)
        nodes = [node for node in cluster.nodes() if node not in targets]
        survey = survey_of(entries, nodes, targets=targets)
        if request.suggest and asked is not None:
            with progress("looking for other tags", None, environment):
                survey, said = await Advisor(judge, cluster, asked, pace).advise(survey, entries)
            run.notes += said
        _look_back(run, survey, entries)
        return replace(survey, notes=tuple(run.notes), problems=tuple(run.problems)), run.subject


def _look_back(run: _Run, survey: Survey, entries: Sequence[Surveyed]) -> None:
    """What people have to know of the run as a whole."""
    if run.request.offline and run.request.suggest:
        run.notes.append("--suggest asks registries, so that offline there are no suggestions")
    if not entries and not run.problems:
        there = name_some(list(dict.fromkeys(run.request.namespaces)), _NAMED)
        where = f" in the namespace {there}" if there else ""
        if run.request.selector:  # most likely a slip, which must not look like workloads that are all well
            run.problems.append(f"there are no workloads with the labels {run.request.selector}{where}")
        else:
            run.notes.append(f"there are no workloads{where}")
    late = sum(one.error is not None and one.error[0] == "timeout" for one in survey.images)
    if late and run.request.timeout is not None:
        run.notes.append(f"{late} image{'' if late == 1 else 's'} could not be looked up in time (--timeout)")


def _on_their_word(request: ScanRequest, fleet: Fleet, groups: Sequence[PodGroup]) -> list[str]:
    """A line where replicas are those that workloads ask for, since files do not hold their pods, or these have not the
    labels that were named."""
    where = "in the files" if request.files else "with these labels"
    told = {group.owner: group.replicas for group in groups if group.by_word}
    if told and not fleet.has_pods:
        return [f"no pods {where}: replicas are those that the workloads ask for"]
    asking = [str(owner) for owner, replicas in told.items() if replicas]
    if not asking:
        return []
    return [f"no pods {where} of {name_some(asking, _NAMED)}: replicas are those that they ask for"]


def _without_makers(request: ScanRequest, fleet: Fleet) -> list[str]:
    """A line where files hold pods of DaemonSets and not these; of a cluster it was said what could not be listed."""
    lost = [str(owner) for owner in fleet.unknown_makers] if request.files else []
    named = name_some(lost, _NAMED)
    return (
        [f"not in the files: {named}; their pods are judged without the node affinity that these ask for"]
        if lost
        else []
    )


async def _gather(run: _Run, given: Sequence[Node]) -> tuple[Fleet, FileCluster, str | None]:
    """The workloads; what stands for the cluster; and the URL of the API server that is asked, None where none is."""
    request = run.request
    fleet = Fleet(judged_kinds(run.settings))
    reading = _from_files(run, fleet) if request.files else Reading()
    live = None
    connection: Connection | None = None
    ask_nodes = not (request.nodes or request.targets or reading.has_nodes)
    if not request.files or ask_nodes or request.kubeconfig or request.context:
        # Loaded only here: a scan of files imports no Kubernetes client.
        from webhook.cluster.connection import connect  # noqa: PLC0415
        from webhook.cluster.live import LiveCluster  # noqa: PLC0415

        with _without_a_kubeconfig(ask_nodes=ask_nodes, files=bool(request.files)):
            connection = await connect(request.kubeconfig, request.context)
        live = LiveCluster(connection, with_node_pools=ask_nodes and run.settings.nodes.node_pools, caller="user")
        run.stack.push_async_callback(live.close)
        if not request.files:
            await _from_cluster(run, fleet, connection)
        if ask_nodes:
            with without_a_cluster():
                await live.start(watch=False)
    cluster = FileCluster(before=live)
    sort_out(reading, cluster, "default")
    for node in given:
        cluster.add_node(node)
    run.notes += reading.notes
    run.problems += map(str, reading.problems)
    return fleet, cluster, None if connection is None else connection.host


@contextlib.contextmanager
def _without_a_kubeconfig(*, ask_nodes: bool, files: bool) -> Iterator[None]:
    """Where nothing says which cluster to ask, the error tells what does without one."""
    try:
        yield
    except NoKubeconfig as error:
        way = _WITHOUT_A_CLUSTER.get((ask_nodes, files))
        raise NoKubeconfig(f"{error}; {way}" if way else str(error)) from None


def _from_files(run: _Run, fleet: Fleet) -> Reading:
    """Takes saved workloads over, one after the other. What was read beside them: the objects that count as if they
    were in the cluster, and how many of which kinds are passed over."""
    request = run.request
    missing = dict.fromkeys(request.namespaces)
    wanted = set(missing)

    def take(obj: Object) -> bool:
        namespace = _namespace(obj)
        missing.pop(namespace, None)
        return bool(wanted and namespace not in wanted) or fleet.take(obj)

    taker = Taker(take, "podgate scan -f -")
    reading = read_manifests(request.files, recursive=request.recursive, kinds=judged_kinds(run.settings), taker=taker)
    for _, obj in reading.counting:
        missing.pop(str(metadata_of(obj).get("name")) if obj.get("kind") == "Namespace" else _namespace(obj), None)
    # Nothing tells a namespace that is empty from one that is not there, or whose objects nobody has saved.
    if reading.objects:
        reading.problems += [Problem(f"nothing in the files is in the namespace {each}") for each in missing]
    run.subject = ", ".join("standard input" if name == STDIN else name for name in request.files)
    return reading


def _namespace(obj: Object) -> str:
    return str(metadata_of(obj).get("namespace") or "default")


async def _from_cluster(run: _Run, fleet: Fleet, connection: "Connection") -> None:
    """Lists the workloads of a cluster."""
    from webhook.cluster.listing import list_fleet, list_makers, missing_namespaces  # noqa: PLC0415  # as above

    namespaces = dict.fromkeys(run.request.namespaces)
    empty = set(namespaces)
    with progress("listing workloads", None, run.environment) as done:

        def take(obj: Mapping[str, object], resource: str) -> None:
            done()
            empty.discard(_namespace(obj))
            fleet.take(obj, resource)

        further, selector = judged_kinds(run.settings).further, run.request.selector or ""
        problems = await list_fleet(connection, take, tuple(namespaces), further, selector)
        if selector:
            problems += await list_makers(connection, fleet.take_aside, tuple(namespaces))
        run.problems += dict.fromkeys(problems)
        run.problems += await missing_namespaces(connection, [each for each in namespaces if each in empty])
    where = f"namespace {', '.join(namespaces)} of " if namespaces else ""
    run.subject = f"{where}{connection.host}{f', {selector}' if selector else ''}"


async def _images(run: _Run, api_server: str | None) -> tuple[Images, RegistryImages | None]:
    """Registries by way of the cache folder; beside it the client that asks for tags, None where offline."""
    request, stack = run.request, run.stack
    own = credentials_of_a_run(stack, run.settings, run.environment, run.problems.append)
    options = in_environment(registry_options(run.settings, own), run.environment, api_server)
    # What a workload is told must not depend on which others were looked up before it; and a tag is asked for once.
    options = replace(options, lend_lists=False, tag_ttl=max(options.tag_ttl, request.cache_ttl))
    choice = CacheChoice(request.cache_dir, request.offline, always=True, ttl=request.cache_ttl)
    return await open_images(stack, options, choice, run.environment, run.notes.append)
