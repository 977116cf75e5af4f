"""`podgate inspect`: registries, and what is told of them, put together for one run."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TextIO

from webhook import interrupts
from webhook.app.parts import credentials_of_a_run, registry_options
from webhook.app.surroundings import in_environment
from webhook.core.errors import ClusterUnavailable
from webhook.inspection import Inspection, inspect
from webhook.observability import logs
from webhook.ports import Access, Cluster
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.report.inspect_document import inspect_document
from webhook.report.lines import deliver, json_text, say
from webhook.settings import Settings, load_settings

AT_ONCE: Final = 8
"""Images that are looked up side by side, each with connections of its own."""


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """The options of `podgate inspect`. `namespace`: whose credentials of the settings may be used; empty: those that
    are lent to all. `nodes`: a file; `targets`: nodes thought up; `cluster`: the kubeconfig's current context is asked,
    `context`: another one, `kubeconfig`: that of another file. With none of these five no node is looked at, and no
    cluster asked."""

    images: tuple[str, ...]
    config: str | None = None
    namespace: str = ""
    output: str = "table"
    nodes: str | None = None
    targets: tuple[str, ...] = ()
    cluster: bool = False
    kubeconfig: str | None = None
    context: str | None = None

    @property
    def with_nodes(self) -> bool:
        """Whether nodes are looked at."""
        return bool(self.nodes or self.targets or self.live)

    @property
    def live(self) -> bool:
        """Whether a cluster is asked."""
        return bool(self.cluster or self.kubeconfig or self.context)


def run_inspect(request: InspectRequest, environment: Mapping[str, str], output: TextIO | None) -> int:
    """`podgate inspect`: prints results to `output` (None: it is closed), and a line for each fault to standard error.

    Returns the exit code: 0 where all is known, the docker configuration can be read and the cluster answers, else 2.
    Raises MalformedInput where nothing can be begun.
    """
    settings = load_settings(request.config, environment)
    logs.set_up("error", "text", say)
    problems: list[str] = []
    inspections = interrupts.run(_inspect(request, settings, environment, problems))

    def write(stream: TextIO) -> None:
        if request.output == "json":
            stream.write(json_text(inspect_document(inspections)))
        else:
            from webhook.report.inspect_table import print_inspections  # noqa: PLC0415  # it loads what lays tables out

            print_inspections(inspections, stream)

    deliver(output, write)
    for one in inspections:
        for code, text in one.faults:
            say(f"{one.image}: {code}: {text}")
    for line in problems:
        say(line)
    return 2 if problems or any(one.faults for one in inspections) else 0


async def _inspect(
    request: InspectRequest, settings: Settings, environment: Mapping[str, str], problems: list[str]
) -> list[Inspection]:
    async with contextlib.AsyncExitStack() as stack:
        own = credentials_of_a_run(stack, settings, environment, problems.append)
        cluster, api_server = await _nodes(request, settings, stack, problems) if request.with_nodes else (None, None)
        options = in_environment(registry_options(settings, own), environment, api_server)
        slots = asyncio.Semaphore(AT_ONCE)
        one = _One(options, settings, request.namespace, cluster)
        return await asyncio.gather(*(one.look_at(image, slots) for image in dict.fromkeys(request.images)))


async def _nodes(
    request: InspectRequest, settings: Settings, stack: contextlib.AsyncExitStack, problems: list[str]
) -> tuple[Cluster | None, str | None]:
    """The nodes that were asked for, and the URL of the API server that was asked. What images offer is worth showing
    where a cluster does not answer, too: that is a problem then."""
    from webhook.app.nodes import NodeSources, find_nodes  # noqa: PLC0415  # what judges is loaded only with nodes

    sources = NodeSources(request.nodes, request.targets, request.kubeconfig, request.context, live=request.live)
    try:
        found = await find_nodes(stack, sources, settings)
    except ClusterUnavailable as error:
        problems.append(str(error))
        return None, None
    for note in found.notes:
        say(note)
    return found.cluster, found.api_server


@dataclass(frozen=True, slots=True)
class _One:
    """Looks at an image by a client of its own: what is told of it is what it takes to find it out, whatever else is
    asked. `cluster` None: no node is looked at."""

    options: RegistryOptions
    settings: Settings
    namespace: str
    cluster: Cluster | None

    async def look_at(self, image: str, slots: asyncio.Semaphore) -> Inspection:
        """What is to be told of an image."""
        inspection = Inspection(image)
        trace = inspection.trace
        hooks = replace(
            Hooks(), on_exchange=trace.requests.append, on_answer=trace.answers.append, on_cache=trace.looked_up
        )
        async with slots, RegistryImages(self.options, hooks) as registries:
            if self.cluster is None:
                await inspect(inspection, registries, Access(self.namespace))
                return inspection
            from webhook.inspection_nodes import Answers, nodes_for  # noqa: PLC0415  # only with nodes

            images = Answers(registries)
            await inspect(inspection, images, Access(self.namespace))
            inspection.nodes = await nodes_for(image, self.namespace, self.settings, images, self.cluster)
        return inspection
