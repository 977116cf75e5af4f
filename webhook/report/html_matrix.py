"""The matrix of the HTML report: images by platforms. It is the whole of the survey; other parts lead to its rows."""

from collections.abc import Iterator
from typing import Final

from webhook.core.outcome import Verdict
from webhook.report.html_text import Html, foreign, joined, tag
from webhook.report.html_words import STATES, VERDICTS, WHYS, column_means, counted, number, owners_noun
from webhook.report.survey import Cell, Column, ImageSurvey, Suggestion, Survey, Use

CLASSES: Final[dict[Verdict, str]] = {"fails": "bad", "uncertain": "unsure", "runs": "good"}
"""A verdict's class: its colour, and what cells are sorted by."""


def matrix(survey: Survey) -> Html:
    """The section with the table, which scrolls inside a region of its own where it is wider than the page."""
    if not survey.images:
        return joined()
    heads = [_head("Image", "text"), *map(_column_head, survey.columns), _head("State", "state")]
    if survey.counted == "replicas":
        heads.append(_head("Replicas", "number"))
    rows = [_row(index, image, survey) for index, image in enumerate(survey.images)]
    table = tag(
        "table",
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
        class_="matrix",
        aria_labelledby="images",
    )
    return tag(
        "section",
        tag("h2", "Images and platforms", id="images"),
        scrolling(table, "images"),
    )


def scrolling(table: Html, label: str) -> Html:
    """A table in a region that scrolls where the page is too narrow for it; the keyboard gets there, too. `label` is
    the id of its heading."""
    return tag("div", table, class_="scroll", role="region", aria_labelledby=label, tabindex=0)


def suggested(suggestion: Suggestion) -> Html:
    """What to write instead of an image."""
    lead = "The tag has it by now: " if suggestion.same_tag else "Try "
    platforms = f" ({', '.join(suggestion.platforms)})" if suggestion.platforms else ""
    return tag("p", lead, foreign(suggestion.image), tag("small", foreign(platforms, element="span")), class_="tip")


def error_of(image: ImageSurvey) -> Html:
    """What kept an image from being looked up, nothing where nothing did."""
    if image.error is None:
        return joined()
    return tag("p", f"{image.error[0]}: ", foreign(image.error[1], element="span"), class_="error")


def use_line(use: Use, survey: Survey, *, with_state: bool = True) -> Html:
    """An owner, and where in it the image is."""
    facts = [counted(use.replicas, "replica")] if survey.counted == "replicas" else []
    if with_state:
        elsewhere = use.state in ("blocked", "partial") and not use.blocked
        facts.append(f"{STATES[use.state].lower()}{', not by this image' if elsewhere else ''}")
    containers = "container" if len(use.containers) == 1 else "containers"
    named = foreign(", ".join(use.containers), element="span")
    facts.append(f"{containers} ")
    return tag("li", foreign(str(use.owner), element="span"), " ", tag("small", ", ".join(facts), named))


def _head(name: str, kind: str) -> Html:
    """`kind` is how the script sorts by it."""
    return tag("th", name, scope="col", data_sort=kind)


def _column_head(column: Column) -> Html:
    name = foreign(column.name, element="span")
    return tag("th", name, " ", tag("small", column_means(column)), scope="col", data_sort="state")


def _row(index: int, image: ImageSurvey, survey: Survey) -> Html:
    cells = [
        tag("th", *_image(image, survey), scope="row"),
        *(_cell(cell, survey) for cell in image.cells),
        tag("td", STATES[image.state], class_=f"state {image.state}"),
    ]
    if survey.counted == "replicas":
        cells.append(tag("td", number(image.replicas), class_="number"))
    return tag("tr", *cells, id=f"image-{index}")


def _image(image: ImageSurvey, survey: Survey) -> Iterator[Html]:
    yield foreign(image.image)
    yield error_of(image)
    users = [use_line(use, survey) for use in image.uses]
    facts = [
        tag("p", "has ", foreign(", ".join(image.platforms) or "no platform", element="span")),
        tag("p", "resolved to ", foreign(image.resolved)) if image.resolved else joined(),
        joined() if image.suggestion is None else suggested(image.suggestion),
        tag("ul", *users),
    ]
    yield tag("details", tag("summary", counted(len(users), owners_noun(survey))), *facts)


def _cell(cell: Cell | None, survey: Survey) -> Html:
    if cell is None:
        return tag("td", "not asked", class_="none")
    words = [WHYS[cell.why][0]] if WHYS[cell.why][0] else []
    if cell.others:
        whom = f"for {counted(cell.replicas, survey.counted.removesuffix('s'))}"
        words.append(f"{whom}, else {' or '.join(VERDICTS[other] for other in cell.others)}")
    why = [" ", tag("small", "; ".join(words))] if words else []
    return tag("td", tag("b", VERDICTS[cell.verdict]), *why, class_=CLASSES[cell.verdict])
