"""The words of the HTML report: what states, verdicts and reasons are called where there is room for few words."""

from collections.abc import Mapping, Sequence
from typing import Final

from webhook.core.outcome import Verdict, Why
from webhook.core.text import either
from webhook.report.survey import Column, State, Survey

STATES: Final[Mapping[State, str]] = {
    "blocked": "Blocked",
    "partial": "In part",
    "unknown": "Unknown",
    "ready": "Ready",
    "skipped": "Not judged",
}

STATE_MEANS: Final[Mapping[State, str]] = {
    "blocked": "fails wherever it may land; a DaemonSet: on any node that it is to run on",
    "partial": "fails on some of the nodes that it may land on, and runs on others",
    "unknown": "an image or its platform is not known, or it may land on none of these nodes",
    "ready": "runs wherever it may land; or runs somewhere, and is not known to fail anywhere",
    "skipped": "passed over, as the settings or its owner say",
}

VERDICTS: Final[Mapping[Verdict, str]] = {"runs": "runs", "fails": "fails", "uncertain": "uncertain"}

WHYS: Final[Mapping[Why, tuple[str, str]]] = {
    "fits": ("", "The image is for this platform."),
    "fits-variant-not-given": ("no variant given", "The image is for this architecture and names no variant of it."),
    "fits-by-manifest-list": (
        "by its list",
        "A manifest list says so; the image's config is mislabelled.",
    ),
    "no-matching-entry": ("no entry for it", "The pull is refused: no match for platform in manifest."),
    "config-mismatch": ("of another platform", "The image is pulled, and its container ends in: exec format error."),
    "config-contradicted": ("list and config differ", "A manifest list and the image's config contradict each other."),
    "platform-unknown": ("names no platform", "The image does not say which platform it is for."),
    "image-unresolved": ("not looked up", "The image could not be looked up; the error stands beside its name."),
    "matchers-disagree": ("runtimes differ", "Container runtimes differ on this image, and the node's is not known."),
    "node-platform-unknown": ("platform not known", "The node does not say which platform it is."),
    "not-pulled": ("never pulled", "imagePullPolicy Never: the node runs what it has."),
    "short-name": ("short name", "CRI-O looks an unqualified name up in the node's own configuration."),
    "invalid-reference": ("invalid name", "No kubelet pulls it: the reference is invalid."),
    "unsupported": ("format not pulled", "Of a kind that containerd does not pull, as Docker's schema 1 from 2.1 on."),
    "refused-by-kubelet": ("asks for another os", "The kubelet refuses the pod, which asks for another os."),
    "exempt": ("exempt", "The settings exempt the image."),
}
"""By reason: a few words for a cell (none where the verdict says it all), and what they mean."""


def number(count: int) -> str:
    """A count as people read it: `12,000`."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """A count and what it counts: `1 replica`, `2 replicas`."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def owners_noun(survey: Survey) -> str:
    """What the survey is made of, one of it."""
    return "workload" if survey.counted == "replicas" else "object"


def headline(survey: Survey) -> str:
    """The result in a sentence."""
    count = survey.workload_count
    noun = owners_noun(survey)
    if not count.judged:
        return f"No {noun}s to judge"
    where = _where(survey)
    some = f"of {counted(count.judged, noun)}"
    if count.blocked:
        return f"{number(count.blocked)} {some} cannot run {where}"
    if count.partial:
        return f"{number(count.partial)} {some} cannot run on some of the nodes that they may land on"
    if count.unknown:
        return f"{number(count.unknown)} {some} {'is' if count.unknown == 1 else 'are'} not known to run {where}"
    return f"{'The' if count.judged == 1 else 'All'} {counted(count.judged, noun)} can run {where}"


def _where(survey: Survey) -> str:
    if any(column.kind != "target" for column in survey.columns) or not survey.columns:
        return "on the nodes that they may land on"
    return f"on {either([column.name for column in survey.columns])}"


def column_means(column: Column) -> str:
    """What stands behind a column."""
    if column.kind == "nodes":
        return counted(column.nodes, "node")
    return {"target": "target", "to-come": "may come", "demanded": "no node has it"}[column.kind]


def whys_of(survey: Survey) -> Sequence[Why]:
    """The reasons that need explaining, in the order of their table."""
    seen = {cell.why for image in survey.images for cell in image.cells if cell is not None}
    seen |= {use.why for image in survey.images for use in image.uses if use.why is not None}
    return [why for why, (words, _) in WHYS.items() if why in seen and words]
