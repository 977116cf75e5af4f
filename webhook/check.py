"""`podgate check`: manifests from files, judged as the webhook would judge them.

Adapters are handed in by app.py; this module reads files, keeps what was not understood, and asks the service.
"""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from webhook.cluster.documents import SourcedObject, load_documents, located, read_documents
from webhook.cluster.files import FileCluster
from webhook.core.errors import MalformedInput, MalformedObject
from webhook.core.node import ARCH_LABEL, OS_LABEL
from webhook.core.platform import format_platform, parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint
from webhook.core.workload import Workload, parse_workload
from webhook.report.document import Checked
from webhook.service import Judge, Request

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What kubectl takes from a directory."""
AT_ONCE: Final = 64
"""Objects that are judged side by side; the registry client bounds requests by itself."""


@dataclass(slots=True)
class Reading:
    """What was read: objects with their sources, and what could not be read or understood, a line each."""

    objects: list[SourcedObject] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_manifests(names: Iterable[str], *, recursive: bool) -> Reading:
    """The objects of files, directories and standard input (`-`), in order; each file that is bad is a problem."""
    reading = Reading()
    for name in names:
        for file in _files(name, reading, recursive=recursive):
            try:
                found = load_documents(sys.stdin.buffer.read(), "stdin") if file == "-" else read_documents(file)
            except MalformedObject as error:
                reading.problems.append(str(error))
                continue
            if not found:
                reading.notes.append(f"{file}: no objects in it")
            reading.objects += found
    return reading


def read_nodes(path: str) -> list[Node]:
    """The nodes of a file, as `kubectl get nodes -o yaml` prints them. Raises MalformedObject."""
    documents = read_documents(path)
    nodes = [one for one in documents if one.object.get("kind") == "Node"]
    if documents and not nodes:
        raise MalformedObject("holds objects, but no Node", path)
    return list(FileCluster.from_sources(nodes).nodes())


def parse_target(text: str) -> Node:
    """A node from PLATFORM[,runtime=NAME://VERSION][,label=K=V][,taint=K[=V]:EFFECT]. Raises MalformedInput."""
    head, *options = text.split(",")
    platform = parse_platform(head)
    labels = {OS_LABEL: platform.os, ARCH_LABEL: platform.architecture}
    runtime = Runtime()
    taints: list[Taint] = []
    for option in options:
        key, _, value = option.partition("=")
        if key == "runtime" and "://" in value:
            runtime = Runtime.parse(value)
        elif key == "label" and "=" in value:
            labels[value.partition("=")[0]] = value.partition("=")[2]
        elif key == "taint":
            taints.append(_taint(value, text))
        else:
            raise MalformedInput(f"{option!r} is none of runtime=NAME://VERSION, label=K=V, taint=K=V:EFFECT", text)
    return Node(format_platform(platform), platform, runtime, labels, tuple(taints))


def workloads(reading: Reading, namespace: str) -> Iterator[tuple[str, Workload]]:
    """The judged objects of a reading; one that is not understood becomes a problem of the reading."""
    for source, obj in reading.objects:
        try:
            with located(source):
                workload = parse_workload(obj)
        except MalformedObject as error:
            reading.problems.append(str(error))
            continue
        if workload is not None:
            yield source, replace(workload, namespace=workload.namespace or namespace)


async def judge_all(judge: Judge, found: Sequence[tuple[str, Workload]]) -> list[Checked]:
    """Judges objects side by side; the results stand in the order of the objects."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(source: str, workload: Workload) -> Checked:
        async with slots:
            # Nobody's requester is known here, so that the annotation has to tell a mirror pod.
            return Checked(source, await judge.judge(Request(workload, mirror=workload.mirror)))

    return list(await asyncio.gather(*(one(source, workload) for source, workload in found)))


def _files(name: str, reading: Reading, *, recursive: bool) -> Iterator[str]:
    """The files that a name stands for: itself, or those of a directory in the order of their names."""
    path = Path(name)
    if name == "-" or not path.is_dir():
        yield name
        return
    inside = path.rglob("*") if recursive else path.iterdir()
    try:
        files = sorted(str(file) for file in inside if file.suffix in SUFFIXES and file.is_file())
    except OSError as error:
        reading.problems.append(f"{name}: cannot be read: {error.strerror}")
        return
    if not files:
        reading.notes.append(f"{name}: no {', '.join(SUFFIXES)} files in it")
    yield from files


def _taint(value: str, target: str) -> Taint:
    rest, colon, effect = value.rpartition(":")
    if not colon or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise MalformedInput(f"taint {value!r} has no effect (K=V:NoSchedule)", target)
    key, _, text = rest.partition("=")
    return Taint(key, text, effect)
