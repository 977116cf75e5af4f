"""One cell of the matrix, what was found there, and what must not be found there."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.catalogue import ATTEMPTS, TOO_LONG, Illness
from tests.faults.samples import Fit, Kind, State, host_of
from tests.faults.webhook import Told
from webhook.core.wording import error_text

STALE = "judged by what it said before"
"""What a denial says where an old answer stands in for a registry. Who is let in by one reads nothing: the log does."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One image in a state, in one registry, whose label is `label`."""

    illness: Illness
    label: str
    kind: Kind
    state: State
    fit: Fit

    @property
    def host(self) -> str:
        """The registry's name for this image alone."""
        return host_of(self.label, self.kind, self.state, self.fit)

    @property
    def repository(self) -> str:
        return f"{self.kind}-{self.fit}"

    @property
    def readable(self) -> bool:
        """Whether all that decides can be had in spite of the fault."""
        return self.kind in self.illness.readable

    def __str__(self) -> str:
        return f"{self.illness.name}: {self.state} {self.kind} that {'fits' if self.fit == 'fits' else 'does not fit'}"


@dataclass
class Found:
    """What a run gave: answers and numbers of requests by cell, and what was wrong."""

    told: dict[Cell, Told] = field(default_factory=dict)
    requests: dict[Cell, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def is_right(cell: Cell, told: Told) -> bool:
    """Whether an answer is the one that the image deserves."""
    wanted = (True, "allow", "match") if cell.fit == "fits" else (False, "deny", "mismatch")
    return (told.allowed, told.decision, told.reason) == wanted


def broken(cell: Cell, told: Told, *, answered: bool, timeout: float) -> Iterator[str]:
    """What is wrong with an answer under a fault. `answered`: the registry gave some answer 200, whole, meanwhile; with
    its digest that is what a known image is seen by to be the same."""
    if told.seconds >= timeout:
        yield f"answered after {told.seconds:.1f} s, and the API server waits for {timeout} s"
    if cell.fit == "fits" and not told.allowed:
        yield f"a pod that would run is denied: {told.words}"
    if is_right(cell, told):
        yield from _unproven(cell, told, answered=answered)
    elif (told.allowed, told.decision, told.reason) != (True, "warn", "undetermined"):
        yield f"{told.decision} {told.reason}: {told.words}"
    elif told.code is None or error_text(told.code) not in told.words:
        yield f"the warning does not say what is wrong ({told.code}): {told.words}"
    if cell.readable and not is_right(cell, told):
        yield f"all could be read, and it is {told.decision} {told.reason} ({told.code})"


def _unproven(cell: Cell, told: Told, *, answered: bool) -> Iterator[str]:
    """Why an answer without doubt should have had one."""
    if cell.state == "cold" and not cell.readable:
        yield f"{told.decision} {told.reason}, and nothing is known"
    if told.stale and not told.allowed and STALE not in told.words:
        yield f"denied by an old answer, and that is not said: {told.words}"
    if not told.stale and not answered:
        yield f"{told.decision} {told.reason}, and no registry has answered"


def miscounted(cell: Cell, requests: int) -> Iterator[str]:
    """What is wrong with the number of requests that the registry got for one review under a fault."""
    bounds = ATTEMPTS.get(cell.illness.does)
    if bounds is None or cell.readable:
        return
    fewest, most = bounds
    if cell.state == "cached":
        fewest = 1  # a HEAD may do
        if cell.illness.does != TOO_LONG:
            most = max(most, 2)  # and where nothing comes of it, a GET follows
    if not fewest <= requests <= most * cell.illness.steps:
        yield f"asked {requests} times, and it {cell.illness.does}"


def broken_when_well(cell: Cell, told: Told) -> Iterator[str]:
    """What is wrong with an answer where nothing is."""
    if not is_right(cell, told) or told.stale or told.code is not None:
        yield f"{told.decision} {told.reason} ({told.code}{', stale' if told.stale else ''}): {told.words}"
