"""Manifests of a command line: which files there are, what is in them, and what could not be read or understood.

One file at a time is read, and of an object only what decisions need is kept: a workload, or what counts as if it were
in the cluster. So memory follows the largest file, not all of them.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from webhook.cluster.documents import (
    MarkedObject,
    Object,
    SourcedObject,
    decode_text,
    iterate_marked,
    located,
    read_bounded,
)
from webhook.cluster.files import counts
from webhook.cluster.marks import Marks
from webhook.core.errors import MalformedInput, MalformedObject
from webhook.core.kinds import BUILT_IN, JUDGED, Kinds
from webhook.core.message import name_some
from webhook.core.objects import Fields
from webhook.core.place import Place, Span
from webhook.core.workload import Workload, image_fields, parse_workload
from webhook.report.run import Problem

STDIN: Final = "-"
"""The name that stands for standard input."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What kubectl takes from a directory."""
NOTHING_TO_CHECK: Final = "no objects to check"
"""Said where there is no object at all. Most likely a path or a template is wrong, and a pipeline must not pass for it:
kubectl fails too (kubectl/pkg/cmd/apply/apply.go, Run: no objects passed to apply)."""
NAMED: Final = 5
"""Kinds, files or folders that a note names before the others are counted."""

_CHECK: Final = "podgate check"

_LONG: Final = 200
"""Characters of a path in a note."""

_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)
"""What kubectl fetches. podgate asks no hosts but registries."""

_JUDGED_NAMES: Final = frozenset(kind for _, kind in JUDGED)

_CHART: Final = "Chart.yaml"
_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_RENDER_FIRST: Final = "; it looks like a template, which is judged once rendered: helm template CHART"


class Found(NamedTuple):
    """An object of a judged kind, and where it was read: `source` is FILE#N, `place` the lines."""

    source: str
    workload: Workload
    place: Place


@dataclass(slots=True)
class Reading:
    """What was read. `objects` is how many there were; `has_nodes` whether there were Nodes among them.

    `found` are objects of judged kinds, `counting` those that count as if they were in the cluster, `others` how many
    of which kind were passed over, `problems` what could not be read or understood, `notes` what people should know
    beside.
    """

    objects: int = 0
    has_nodes: bool = False
    found: list[Found] = field(default_factory=list)
    counting: list[SourcedObject] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes the objects of judged kinds over, one by one, so that a reading keeps none of them: those that were
    saved from a cluster may be many.

    `take`: False where the object's kind has no pods. Raises MalformedInput. `command`: what objects may be piped into.
    """

    take: Callable[[Object], bool]
    command: str


def read_manifests(
    names: Iterable[str],
    *,
    recursive: bool,
    kinds: Kinds = BUILT_IN,
    places: bool = False,
    taker: Taker | None = None,
) -> Reading:
    """The objects of files, directories and standard input (`-`), in order; each file that is bad is a problem.

    `kinds`: which are judged. `places`: whether somebody wants to know the lines of objects and images. `taker` None:
    objects of judged kinds are kept. Where there is one, a named file that holds nothing is a problem too: it was saved
    by a command that failed.
    """
    return _Files(kinds, taker, places=places).read(names, recursive=recursive)


def read_content(name: str, reader: str = _CHECK) -> bytes:
    """The bytes of a file, or of standard input. `reader`: what they may be piped into. Raises MalformedObject."""
    if name == STDIN and sys.stdin is None:
        raise MalformedObject("cannot be read: it is closed", "stdin")
    try:
        if name == STDIN:
            return read_bounded(sys.stdin.buffer, shown(name))
        with Path(name).open("rb") as stream:
            return read_bounded(stream, name)
    except MalformedObject:  # a ValueError, too
        raise
    except OSError as error:
        hint = f"; addresses are not fetched: curl -fsSL {name} | {reader}" if _ADDRESS.match(name) else ""
        raise MalformedObject(f"cannot be read: {error.strerror or error}{hint}", shown(name)) from None
    except ValueError as error:  # a name with a NUL in it
        raise MalformedObject(f"cannot be read: {error}", name) from None


def shown(name: str) -> str:
    """What messages call a file of the command line."""
    return "stdin" if name == STDIN else name


class _Files:
    """Reads one name of the command line after the other."""

    def __init__(self, kinds: Kinds, taker: Taker | None, *, places: bool) -> None:
        self._reading = Reading()
        self._kinds = kinds
        self._taker = taker
        self._command = taker.command if taker else _CHECK
        self._places = places
        self._charts: list[str] = []
        self._kustomizations: list[str] = []
        self._no_manifests: list[str] = []

    def read(self, names: Iterable[str], *, recursive: bool) -> Reading:
        """All of them."""
        for name in names:
            self._read(name, recursive=recursive)
        self._finish()
        return self._reading

    def _read(self, name: str, *, recursive: bool) -> None:
        """Read a file, or the files of a directory in the order of their names."""
        if not name:
            self._reading.problems.append(Problem("-f: the name of a file is empty"))
            return
        try:
            folder = name != STDIN and Path(name).is_dir()
        except (OSError, ValueError):  # a name that no file can have: opening it says what is wrong
            folder = False
        if not folder:
            self._file(name, in_folder=False)
            return
        files = sorted(self._listed(name, recursive=recursive))
        if not files:
            self._reading.notes.append(f"{name}: no {', '.join(SUFFIXES)} files in it")
        for file in files:
            if Path(file).name == _CHART:
                self._no_manifests.append(file)  # it has an apiVersion, of Helm's
            else:
                self._file(file, in_folder=True)

    def _finish(self) -> None:
        """Says what is about all of it."""
        reading = self._reading
        if not reading.objects and not reading.problems:
            reading.problems.append(Problem(NOTHING_TO_CHECK))
        for folders, what, command in (
            (self._charts, "a Helm chart", "helm template"),
            (self._kustomizations, "a kustomization", "kustomize build"),
        ):
            if folders:
                judged = (
                    f"its files are judged as they stand; {command} {folders[0]} | {self._command} judges the result"
                )
                reading.notes.append(f"{what} in {name_some(folders, NAMED, _LONG)}: {judged}")
        if self._no_manifests:
            number = len(self._no_manifests)
            what = "1 file that holds" if number == 1 else f"{number} files that hold"
            named = name_some(self._no_manifests, NAMED, _LONG)
            reading.notes.append(f"{what} no Kubernetes object passed over: {named}")

    def _listed(self, folder: str, *, recursive: bool) -> Iterator[str]:
        """The manifests of a directory. Links to directories are not followed, as kubectl does not: they may lead in
        circles."""
        for where, folders, files in os.walk(folder, onerror=self._unreadable):
            folders[:] = sorted(folders) if recursive else ()
            if _CHART in files:
                self._charts.append(where)
            if any(name in files for name in _KUSTOMIZATIONS):
                self._kustomizations.append(where)
            for name in sorted(files):
                path = Path(where, name)
                if path.suffix not in SUFFIXES:
                    continue
                if path.exists() and not path.is_file():
                    # Nobody writes into a pipe that lies in a folder; kubectl waits for it for ever.
                    self._reading.problems.append(Problem(f"{path}: cannot be read: it is no file", str(path)))
                else:
                    yield str(path)

    def _unreadable(self, error: OSError) -> None:
        name = str(error.filename)
        self._reading.problems.append(Problem(f"{name}: cannot be read: {error.strerror}", name))

    def _file(self, name: str, *, in_folder: bool) -> None:
        """Read a file. Of a directory, documents that are no Kubernetes object at all are passed over: it may well hold
        other files, such as values. Whoever names a file means it, and is told."""
        reading, file = self._reading, shown(name)
        text, before, passed_over = "", reading.objects + len(reading.problems), 0

        def told(error: MalformedObject) -> None:
            reading.problems.append(Problem(str(error), file, error.line))

        try:
            text = decode_text(read_content(name, self._command), file)
            marks = Marks(text) if self._places else None
            for each in iterate_marked(text, file, marks, told):
                if in_folder and not each.object.get("apiVersion") and not each.object.get("kind"):
                    passed_over += 1
                    continue
                reading.objects += 1
                self._one(each, file, marks)  # one by one: the next may be a mistake
        except MalformedObject as error:
            hint = f"{_RENDER_FIRST} | {self._command}" if "{{" in text else ""
            reading.problems.append(Problem(f"{error}{hint}", file, error.line))
            return
        if passed_over:
            self._no_manifests.append(file)
        elif reading.objects + len(reading.problems) == before:
            empty = f"{file}: no objects in it"
            reading.notes += [] if self._taker and not in_folder else [empty]
            reading.problems += [Problem(empty, file)] if self._taker and not in_folder else []

    def _one(self, each: MarkedObject, file: str, marks: Marks | None) -> None:
        self._reading.has_nodes |= each.object.get("kind") == "Node"
        try:
            if self._taker is not None:
                _give(self._reading, self._taker, each)
            else:
                _keep(self._reading, self._kinds, each, file, marks)
        except MalformedInput as error:
            start = marks.start_of(each.written) if marks is not None else None
            self._reading.problems.append(Problem(str(error), file, start.line if start else None))


def _give(reading: Reading, taker: Taker, each: MarkedObject) -> None:
    """Give an object to who takes it; keep it where it counts as if it were in the cluster. Raises MalformedInput."""
    with located(each.source):
        top = _with_a_version(each.object)
        if counts(each.object):
            reading.counting.append(SourcedObject(each.source, each.object))
        elif not taker.take(each.object):
            reading.others[_name_of(top.text("kind"), top.text("apiVersion"))] += 1


def _with_a_version(obj: Object) -> Fields:
    """An object's fields. Without an apiVersion it is of no kind at all, and kubectl takes it for nothing: raises
    MalformedObject."""
    top = Fields.of(obj)
    if not top.text("apiVersion"):
        raise MalformedObject("is missing", "apiVersion")
    return top


def _keep(reading: Reading, kinds: Kinds, each: MarkedObject, file: str, marks: Marks | None) -> None:
    """Keep what decisions need of an object. Raises MalformedObject."""
    with located(each.source):
        top = _with_a_version(each.object)
        workload = parse_workload(each.object, kinds)
        if workload is not None:
            images: tuple[Span | None, ...] = ()
            if marks is not None:
                images = tuple(marks.place_of(mapping, key) for mapping, key in image_fields(each.object, kinds))
            start = marks.start_of(each.written) if marks is not None else None
            reading.found.append(Found(each.source, workload, Place(file, start, images)))
        elif counts(each.object):
            reading.counting.append(SourcedObject(each.source, each.object))
        else:
            reading.others[_name_of(top.text("kind"), top.text("apiVersion"))] += 1


def _name_of(kind: str, version: str) -> str:
    """A kind that is not judged, with its group where one that is judged has the same name: an API that is not served
    any more (extensions/v1beta1), or somebody's own."""
    return f"{kind} of {version}" if kind in _JUDGED_NAMES else kind
