"""What `podgate scan` shows people: what is in the way first, then what is not known, then how far it all is.

Each line stands for itself, so that it can be searched: an image with its replicas, and below it its owners.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from webhook.core.text import clean
from webhook.report.layout import Lines, laid_out
from webhook.report.survey import Column, Count, ImageSurvey, NamespaceSurvey, State, Survey, Use

_STYLES: Final[dict[State, str]] = {"blocked": "red", "partial": "yellow", "unknown": "yellow", "ready": "green"}
_INDENT: Final = "    "
_OWNERS: Final = 10
"""Owners that are named on a terminal before the others are counted; a pipe gets all of them."""
_LONG: Final = 300

Line = tuple[str, str]
"""A line, and its style."""


def print_survey(survey: Survey, stream: TextIO) -> None:
    """Prints a survey to a stream; colours where it is a terminal and NO_COLOR is not set. A terminal gets lines laid
    out for its width, and the first owners of an image; a pipe gets every one, on a line of its own."""
    lines = Lines(stream)
    for line, style in _lines(survey, _OWNERS if lines.width else 0):
        for part in laid_out(line, lines.width, _INDENT):
            lines.print((part, style))


def _lines(survey: Survey, most_owners: int) -> Iterator[Line]:
    columns = ", ".join(_column(one) for one in survey.columns if one.kind != "demanded")
    yield f"{'Targets' if survey.targets else 'Nodes'}: {columns or 'none'}", "bold"
    for state, text in (
        ("blocked", "Blocked by images that run nowhere where their workloads may land"),
        ("partial", "Images that fail on some of the nodes where their workloads may land"),
        ("unknown", "Images that are not known to run"),
    ):
        images = [image for image in survey.images if image.state == state]
        if images:
            yield "", ""
            yield f"{text}:", "bold"
            for image in images:
                yield from _image(image, survey, most_owners)
    yield from _adrift(survey)
    yield from _namespaces(survey.namespaces, survey.counted)
    yield "", ""
    yield _totals(survey), "bold"


def _column(column: Column) -> str:
    name = clean(column.name)
    if column.kind == "to-come":
        return f"{name} (may come)"
    return name if column.kind == "target" else f"{name} ({column.nodes} node{'' if column.nodes == 1 else 's'})"


def _image(image: ImageSurvey, survey: Survey, most_owners: int) -> Iterator[Line]:
    state = image.state
    concerned = [use for use in image.uses if use.blocked or (state == "unknown" and use.why is not None)]
    replicas = image.replicas_blocked if state != "unknown" else sum(use.replicas for use in concerned)
    noun = survey.counted if replicas != 1 else survey.counted[:-1]
    offers = f"has {', '.join(map(clean, image.platforms))}" if image.platforms else "platforms not known"
    yield f"{replicas} {noun}  {clean(image.image, _LONG)}  {offers}", _STYLES.get(state, "")
    if image.error is not None:
        yield f"{_INDENT}{image.error[0]}: {clean(image.error[1], _LONG)}", ""
    for column, cell in zip(survey.columns, image.cells, strict=True):
        if cell is not None and cell.verdict != "runs":
            others = f" ({cell.replicas} of {image.replicas} {survey.counted})" if cell.others else ""
            yield f"{_INDENT}{clean(column.name)}: {cell.verdict}, {cell.why}{others}", ""
    if image.suggestion is not None:
        offered = ", ".join(map(clean, image.suggestion.platforms))
        again = "the tag has it by now" if image.suggestion.same_tag else "try"
        yield f"{_INDENT}{again}: {clean(image.suggestion.image, _LONG)}  has {offered}", "cyan"
    yield from _uses(concerned, survey, most_owners)


def _uses(uses: Sequence[Use], survey: Survey, most: int) -> Iterator[Line]:
    shown = uses[:most] if most else uses
    for use in shown:
        containers = ", ".join(clean(name) for name in use.containers)
        count = f"{use.replicas} " if survey.counted == "replicas" else ""
        yield f"{_INDENT}{count}{clean(str(use.owner), _LONG)} ({containers})", ""
    if len(shown) < len(uses):
        yield f"{_INDENT}and {len(uses) - len(shown)} more", ""


def _adrift(survey: Survey) -> Iterator[Line]:
    """Workloads that are not ready for another reason than one of their images."""
    for refused, title in (
        (True, "Workloads that nodes refuse, since they ask for another os:"),
        (False, "Workloads that may land on none of these nodes:"),
    ):
        adrift = [one for one in survey.adrift if one.refused is refused]
        if adrift:
            yield "", ""
            yield title, "bold"
        for one in adrift:
            why = f"asks for {', '.join(one.demands)}" if one.demands else one.reason
            yield f"{_INDENT}{one.replicas} {clean(str(one.owner), _LONG)} ({why})", _STYLES[one.state]


def _namespaces(namespaces: Sequence[NamespaceSurvey], counted: str) -> Iterator[Line]:
    if len(namespaces) < 2:
        return
    yield "", ""
    yield "Namespaces ready:", "bold"
    width = max(len(clean(one.name)) for one in namespaces)
    for one in namespaces:
        style = next((_STYLES[state] for state in _STYLES if getattr(one.workloads, state)), "")
        yield f"{_INDENT}{clean(one.name).ljust(width)}  {_of(one.replicas, counted)}", style


def _of(count: Count, noun: str) -> str:
    """How many of all that were judged are ready, and what the rest is."""
    parts = [f"{getattr(count, state)} {state}" for state in ("blocked", "partial", "unknown") if getattr(count, state)]
    rest = f" ({', '.join(parts)})" if parts else ""
    return f"{count.ready} of {count.judged} {noun}{rest}"


def _totals(survey: Survey) -> str:
    workloads = survey.workload_count
    skipped = f"; {workloads.skipped} not judged" if workloads.skipped else ""
    if survey.counted == "objects":
        return f"ready: {_of(workloads, 'objects')}{skipped}"
    return f"ready: {_of(survey.replicas, 'replicas')}, {_of(workloads, 'workloads')}{skipped}"
