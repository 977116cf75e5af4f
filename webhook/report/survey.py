"""What runs where, image by image: the model behind the reports of `podgate scan`, and of `podgate check -o html`.

Nothing is judged here. Whether a workload could run is the service's own judgement over the nodes that it may land on;
an image's cell under a column is what the service found for it there. This module counts and groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from webhook.core.decision import Reason
from webhook.core.errors import ErrorCode
from webhook.core.fleet import Owner
from webhook.core.outcome import Verdict, Why

State = Literal["ready", "partial", "blocked", "unknown", "skipped"]
"""What becomes of a workload on the nodes looked at.

ready: it runs wherever it may land, or on some and is not known to fail on any. partial: it runs on some and fails on
others. blocked: it fails on all, a DaemonSet's on any. unknown: it is not known, or it may land on none of them.
skipped: podgate does not judge it.
"""

STATES: Final[tuple[State, ...]] = ("blocked", "partial", "unknown", "ready", "skipped")
"""All of them, the worst first."""

STATE_OF: Final[dict[Reason, State]] = {
    "match": "ready",
    "partial": "partial",
    "mismatch": "blocked",
    "undetermined": "unknown",
    "no-candidates": "unknown",
    "skipped": "skipped",
}
"""By the reason of the service's judgement."""


@dataclass(frozen=True, slots=True)
class Column:
    """A platform that images are looked at for.

    `name` heads the column: a target as it was written, else a platform. `nodes` is how many nodes there are of it: 0
    where there is none yet. `kind`: nodes that are there, a target of the command line, nodes that may come (declared
    in settings, or of a NodePool), or a platform that workloads demand and no node has.
    """

    name: str
    platform: str
    nodes: int
    kind: Literal["nodes", "target", "to-come", "demanded"] = "nodes"


@dataclass(frozen=True, slots=True)
class Cell:
    """What becomes of an image on the nodes of a column: the worst that was found, and why.

    Workloads may see different outcomes for one image (another runtime among the nodes that they may land on, another
    list that says whom a config belongs to): `replicas` is how many of the image's the worst is about, and `others` are
    the verdicts of the rest, none where all agree.
    """

    verdict: Verdict
    why: Why
    replicas: int
    others: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """An owner that uses an image: in which containers, in how many replicas, and what becomes of the workload.

    `blocked`: this very image fails somewhere that the workload may land on. A workload that is blocked by its sidecar
    alone is in the state `blocked` under its other images too, where this is false; so is one that nodes refuse for the
    os that it asks for. `why` is why the image fails (or is not known) for this owner, None where it runs.
    """

    owner: Owner
    containers: tuple[str, ...]
    replicas: int
    state: State
    blocked: bool
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another tag of the same repository that has what is missing: `image` is the whole reference to write instead.

    `digest` and `platforms` are the tag's now. `same_tag`: it is the tag that is written already, whose image has
    changed since the digest that stands beside it.
    """

    image: str
    tag: str
    digest: str
    platforms: tuple[str, ...]
    same_tag: bool = False


@dataclass(frozen=True, slots=True)
class ImageSurvey:
    """One image and who uses it. Where two workloads find different things under one name (one may pull it, the other
    may not), there is one of these for each.

    `image` is as somebody wrote it; `resolved` is name@digest, empty where it could not be resolved; `platforms` those
    that it declares, as text; `error` is (code, message for people) or None. `cells` stand in the order of the survey's
    columns, None where nothing is known of a column. `suggestion` is None where there is none, or none was looked for.
    """

    image: str
    resolved: str
    kind: Literal["index", "manifest", "unknown"]
    platforms: tuple[str, ...]
    error: tuple[ErrorCode, str] | None
    cells: tuple[Cell | None, ...]
    uses: tuple[Use, ...]
    suggestion: Suggestion | None = None

    @property
    def replicas(self) -> int:
        """Of all who use it."""
        return sum(use.replicas for use in self.uses)

    @property
    def blocks(self) -> bool:
        """Whether it keeps a workload from running wherever that may land."""
        return any(use.state == "blocked" and use.blocked for use in self.uses)

    @property
    def state(self) -> State:
        """What it does to its users: `blocked`, `partial` where it fails on some of the nodes of one, `unknown` where
        it is not known to run for one that is in that state, else `ready`."""
        if self.blocks:
            return "blocked"
        if any(use.state == "partial" and use.blocked for use in self.uses):
            return "partial"
        if any(use.state == "unknown" and use.why is not None for use in self.uses):
            return "unknown"
        return "ready" if any(use.state != "skipped" for use in self.uses) else "skipped"

    @property
    def replicas_blocked(self) -> int:
        """Of those whom it keeps from running."""
        return sum(use.replicas for use in self.uses if use.blocked and use.state in ("blocked", "partial"))


@dataclass(frozen=True, slots=True)
class Count:
    """How many are in each state."""

    ready: int = 0
    partial: int = 0
    blocked: int = 0
    unknown: int = 0
    skipped: int = 0

    @property
    def judged(self) -> int:
        """All but those that podgate does not judge."""
        return self.ready + self.partial + self.blocked + self.unknown

    @classmethod
    def of(cls, states: Sequence[tuple[State, int]]) -> "Count":
        """Sums numbers up by state."""
        sums: dict[State, int] = dict.fromkeys(STATES, 0)
        for state, number in states:
            sums[state] += number
        return cls(**sums)


@dataclass(frozen=True, slots=True)
class WorkloadSurvey:
    """One owner: its replicas, its state, and the service's reason for that. Where its pods differ (in the middle of a
    rollout), the worst counts for all of them. `missing` are the platforms of candidates on which it fails.

    `demands` are the platforms that it asks for where it may land on none of the nodes looked at: what is pinned to
    amd64 is `unknown` on arm64, though it runs where it is. None where it may land on some, or asks for no platform.
    """

    owner: Owner
    replicas: int
    state: State
    reason: Reason
    missing: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Of a workload that none of its images keeps from running: whether nodes refuse it for the os that it asks
        for. If not, it may land on none."""
        return self.reason in ("mismatch", "partial")


@dataclass(frozen=True, slots=True)
class NamespaceSurvey:
    """How far a namespace is; `name` is empty for objects that are in none."""

    name: str
    replicas: Count
    workloads: Count


@dataclass(frozen=True)
class Survey:
    """Everything that was looked at.

    `counted` says what a replica is: a pod that runs, or (in a check of files) an object. `targets`: the columns are
    targets, not today's nodes. Images stand with those that block most replicas first, then those that fail in part,
    then those of which something is not known, then the rest, the most used first. `problems` are what could not be
    read: with any of these the survey is not complete.
    """

    columns: tuple[Column, ...]
    images: tuple[ImageSurvey, ...]
    workloads: tuple[WorkloadSurvey, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    counted: Literal["replicas", "objects"] = "replicas"
    targets: bool = False

    @cached_property
    def namespaces(self) -> tuple[NamespaceSurvey, ...]:
        """By namespace, in the order of their names."""
        grouped: dict[str, list[WorkloadSurvey]] = {}
        for one in self.workloads:
            grouped.setdefault(one.owner.namespace, []).append(one)
        return tuple(NamespaceSurvey(name, *_counts(grouped[name])) for name in sorted(grouped))

    @cached_property
    def adrift(self) -> tuple[WorkloadSurvey, ...]:
        """Workloads that are not ready for another reason than one of their images."""
        named = {use.owner for image in self.images for use in image.uses if use.blocked or use.why is not None}
        return tuple(one for one in self.workloads if one.state not in ("ready", "skipped") and one.owner not in named)

    @cached_property
    def replicas(self) -> Count:
        """All replicas by state."""
        return _counts(self.workloads)[0]

    @cached_property
    def workload_count(self) -> Count:
        """All workloads by state."""
        return _counts(self.workloads)[1]


def _counts(workloads: Sequence[WorkloadSurvey]) -> tuple[Count, Count]:
    replicas = Count.of([(one.state, one.replicas) for one in workloads])
    return replicas, Count.of([(one.state, 1) for one in workloads])
