"""`podgate check`: manifests from files, judged as the webhook would judge them.

Adapters are handed in by app/check.py; this module reads files, keeps what was not understood, and asks the service.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from webhook.cluster.documents import Object, SourcedObject, iterate_documents, load_documents, located
from webhook.cluster.files import FileCluster
from webhook.cluster.yamltext import parse_yaml
from webhook.core.errors import MalformedInput, MalformedObject
from webhook.core.kinds import BUILT_IN, Kinds
from webhook.core.message import name_some
from webhook.core.node import ARCH_LABEL, OS_LABEL, emulated_platforms, with_build
from webhook.core.objects import Fields
from webhook.core.platform import parse_platform
from webhook.core.runtime import Runtime
from webhook.core.scheduling import Node, Taint
from webhook.core.workload import Workload, parse_workload
from webhook.report.document import Checked
from webhook.report.run import Problem
from webhook.service import Judge, Request

STDIN: Final = "-"
"""The name that stands for standard input."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What kubectl takes from a directory."""
AT_ONCE: Final = 64
"""Objects that are judged side by side; the registry client bounds requests by itself."""
NOTHING_TO_CHECK: Final = "no objects to check"
"""Said where there is no object at all. Most likely a path or a template is wrong, and a pipeline must not pass for it:
kubectl fails too (kubectl/pkg/cmd/apply/apply.go, Run: no objects passed to apply)."""
KINDS_NAMED: Final = 5
"""Kinds passed over that are named before the others are counted."""

_SYSTEMS: Final = frozenset({"linux", "windows"})
_ARCHITECTURES: Final = frozenset(
    {"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}
)
"""What kubelets exist for, Kubernetes' own builds and others'. Another one in a target is most likely a slip."""


@dataclass(slots=True)
class Reading:
    """What was read: objects with their sources, and what could not be read or understood, a line each."""

    objects: list[SourcedObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def has_nodes(self) -> bool:
        """Whether there are Nodes among the objects."""
        return any(obj.get("kind") == "Node" for _, obj in self.objects)


def read_manifests(names: Iterable[str], *, recursive: bool) -> Reading:
    """The objects of files, directories and standard input (`-`), in order; each file that is bad is a problem."""
    reading = Reading()
    for name in names:
        for file in _files(name, reading, recursive=recursive):
            shown = "stdin" if file == STDIN else file
            before = len(reading.objects)
            try:
                for found in iterate_documents(_content(file), shown):
                    reading.objects.append(found)  # kept one by one: the next may be a mistake
            except MalformedObject as error:
                reading.problems.append(Problem(str(error), shown))
                continue
            if len(reading.objects) == before:
                reading.notes.append(f"{shown}: no objects in it")
    if not reading.objects and not reading.problems:
        reading.problems.append(Problem(NOTHING_TO_CHECK))
    return reading


def read_nodes(name: str) -> list[Node]:
    """The nodes of a file or of standard input (`-`), as `kubectl get nodes -o yaml` prints them.

    An empty list is what a cluster without nodes has. Nothing at all, or other objects alone, is a slip: it would turn
    every verdict into "no candidates". Raises MalformedObject.
    """
    content = _content(name)
    shown = "stdin" if name == STDIN else name
    documents = load_documents(content, shown)
    nodes = [one for one in documents if one.object.get("kind") == "Node"]
    if documents and not nodes:
        raise MalformedObject("holds objects, but no Node", shown)
    if not documents and all(value is None for value in parse_yaml(content.decode("utf-8-sig"))):
        raise MalformedObject("is empty; it must hold nodes, as `kubectl get nodes -o yaml` prints them", shown)
    return list(FileCluster.from_sources(nodes).nodes())


def parse_target(text: str) -> Node:
    """A node from PLATFORM[,runtime=NAME://VERSION][,label=K=V][,taint=K[=V]:EFFECT], named as it is written.

    Raises MalformedInput.
    """
    head, *options = text.split(",")
    try:
        platform = parse_platform(head)
    except MalformedInput as error:
        raise MalformedInput(error.problem, "--target") from None
    labels = {OS_LABEL: platform.os, ARCH_LABEL: platform.architecture}
    runtime = Runtime()
    taints: list[Taint] = []
    for option in options:
        key, _, value = option.partition("=")
        label, equals, label_value = value.partition("=")
        if key == "runtime" and all(value.partition("://")):
            runtime = Runtime.parse(value)
        elif key == "label" and label and equals:
            labels[label] = label_value
        elif key == "taint":
            taints.append(_taint(value, f"--target {text}"))
        else:
            known = "runtime=NAME://VERSION, label=K=V, taint=K=V:EFFECT"
            raise MalformedInput(f"{option!r} is none of {known}", f"--target {text}")
    platform = with_build(platform, labels)
    return Node(text, platform, runtime, labels, tuple(taints), emulated_platforms(labels, {}))


def doubt_about(target: Node) -> str:
    """What is odd about a target, as a note; empty where nothing is."""
    platform = target.platform
    if platform is None or (platform.os in _SYSTEMS and platform.architecture in _ARCHITECTURES):
        return ""
    return f"--target {target.name}: no kind of node is known that is {platform.os}/{platform.architecture}"


def sort_out(
    reading: Reading, cluster: FileCluster, namespace: str, kinds: Kinds = BUILT_IN
) -> list[tuple[str, Workload]]:
    """The judged objects of a reading, with their sources; those that count as if in the cluster go there.

    An object that is not understood becomes a problem of the reading; those of other kinds become one note.
    """
    found: list[tuple[str, Workload]] = []
    others: Counter[str] = Counter()
    for source, obj in reading.objects:
        try:
            with located(source):
                workload = _workload(obj, kinds)
                if workload is not None:
                    found.append((source, replace(workload, namespace=workload.namespace or namespace)))
                elif not cluster.add(obj, namespace):
                    others[str(obj["kind"])] += 1
        except MalformedObject as error:
            reading.problems.append(Problem(str(error), source.rpartition("#")[0]))
    if others:
        number = f"{others.total()} object{'s' if others.total() > 1 else ''}"
        named = [f"{kind} ({count})" for kind, count in others.most_common()]
        reading.notes.append(f"{number} of other kinds passed over: {name_some(named, KINDS_NAMED)}")
    return found


async def judge_all(judge: Judge, found: Sequence[tuple[str, Workload]]) -> list[Checked]:
    """Judges objects side by side; the results stand in the order of the objects."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(source: str, workload: Workload) -> Checked:
        async with slots:
            # Nobody's requester is known here, so that the annotation has to tell a mirror pod.
            return Checked(source, await judge.judge(Request(workload, mirror=workload.mirror, admitted=False)))

    return list(await asyncio.gather(*(one(source, workload) for source, workload in found)))


def _workload(obj: Object, kinds: Kinds) -> Workload | None:
    """An object of a kind that is judged; None where it is of another. Raises MalformedObject.

    Without an apiVersion an object is of no kind at all, and kubectl takes it for nothing.
    """
    if not Fields.of(obj).text("apiVersion"):
        raise MalformedObject("is missing", "apiVersion")
    return parse_workload(obj, kinds)


def _content(name: str) -> bytes:
    """The bytes of a file, or of standard input. Raises MalformedObject."""
    if name == STDIN and sys.stdin is None:
        raise MalformedObject("cannot be read: it is closed", "stdin")
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise MalformedObject(f"cannot be read: {error.strerror or error}", name) from None
    except ValueError as error:  # a name with a NUL in it
        raise MalformedObject(f"cannot be read: {error}", name) from None


def _files(name: str, reading: Reading, *, recursive: bool) -> Iterator[str]:
    """The files that a name stands for: itself, or those of a directory in the order of their names."""
    if not name:
        reading.problems.append(Problem("-f: the name of a file is empty"))
        return
    path = Path(name)
    try:
        if name == STDIN or not path.is_dir():
            yield name
            return
        inside = path.rglob("*") if recursive else path.iterdir()
        files = sorted(str(file) for file in inside if file.suffix in SUFFIXES and file.is_file())
    except OSError as error:
        reading.problems.append(Problem(f"{name}: cannot be read: {error.strerror}", name))
        return
    if not files:
        reading.notes.append(f"{name}: no {', '.join(SUFFIXES)} files in it")
    yield from files


def _taint(value: str, where: str) -> Taint:
    rest, colon, effect = value.rpartition(":")
    key, _, text = rest.partition("=")
    if not colon or not key or effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
        raise MalformedInput(f"{value!r} is no taint (K=V:NoSchedule, K:NoExecute)", where)
    return Taint(key, text, effect)
