"""Outcomes: what would become of one image on one node. Values, never exceptions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["runs", "fails", "uncertain"]

Why = Literal[
    "fits",
    "fits-variant-not-given",
    "fits-by-manifest-list",
    "no-matching-entry",
    "config-mismatch",
    "config-contradicted",
    "platform-unknown",
    "image-unresolved",
    "matchers-disagree",
    "node-platform-unknown",
    "not-pulled",
    "short-name",
    "invalid-reference",
    "unsupported",
    "refused-by-kubelet",
    "exempt",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image on one node: the verdict and why. The words are those of the JSON that `podgate check` prints."""

    verdict: Verdict
    why: Why


def runs(why: Why) -> Outcome:
    """The image runs on the node, as far as platforms go."""
    return Outcome("runs", why)


def fails(why: Why) -> Outcome:
    """The pull is refused, or the container cannot be executed."""
    return Outcome("fails", why)


def uncertain(why: Why) -> Outcome:
    """It is not known; never a guess in either direction."""
    return Outcome("uncertain", why)


def worst(outcomes: Iterable[Outcome]) -> Verdict:
    """What a pod does on a node, from its images: `fails` if any fails, else `uncertain` if any is, else `runs`."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if "fails" in verdicts:
        return "fails"
    return "uncertain" if "uncertain" in verdicts else "runs"
