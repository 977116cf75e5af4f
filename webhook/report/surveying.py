"""From judgements to a survey: groups by image and by owner."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from webhook.core.decision import ImageFinding, Judgement
from webhook.core.errors import InvalidReference
from webhook.core.fleet import Owner
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import Outcome, Verdict, Why
from webhook.core.platform import format_platform
from webhook.core.reference import parse_image
from webhook.core.scheduling import Node
from webhook.report.document import Checked
from webhook.report.survey import STATE_OF, STATES, Cell, Column, ImageSurvey, State, Survey, Use, WorkloadSurvey

UNKNOWN_PLATFORM: Final = "unknown"
"""The column of nodes that do not say what they are."""

_WORST: Final[tuple[Verdict, ...]] = ("fails", "uncertain", "runs")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One kind of pod of one owner: the service's judgement of it, and how many there are.

    `elsewhere`: what the service finds of the same images where the pod demands nothing of a node, for columns that it
    cannot land on; None: it may land on all.
    """

    owner: Owner
    replicas: int
    judgement: Judgement
    elsewhere: Judgement | None = None


def survey_of(entries: Sequence[Surveyed], nodes: Sequence[Node], *, targets: Sequence[Node] = ()) -> Survey:
    """The survey of judged workloads. `nodes` are those that are there, `targets` those that are thought to be."""
    table = _Table(nodes, targets)
    for entry in entries:
        table.add(entry, _demands(entry.judgement))
    return table.survey()


def survey_of_checked(checked: Sequence[Checked], *, targets: Sequence[Node] = ()) -> Survey:
    """The survey of what `podgate check` has judged. Each object counts once: how many replicas it will have, an
    autoscaler may say."""
    entries = []
    nodes: dict[str, Node] = {}
    for one in checked:
        workload = one.judgement.workload
        entries.append(Surveyed(Owner(workload.kind, workload.namespace, workload.name), 1, one.judgement))
        nodes |= {
            node.name: node
            for finding in one.judgement.findings
            for node in finding.nodes
            if node.name and node not in targets and not node.name.startswith("declared ")
        }
    table = _Table(tuple(nodes.values()), targets)
    for entry in entries:
        table.add(entry, ())  # the state is that of the decision, which counts the platforms that a pod asks for
    return replace(table.survey(), counted="objects")


def platform_text(node: Node) -> str:
    """The platform of a node as a column's head has it."""
    return UNKNOWN_PLATFORM if node.platform is None else format_platform(node.platform)


@dataclass(slots=True)
class _Seen:
    """What one image has shown so far: outcomes by column, weighed by replicas, and who uses it."""

    finding: ImageFinding
    outcomes: dict[str, Counter[Outcome]] = field(default_factory=dict)
    uses: dict[Owner, Use] = field(default_factory=dict)

    def note(self, column: str, outcome: Outcome, weight: int) -> None:
        # A workload without replicas has an opinion too.
        self.outcomes.setdefault(column, Counter())[outcome] += max(weight, 1)

    def use(self, use: Use) -> None:
        earlier = self.uses.get(use.owner)
        if earlier is None:
            self.uses[use.owner] = use
            return
        worse = min(earlier, use, key=lambda one: (not one.blocked, STATES.index(one.state)))
        containers = tuple(dict.fromkeys((*earlier.containers, *use.containers)))
        self.uses[use.owner] = replace(worse, containers=containers, replicas=earlier.replicas + use.replicas)


class _Table:
    """Columns, images and owners as they come."""

    def __init__(self, nodes: Sequence[Node], targets: Sequence[Node]) -> None:
        self._targets = {target.name: target for target in targets if target.name}
        self._columns: dict[str, Column] = {}
        for target in targets:
            name = str(target.name)
            self._columns[name] = Column(name, platform_text(target), 0, "target")
        for platform, count in Counter(map(platform_text, nodes)).most_common():
            self._columns.setdefault(platform, Column(platform, platform, count))
        self._images: dict[tuple[object, ...], _Seen] = {}
        self._owners: dict[Owner, WorkloadSurvey] = {}

    def add(self, entry: Surveyed, demands: tuple[str, ...]) -> None:
        """One judged workload. `demands`: the platforms that it asks for, where no node looked at is of any."""
        judgement = entry.judgement
        state = STATE_OF[judgement.reason]
        if demands and state in ("ready", "partial"):
            state = "unknown"
        self._own(entry, state, demands)
        if state == "skipped":
            return
        seen = [self._image(finding) for finding in _images(entry)]
        found = [(tuple(self._columns_of(finding.nodes)), finding.outcomes) for finding in judgement.findings]
        for number, image in enumerate(judgement.workload.images):
            outcomes = [each[number] for _, each in found]
            seen[number].use(_use(entry, state, image.container, outcomes))
        here = _cells(found)
        beyond = entry.elsewhere.findings if entry.elsewhere else ()
        there = _cells((tuple(self._columns_of(finding.nodes)), finding.outcomes) for finding in beyond)
        for (number, column), outcome in (there | here).items():
            seen[number].note(column, outcome, entry.replicas)

    def survey(self) -> Survey:
        """All of it, in its order."""
        columns = tuple(self._columns.values())
        images = [_image(seen, columns) for seen in self._images.values()]
        images.sort(key=lambda one: (STATES.index(one.state), -one.replicas_blocked, -one.replicas, one.image))
        workloads = sorted(self._owners.values(), key=_by_owner)
        return Survey(columns, tuple(images), tuple(workloads), targets=bool(self._targets))

    def _own(self, entry: Surveyed, state: State, demands: tuple[str, ...]) -> None:
        judgement = entry.judgement
        failing = (finding.nodes for finding in judgement.findings if finding.verdict == "fails")
        missing = tuple(dict.fromkeys(platform_text(group.first) for group in failing))
        own = WorkloadSurvey(entry.owner, entry.replicas, state, judgement.reason, missing, demands)
        earlier = self._owners.get(entry.owner)
        if earlier is not None:
            worse = min(earlier, own, key=lambda one: STATES.index(one.state))
            missing = tuple(dict.fromkeys((*earlier.missing, *own.missing)))
            own = replace(worse, replicas=earlier.replicas + own.replicas, missing=missing)
        self._owners[entry.owner] = own

    def _columns_of(self, group: NodeGroup) -> Iterator[str]:
        """The columns that the nodes of a group belong to; what has none yet gets one."""
        targets = [str(node.name) for node in group if node.name in self._targets] if self._targets else []
        yield from targets
        if len(targets) == len(group):
            return
        first = group.first
        platform = platform_text(first)
        if platform not in self._columns:
            kind: Literal["to-come", "demanded"] = "demanded" if first.name is None else "to-come"
            self._columns[platform] = Column(platform, platform, 0, kind)
        yield platform

    def _image(self, finding: ImageFinding) -> _Seen:
        code = finding.error[0] if finding.error else ""
        what = finding.resolved, finding.kind, frozenset(finding.platforms), code, finding.on_crio
        return self._images.setdefault((image_key(finding.image), *what), _Seen(finding))


def _demands(judgement: Judgement) -> tuple[str, ...]:
    """The platforms that stand in for nodes, where there is no node that the pods may land on."""
    if any(finding.node.name is not None for finding in judgement.findings):
        return ()
    return tuple(dict.fromkeys(platform_text(finding.node) for finding in judgement.findings))


def _images(entry: Surveyed) -> Sequence[ImageFinding]:
    """What is known of the images; without any node that would take the pod nothing has been looked up for it."""
    here, there = entry.judgement.images, entry.elsewhere.images if entry.elsewhere else ()
    if here and there:
        return [one if one.resolved or one.error else other for one, other in zip(here, there, strict=True)]
    written = [ImageFinding(one.container, one.image, role=one.role) for one in entry.judgement.workload.images]
    return here or there or written


def _cells(found: Iterable[tuple[Sequence[str], Sequence[Outcome]]]) -> dict[tuple[int, str], Outcome]:
    """The worst outcome of each image (by its number) under each column, for one workload."""
    cells: dict[tuple[int, str], Outcome] = {}
    for columns, outcomes in found:
        for number, outcome in enumerate(outcomes):
            if outcome.why == "refused-by-kubelet":
                continue  # it says nothing of the image
            for column in columns:
                earlier = cells.setdefault((number, column), outcome)
                if _WORST.index(outcome.verdict) < _WORST.index(earlier.verdict):
                    cells[number, column] = outcome
    return cells


def image_key(text: str) -> str:
    """The image that a text names, however it is spelled (`nginx`, `docker.io/library/nginx:latest`)."""
    try:
        return parse_image(text).canonical
    except InvalidReference:
        return text


def _use(entry: Surveyed, state: State, container: str, outcomes: Iterable[Outcome]) -> Use:
    """How an owner uses an image that has these outcomes on the nodes that the owner's pods may land on."""
    by_verdict: dict[Verdict, Why] = {}
    for outcome in outcomes:
        if outcome.why != "refused-by-kubelet":  # it says nothing of the image
            by_verdict.setdefault(outcome.verdict, outcome.why)
    why = by_verdict.get("fails") or by_verdict.get("uncertain")
    return Use(entry.owner, (container,), entry.replicas, state, "fails" in by_verdict, why)


def _image(seen: _Seen, columns: Sequence[Column]) -> ImageSurvey:
    finding = seen.finding
    cells = tuple(_cell(seen.outcomes.get(column.name)) for column in columns)
    uses = sorted(seen.uses.values(), key=lambda use: (STATES.index(use.state), -use.replicas, str(use.owner)))
    return ImageSurvey(
        finding.image, finding.resolved, finding.kind, finding.platforms, finding.error, cells, tuple(uses)
    )


def _cell(outcomes: Mapping[Outcome, int] | None) -> Cell | None:
    if not outcomes:
        return None
    verdicts: dict[Verdict, int] = {}
    for outcome, weight in outcomes.items():
        verdicts[outcome.verdict] = verdicts.get(outcome.verdict, 0) + weight
    worst = next(verdict for verdict in _WORST if verdict in verdicts)
    whys = [(weight, outcome.why) for outcome, weight in outcomes.items() if outcome.verdict == worst]
    why = max(whys, key=lambda pair: pair[0])[1]
    return Cell(
        worst, why, verdicts[worst], tuple(verdict for verdict in _WORST if verdict in verdicts and verdict != worst)
    )


def _by_owner(one: WorkloadSurvey) -> tuple[str, str, str]:
    return one.owner.namespace, one.owner.kind, one.owner.name
