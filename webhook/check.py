"""`podgate check`: manifests that have been read, judged as the webhook would judge them.

Adapters are handed in by app/check.py; this module sorts out what was read, and asks the service.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from webhook.cluster.documents import load_documents, located
from webhook.cluster.files import FileCluster
from webhook.cluster.yamltext import parse_yaml
from webhook.core.errors import InvalidReference, MalformedObject
from webhook.core.message import name_some, platform_text
from webhook.core.reference import parse_image
from webhook.core.scheduling import Node
from webhook.looked import matches_any
from webhook.reading import NAMED, Found, Reading, read_content, shown
from webhook.report.document import Checked
from webhook.report.run import Problem
from webhook.report.spots import title
from webhook.service import Judge, Request

AT_ONCE: Final = 64
"""Objects that are judged side by side, unless told otherwise; the registry client bounds requests by itself."""


_LONG: Final = 120
"""Characters of an object's name in a note."""


def read_nodes(name: str) -> list[Node]:
    """The nodes of a file or of standard input (`-`), as `kubectl get nodes -o yaml` prints them.

    An empty list is what a cluster without nodes has. Nothing at all, or other objects alone, is a slip: it would turn
    every verdict into "no candidates". Raises MalformedObject.
    """
    content, file = read_content(name), shown(name)
    documents = load_documents(content, file)
    nodes = [one for one in documents if one.object.get("kind") == "Node"]
    if documents and not nodes:
        raise MalformedObject("holds objects, but no Node", file)
    if not documents and all(value is None for value in parse_yaml(content.decode("utf-8-sig"))):
        raise MalformedObject("is empty; it must hold nodes, as `kubectl get nodes -o yaml` prints them", file)
    return list(FileCluster.from_sources(nodes).nodes())


def sort_out(reading: Reading, cluster: FileCluster, namespace: str) -> list[Found]:
    """The judged objects of a reading, those that name no namespace in `namespace`; objects that count as if they were
    in the cluster go there.

    An object that is not understood becomes a problem of the reading; those of other kinds become one note.
    """
    for source, obj in reading.counting:
        try:
            with located(source):
                cluster.add(obj, namespace)
        except MalformedObject as error:
            reading.problems.append(Problem(str(error), source.rpartition("#")[0], error.line))
    others = reading.others
    if others:
        number = f"{others.total()} object{'s' if others.total() > 1 else ''}"
        named = [f"{kind} ({count})" for kind, count in others.most_common()]
        reading.notes.append(f"{number} of other kinds passed over: {name_some(named, NAMED)}")
    return [_in_namespace(found, namespace) for found in reading.found]


def elsewhere(reading: Reading, namespace: str) -> str:
    """A note on objects that name another namespace than the command line does (empty: it names none);
    empty where none does.

    They are judged in their own; kubectl would refuse them (cli-runtime, pkg/resource/visitor.go, RequireNamespace).
    """
    if not namespace:
        return ""
    named = [
        f"{found.workload.kind} {found.workload.namespace}/{found.workload.name}"
        for found in reading.found
        if found.workload.namespace not in ("", namespace)
    ]
    if not named:
        return ""
    number = "1 object names" if len(named) == 1 else f"{len(named)} objects name"
    return f"{number} another namespace than -n {namespace}, which kubectl apply refuses: {name_some(named, NAMED)}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run goes through its objects: `jobs` side by side, until `deadline` (a time of the event loop's clock;
    None: as long as it takes), telling `done` (None: nobody) of each that is judged."""

    jobs: int = AT_ONCE
    deadline: float | None = None
    done: Callable[[], None] | None = None


async def judge_all(judge: Judge, found: Sequence[Found], pace: Pace) -> list[Checked]:
    """Judges objects side by side; the results stand in the order of the objects."""
    results: list[Checked | None] = [None] * len(found)
    waiting = iter(enumerate(found))

    async def work() -> None:
        for index, (source, workload, place) in waiting:
            # Nobody's requester is known here, so that the annotation has to tell a mirror pod.
            request = Request(workload, mirror=workload.mirror, admitted=False, deadline=pace.deadline)
            results[index] = Checked(source, await judge.judge(request), place)
            if pace.done is not None:
                pace.done()

    await asyncio.gather(*(work() for _ in range(min(pace.jobs, len(found)))))
    return list(_all(results))


def unmatched(globs: Sequence[str], found: Sequence[Found]) -> list[str]:
    """Those of the globs on images that no image matches: most likely a slip, unless there are no images at all."""
    names = set()
    for one in found:
        for image in one.workload.images:
            with suppress(InvalidReference):
                names.add(parse_image(image.image).name)
    return [glob for glob in globs if names and not any(matches_any(name, (glob,)) for name in names)]


def on_no_node(checked: Sequence[Checked]) -> str:
    """A note on objects that none of the nodes takes, and that are judged by the platforms they ask for; empty where
    there are none. An `allow` says nothing of those nodes then, which whoever named them may not expect."""
    alone = []
    for one in checked:
        findings = one.judgement.findings
        if findings and all(finding.node.name is None for finding in findings):
            alone.append(f"{title(one)} ({name_some([platform_text(each.node.platform) for each in findings])})")
    if not alone:
        return ""
    who, judged, asks = "1 object", "it is", "it asks"
    if len(alone) > 1:
        who, judged, asks = f"{len(alone)} objects", "they are", "they ask"
    named = name_some(alone, NAMED, _LONG)
    return f"none of the nodes takes {who}; {judged} judged by the platform that {asks} for: {named}"


def timed_out(checked: Sequence[Checked]) -> int:
    """How many objects have an image of which too little was known in time."""
    return sum(any(image.error and image.error[0] == "timeout" for image in one.judgement.images) for one in checked)


def _all(results: Sequence[Checked | None]) -> Iterator[Checked]:
    for one in results:
        assert one is not None  # each worker goes on until there is nothing left, or raises
        yield one


def _in_namespace(found: Found, namespace: str) -> Found:
    workload = found.workload
    return found if workload.namespace else found._replace(workload=replace(workload, namespace=namespace))
