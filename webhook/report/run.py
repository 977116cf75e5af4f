"""A run of `podgate check` as every form of output is given it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from webhook.core.scheduling import Node
from webhook.report.document import Checked

FailOn = Literal["deny", "warn", "never"]
"""From which decision on a run fails."""

_FAILING: Final[dict[FailOn, frozenset[str]]] = {
    "deny": frozenset({"deny"}),
    "warn": frozenset({"deny", "warn"}),
    "never": frozenset(),
}

UNREADABLE: Final = 2
"""The exit code where something could not be read, or was not understood."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read or understood. `text` is the whole line that people are told, names included.

    `file` is where it is (stdin for standard input), empty where it is in no file; `line` counts from 1, None where it
    is not known.
    """

    text: str
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class CheckRun:
    """What a run found: objects in the order in which they were read, and what people are told beside them.

    `notes` are remarks that change nothing, `problems` what makes the run incomplete. `against` says in words what
    stood for the cluster ("2 nodes of nodes.yaml"), empty where nothing was judged. `root` is the folder of the source
    tree, below which reports for code hosts name files; empty: files are named as they were given. `targets` are nodes
    that were thought to be there.
    """

    checked: Sequence[Checked]
    notes: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    fail_on: FailOn = "deny"
    against: str = ""
    root: str = ""
    targets: Sequence[Node] = ()

    def fails(self, one: Checked) -> bool:
        """Whether the run fails for this object."""
        return one.judgement.decision in _FAILING[self.fail_on]

    @property
    def exit_code(self) -> int:
        """0 nothing failed, 1 something did, 2 something could not be read or was not understood."""
        if self.problems:
            return UNREADABLE
        return int(any(map(self.fails, self.checked)))
