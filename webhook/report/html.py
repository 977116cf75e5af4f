"""The report for a browser: one file without anything from outside, for `podgate scan` and `podgate check`.

It is whole and readable without scripts; a small script of its own adds the filter and sorting. Styles and script are
allowed by their hashes alone (Content-Security-Policy), so that no name in it could run, even out of its place.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, TextIO

from webhook.report.html_matrix import error_of, matrix, scrolling, suggested, use_line
from webhook.report.html_text import Html, foreign, joined, tag
from webhook.report.html_words import (
    STATE_MEANS,
    STATES,
    WHYS,
    column_means,
    counted,
    headline,
    number,
    owners_noun,
    whys_of,
)
from webhook.report.survey import Count, ImageSurvey, NamespaceSurvey, State, Survey, WorkloadSurvey

_USERS_SHOWN: Final = 5
"""Owners that are named with an image that is in the way; the matrix has all of them."""

_ORDER: Final[tuple[State, ...]] = ("ready", "partial", "unknown", "blocked", "skipped")
"""The states as they stand side by side: what is done comes first, as a bar fills from the left."""

_THINNEST: Final = 0.8
"""Hundredths of a bar that a part of it has at least."""

_LISTS: Final[tuple[tuple[State, str, str], ...]] = (
    ("blocked", "Blockers", "Images that keep a {} from running, those that block most first."),
    ("partial", "Fail in part", "Images that fail on some of the nodes on which their {}s may land."),
    ("unknown", "Not known", "Images of which it is not known whether their {}s run."),
)
"""The lists of images that ask for something, with their headings."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a report says of itself: what was looked at, in words, when (a time with its zone), by which podgate."""

    subject: str
    when: datetime
    version: str


def write_html(survey: Survey, heading: Heading, stream: TextIO) -> None:
    """Writes the report, ASCII alone, so that it is the same in every encoding of the stream.

    The same survey and heading give the same bytes. Raises OSError where the stream does.
    """
    stream.writelines(part.encode("ascii", "xmlcharrefreplace").decode() for part in _page(survey, heading))


def _page(survey: Survey, heading: Heading) -> Iterator[str]:
    style, script = _own("html.css"), _own("html.js")
    title = headline(survey)
    yield "<!DOCTYPE html>\n"
    yield '<html lang="en">\n'
    yield tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"podgate {heading.version}"),
        tag("title", f"{title} - podgate"),
        tag("style", Html(style)),
    )
    yield "\n<body>\n"
    yield tag("header", *_header(survey, heading, title))
    yield "\n<main>\n"
    for section in _sections(survey):
        yield section
        yield "\n"
    yield "</main>\n"
    yield tag("script", Html(script))
    yield "\n</body>\n</html>\n"


def _own(name: str) -> str:
    """A file that lies beside this module; a browser's hash is over what stands between the tags."""
    return files(__package__).joinpath(name).read_text(encoding="ascii")


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {allowed(style)}; script-src {allowed(script)}; base-uri 'none'; "
        "form-action 'none'"
    )


def _header(survey: Survey, heading: Heading, title: str) -> Iterator[Html]:
    yield tag("h1", foreign(title, element="span"))
    columns = [
        joined(", " if index else "", foreign(column.name, element="span"), f" ({column_means(column)})")
        for index, column in enumerate(survey.columns)
    ]
    when = heading.when.astimezone(UTC)
    yield tag(
        "dl",
        _fact("Looked at", foreign(heading.subject, element="span")),
        _fact("Against", *(columns or [joined("no nodes")])),
        _fact("Made", tag("time", f"{when:%Y-%m-%d %H:%M} UTC", datetime=when.isoformat(timespec="seconds"))),
        _fact("By", f"podgate {heading.version}"),
        class_="facts",
    )
    if survey.problems:
        link = tag("a", f"{counted(len(survey.problems), 'problem')} kept something from being read", href="#problems")
        yield tag("p", tag("strong", "This report is not complete: "), link, ".", class_="incomplete")


def _fact(name: str, *value: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", *value))


def _sections(survey: Survey) -> Iterator[Html]:
    yield _totals(survey)
    yield _namespaces(survey)
    yield _filter(survey)
    for state, title, lead in _LISTS:
        yield _in_the_way(survey, state, title, lead)
    yield _adrift(survey)
    yield matrix(survey)
    yield _texts("problems", "Problems", survey.problems)
    yield _texts("notes", "Notes", survey.notes)
    yield _legend(survey)


def _totals(survey: Survey) -> Html:
    """The states with their counts, and a bar of them."""
    count = survey.workload_count
    noun = owners_noun(survey)
    tiles = [
        tag(
            "div",
            tag("dt", STATES[state]),
            tag("dd", tag("b", number(_of(count, state))), " ", _replicas(survey, survey.replicas, state)),
            class_=state,
        )
        for state in _ORDER
        if _of(count, state) or state in ("blocked", "unknown", "ready")
    ]
    return tag(
        "section",
        tag("h2", f"{noun.capitalize()}s", id="totals"),
        _bar(count),
        tag("dl", *tiles, class_="totals"),
    )


def _of(count: Count, state: State) -> int:
    value: int = getattr(count, state)
    return value


def _replicas(survey: Survey, count: Count, state: State) -> Html:
    if survey.counted != "replicas":
        return joined()
    return tag("small", counted(_of(count, state), "replica"))


def _bar(count: Count) -> Html:
    """A bar whose parts are the states; what it shows stands beside it as text. No part is too thin to be seen."""
    shares = {state: _of(count, state) for state in _ORDER[:-1]}  # what is not judged is no part of the way
    widths = {state: max(100 * share / count.judged, _THINNEST) for state, share in shares.items() if share}
    parts, begin = [], 0.0
    for state, width in widths.items():
        wide = 100 * width / sum(widths.values())
        parts.append(tag("rect", x=f"{begin:.2f}", width=f"{wide:.2f}", height="1", class_=state))
        begin += wide
    return tag("svg", *parts, viewBox="0 0 100 1", preserveAspectRatio="none", class_="bar", aria_hidden="true")


def _namespaces(survey: Survey) -> Html:
    if not survey.namespaces:
        return joined()
    states = [state for state in _ORDER if any(_of(one.workloads, state) for one in survey.namespaces)]
    heads = [tag("th", STATES[state], scope="col", data_sort="number") for state in states]
    rows = [_namespace(survey, one, states) for one in survey.namespaces]
    table = tag(
        "table",
        tag("thead", tag("tr", tag("th", "Namespace", scope="col", data_sort="text"), *heads)),
        tag("tbody", *rows),
        class_="namespaces",
        aria_labelledby="namespaces",
    )
    return tag("section", tag("h2", "Namespaces", id="namespaces"), scrolling(table, "namespaces"))


def _namespace(survey: Survey, one: NamespaceSurvey, states: Sequence[State]) -> Html:
    count = one.workloads
    share = f"{100 * count.ready // count.judged}% ready" if count.judged else "nothing judged"
    name = foreign(one.name) if one.name else tag("i", "no namespace")
    cells = [
        tag("td", tag("b", number(_of(count, state))), " ", _replicas(survey, one.replicas, state), class_="number")
        for state in states
    ]
    return tag("tr", tag("th", name, _bar(count), tag("small", share), scope="row"), *cells)


def _filter(survey: Survey) -> Html:
    """The field of the filter, which the script shows."""
    field = tag(
        "input", type="search", id="filter", autocomplete="off", spellcheck="false", aria_describedby="filter-means"
    )
    return tag(
        "div",
        tag("label", "Filter images", for_="filter"),
        field,
        tag("span", "by name, owner, namespace, state or reason", id="filter-means", class_="hint"),
        tag("span", counted(len(survey.images), "image"), id="count", role="status"),
        class_="filter",
        role="search",
        hidden=True,
    )


def _in_the_way(survey: Survey, state: State, title: str, lead: str) -> Html:
    """The images of one state, each with what it does and to whom."""
    found = [(index, image) for index, image in enumerate(survey.images) if image.state == state]
    if not found:
        return joined()
    items = [_item(survey, index, image) for index, image in found]
    return tag(
        "section",
        tag("h2", f"{title} ", tag("small", counted(len(found), "image")), id=f"{state}-images"),
        tag("p", lead.format(owners_noun(survey)), class_="lead"),
        tag("ol", *items, class_="images"),
        class_=f"list {state}",
    )


def _item(survey: Survey, index: int, image: ImageSurvey) -> Html:
    concerned = [use for use in image.uses if use.blocked or (image.state == "unknown" and use.why is not None)]
    about = [tag("h3", foreign(image.image)), *_ends(survey, image), error_of(image)]
    if image.suggestion is not None:
        about.append(suggested(image.suggestion))
    users = [use_line(use, survey, with_state=False) for use in concerned[:_USERS_SHOWN]]
    rest = len(concerned) - len(users)
    if rest:
        users.append(tag("li", tag("a", f"and {counted(rest, 'other')}", href=f"#image-{index}")))
    weight = counted(len(concerned), owners_noun(survey))
    if survey.counted == "replicas":
        weight = f"{counted(sum(use.replicas for use in concerned), 'replica')}, {weight}"
    whom = tag("div", tag("p", weight, class_="weight"), tag("ul", *users))
    return tag("li", tag("div", *about), whom, data_image=index)


def _ends(survey: Survey, image: ImageSurvey) -> Iterator[Html]:
    """Where it does not run, columns of one reason together."""
    places: dict[tuple[str, str], list[str]] = {}
    for column, cell in zip(survey.columns, image.cells, strict=True):
        if cell is not None and cell.verdict != "runs":
            places.setdefault((cell.verdict, cell.why), []).append(column.name)
    for (verdict, why), names in places.items():
        words = WHYS[why][0]  # type: ignore[index]  # the key of a dict of tuples is a Why still
        everywhere = len(names) == len(survey.columns) > 1
        where = joined(" everywhere") if everywhere else joined(" on ", foreign(", ".join(names), element="span"))
        yield tag("p", tag("b", verdict, class_="bad" if verdict == "fails" else "unsure"), where, f": {words}")
    if image.platforms:
        yield tag("p", "has ", foreign(", ".join(image.platforms), element="span"), class_="has")


def _adrift(survey: Survey) -> Html:
    """Workloads that are not ready for another reason than one of their images."""
    if not survey.adrift:
        return joined()
    items = [
        tag(
            "li",
            foreign(str(one.owner), element="span"),
            " ",
            tag("small", f"{STATES[one.state].lower()}: ", foreign(_why_adrift(one), element="span")),
        )
        for one in survey.adrift
    ]
    title = f"{owners_noun(survey).capitalize()}s that these nodes do not take"
    return tag("section", tag("h2", title, id="adrift"), tag("ul", *items, class_="texts"))


def _why_adrift(one: WorkloadSurvey) -> str:
    if one.refused:
        return "refused, since it asks for another os"
    return f"asks for {', '.join(one.demands)}" if one.demands else one.reason


def _texts(name: str, title: str, texts: Sequence[str]) -> Html:
    if not texts:
        return joined()
    items = [tag("li", foreign(text, element="span")) for text in texts]
    return tag("section", tag("h2", title, id=name), tag("ul", *items, class_="texts"))


def _legend(survey: Survey) -> Html:
    """What the words in it mean, as far as they occur."""
    states = [state for state in _ORDER if _of(survey.workload_count, state)]
    rows = [tag("div", tag("dt", STATES[state]), tag("dd", STATE_MEANS[state])) for state in states]
    rows += [
        tag("div", tag("dt", WHYS[why][0]), tag("dd", WHYS[why][1], " ", tag("small", why))) for why in whys_of(survey)
    ]
    return tag("section", tag("h2", "What the words mean", id="words"), tag("dl", *rows, class_="words"))
