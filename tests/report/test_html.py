"""The HTML report: one file, whole, that says what the survey says and cannot be broken out of."""

import base64
import hashlib
import io
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from tests.support.pages import Element, parse
from tests.support.surveys import (
    AMD,
    ARM,
    COLUMNS,
    HOSTILE,
    blocked,
    crowded,
    hostile,
    mixed,
    partial,
    ready,
    survey_with,
    unknown,
)
from webhook.core.outcome import Why
from webhook.report.html import Heading, write_html
from webhook.report.html_words import WHYS, headline
from webhook.report.survey import Column, Count, Survey, WorkloadSurvey

WHEN = datetime(2026, 11, 30, 15, 5, tzinfo=timezone(timedelta(hours=1)))
TARGETS = (Column(ARM, ARM, 0, "target"), Column("linux/s390x", "linux/s390x", 0, "target"))


def text_of(survey: Survey, subject: str = "https://api.example:6443") -> str:
    stream = io.StringIO()
    write_html(survey, Heading(subject, WHEN, "1.2.3"), stream)
    return stream.getvalue()


def page_of(survey: Survey) -> Element:
    return parse(text_of(survey))


def rows(table: Element) -> list[list[Element]]:
    """The rows of a table's body, as cells."""
    return [[part for part in row.parts if isinstance(part, Element)] for row in table.one("tbody").all("tr")]


def first_text(cell: Element) -> str:
    """The text of a cell's first element: the name of an image, without what stands below it."""
    return next(cell.all()).text


def test_the_page_names_what_was_looked_at_and_when_and_by_what():
    page = page_of(mixed(7))
    facts = {fact.one("dt").text: fact.one("dd").text for fact in page.one("dl", "facts").all("div")}
    assert facts["Looked at"] == "https://api.example:6443"
    assert facts["Against"].startswith(
        "linux/amd64 (12 nodes), linux/arm64 (4 nodes), windows/amd64:10.0.20348.2113 (1"
    )
    assert facts["Against"].endswith("linux/arm/v7 (no node has it), linux/riscv64,label=a=b (target)")
    assert facts["Made"] == "2026-11-30 14:05 UTC"
    assert facts["By"] == "podgate 1.2.3"
    assert page.one("time").attributes["datetime"] == WHEN.astimezone(UTC).isoformat()


def test_the_same_survey_gives_the_same_bytes_in_every_encoding():
    text = text_of(hostile())
    assert text == text_of(hostile())
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii", newline="")
    write_html(hostile(), Heading("https://api.example:6443", WHEN, "1.2.3"), stream)
    stream.flush()
    assert buffer.getvalue() == text.encode("utf-8") == text.encode("latin-1")


def test_hostile_names_add_no_markup():
    harmless = page_of(replace(mixed(7), problems=("one",)))
    page = page_of(hostile())
    assert {element.name for element in page.all()} <= {element.name for element in harmless.all()}
    for element in page.all():
        assert not any(name.startswith("on") or name == "style" for name in element.attributes), element
        assert all("caught" not in value for value in element.attributes.values()), element
    for name in ("script", "style", "head"):  # nothing of the survey is in these, but for the headline
        assert page.one(name).text.replace(page.one("title").text, "") == (
            harmless.one(name).text.replace(harmless.one("title").text, "")
        )


def test_hostile_names_are_shown_whole_and_what_cannot_be_seen_by_its_number():
    page = page_of(hostile())
    shown = [first_text(row[0]) for row in rows(page.one("table", "matrix"))]
    expected = {
        "reg.example/app\u202e:4.1": "reg.example/app[U+202E]:4.1",
        "reg.example/a\u200bp\u200dp\u2066:1": "reg.example/a[U+200B]p[U+200D]p[U+2066]:1",
        "reg.example/\u05e9\u05dc\u05d5\u05dd\u00a0caf\u00e9": "reg.example/\u05e9\u05dc\u05d5\u05dd[U+00A0]caf\u00e9",
        "line\nbreak\r\x00\x1b[31mred\ud800": "line[U+000A]break[U+000D][U+0000][U+001B][31mred[U+D800]",
    }
    assert shown == [expected.get(name, name) for name in HOSTILE]
    for kind in ("notes", "problems"):
        (section,) = (each for each in page.all("section") if each.one("h2").attributes.get("id") == kind)
        assert [item.text for item in section.all("li")] == shown


def test_a_text_that_is_too_long_loses_its_middle():
    page = page_of(replace(mixed(1), notes=(f"a{'b' * 100_000}c",)))
    (item,) = page.one("ul", "texts").all("li")
    assert item.text == f"a{'b' * 499} ... {'b' * 499}c"


@pytest.mark.parametrize("survey", [mixed(9), hostile()], ids=["mixed", "hostile"])
def test_nothing_comes_from_outside_and_only_its_own_script_and_style_may_act(survey: Survey):
    page = page_of(survey)
    (policy,) = (one.attributes["content"] for one in page.all("meta") if "http-equiv" in one.attributes)
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "style-src": allowed(page.one("style").text),
        "script-src": allowed(page.one("script").text),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    for element in page.all():
        assert not {"src", "srcset", "action", "xlink:href", "srcdoc"} & set(element.attributes)
        assert element.attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|https?:", page.one("style").text)
    assert not re.search(r"fetch|import|innerHTML|eval|https?:", page.one("script").text)


def allowed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("survey", [mixed(9), hostile(), crowded(9), survey_with()], ids=lambda one: len(one.images))
def test_ids_are_unique_and_what_names_one_finds_it(survey: Survey):
    page = page_of(survey)
    ids = Counter(element.attributes["id"] for element in page.all() if "id" in element.attributes)
    assert all(count == 1 for count in ids.values())
    for element in page.all():
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert element.attributes.get(name, "filter") in ids
        if "href" in element.attributes:
            assert element.attributes["href"].removeprefix("#") in ids
        if "data-image" in element.attributes:
            assert f"image-{element.attributes['data-image']}" in ids


def test_the_matrix_has_each_image_on_each_platform():
    survey = survey_with(ready(1), blocked(2), unknown(3), replace(ready(4), cells=(None,) * len(COLUMNS)))
    table = page_of(survey).one("table", "matrix")
    heads = [head.text for head in table.one("thead").all("th")]
    assert heads[:4] == ["Image", "linux/amd64 12 nodes", "linux/arm64 4 nodes", f"{COLUMNS[2].name} 1 node"]
    assert heads[4:7] == ["linux/s390x may come", "linux/arm/v7 no node has it", "linux/riscv64,label=a=b target"]
    assert heads[7:] == ["State", "Replicas"]
    found = {first_text(row[0]): [cell.text for cell in row[1:]] for row in rows(table)}
    no_entry = "fails no entry for it"
    assert found == {
        "reg.example/shop/web2:2.2": [
            "runs", no_entry, f"{no_entry}; for 2 replicas, else runs", "not asked", no_entry, "runs", "Blocked", "3",
        ],
        "private.example/app3:3": [*["uncertain not looked up"] * 6, "Unknown", "3"],
        "docker.io/library/base1:1.1": [*["runs"] * 6, "Ready", "3"],
        "docker.io/library/base4:1.4": [*["not asked"] * 6, "Ready", "3"],
    }  # fmt: skip
    (row,) = (row for row in rows(table) if row[0].text.startswith("private"))
    assert "unauthorized: the registry wants credentials" in row[0].text
    assert [item.text for item in row[0].all("li")] == [
        "CronJob web-frontends-eu-west/unknown-3 3 replicas, unknown, containers app, migrate"
    ]


def test_lists_hold_what_is_in_the_way_with_reasons_owners_and_what_to_try():
    page = page_of(survey_with(blocked(1, replicas=100), blocked(2, replicas=7), partial(3), unknown(4), ready(5)))
    lists = {each.classes[-1]: each for each in page.all("section", "list")}
    assert list(lists) == ["blocked", "partial", "unknown"]
    blockers = [item for item in lists["blocked"].all("li") if "data-image" in item.attributes]
    assert [item.one("h3").text for item in blockers] == ["reg.example/shop/web1:2.1", "reg.example/shop/web2:2.2"]
    first = blockers[0].text
    assert "fails on linux/arm64, windows/amd64:10.0.20348.2113, linux/arm/v7: no entry for it" in first
    assert "has linux/amd64" in first
    assert "Try reg.example/shop/web1:9.1 (linux/amd64, linux/arm64)" in first
    assert "100 replicas, 1 workload" in first
    assert "StatefulSet payments/blocked-1 100 replicas, containers app, migrate" in first
    assert "unauthorized: the registry wants credentials that are not at hand" in lists["unknown"].text
    assert "uncertain everywhere: not looked up" in lists["unknown"].text


def test_of_many_owners_some_are_named_and_the_matrix_has_all():
    page = page_of(crowded(2000))
    item = next(each for each in page.all("li") if "data-image" in each.attributes)
    owners = [each.text for each in item.all("li")]
    assert owners[0] == "Pod batch/job-00000 1 replica, container app"
    assert len(owners) == 6
    assert owners[-1] == "and 1,995 others"
    (row,) = rows(page.one("table", "matrix"))
    assert len(list(row[0].all("li"))) == 2000
    assert "2,000" in row[-1].text


def test_bars_show_each_state_that_there_is_and_text_says_the_same():
    survey = survey_with(*(ready(number) for number in range(0, 4000, 4)), blocked(4000), unknown(4001))
    namespaces = page_of(survey).one("table", "namespaces")
    heads = [head.text for head in namespaces.one("thead").all("th")]
    assert heads == ["Namespace", "Ready", "Unknown", "Blocked"]
    payments, shop = rows(namespaces)
    assert [cell.text for cell in payments[1:]] == ["0 0 replicas", "1 3 replicas", "0 0 replicas"]
    assert [cell.text for cell in shop[1:]] == ["1,000 3,000 replicas", "0 0 replicas", "1 3 replicas"]
    assert shop[0].text == "shop99% ready"
    widths = {rect.classes[0]: float(rect.attributes["width"]) for rect in shop[0].all("rect")}
    assert list(widths) == ["ready", "blocked"]
    assert sum(widths.values()) == pytest.approx(100, abs=0.05)
    assert widths["blocked"] > 0.5, "one of a thousand would be too thin to be seen"


def test_problems_make_the_report_incomplete_at_its_top():
    assert not list(page_of(mixed(3)).all("p", "incomplete"))
    page = page_of(replace(mixed(3), problems=("cronjobs.batch: forbidden",)))
    assert page.one("p", "incomplete").text == (
        "This report is not complete: 1 problem kept something from being read."
    )


def test_workloads_that_no_node_takes_are_named():
    owner = blocked(1).uses[0].owner
    adrift = WorkloadSurvey(replace(owner, name="nowhere"), 2, "unknown", "no-candidates")
    pinned = replace(adrift, owner=replace(owner, name="pinned"), reason="match", demands=(AMD,))
    refused = replace(adrift, owner=replace(owner, name="panes"), state="blocked", reason="mismatch")
    survey = survey_with(ready(2))
    page = page_of(replace(survey, workloads=(*survey.workloads, adrift, pinned, refused)))
    (section,) = (each for each in page.all("section") if each.one("h2").attributes.get("id") == "adrift")
    assert [item.text for item in section.all("li")] == [
        "StatefulSet payments/nowhere unknown: no-candidates",
        "StatefulSet payments/pinned unknown: asks for linux/amd64",
        "StatefulSet payments/panes blocked: refused, since it asks for another os",
    ]


def test_objects_of_files_have_no_replicas():
    page = page_of(replace(mixed(7), counted="objects"))
    assert "replica" not in page.one("main").text
    assert [head.text for head in page.one("table", "matrix").one("thead").all("th")][-1] == "State"
    assert page.one("h1").text == "1 of 7 objects cannot run on the nodes that they may land on"


def count_of(**states: int) -> Survey:
    workloads = [
        WorkloadSurvey(replace(blocked(1).uses[0].owner, name=f"{state}-{number}"), 1, state, "match")  # type: ignore[arg-type]  # a Literal's
        for state, many in states.items()
        for number in range(many)
    ]
    survey = Survey(COLUMNS[:2], (), tuple(workloads))
    assert survey.workload_count == Count(**states)
    return survey


@pytest.mark.parametrize(
    ("survey", "expected"),
    [
        (count_of(), "No workloads to judge"),
        (count_of(skipped=3), "No workloads to judge"),
        (count_of(ready=1), "The 1 workload can run on the nodes that they may land on"),
        (count_of(ready=1200), "All 1,200 workloads can run on the nodes that they may land on"),
        (count_of(ready=1, unknown=1), "1 of 2 workloads is not known to run on the nodes that they may land on"),
        (count_of(ready=1, unknown=2), "2 of 3 workloads are not known to run on the nodes that they may land on"),
        (count_of(partial=2, unknown=2), "2 of 4 workloads cannot run on some of the nodes that they may land on"),
        (count_of(blocked=1, partial=2), "1 of 3 workloads cannot run on the nodes that they may land on"),
        (replace(count_of(blocked=1), columns=TARGETS[:1]), "1 of 1 workload cannot run on linux/arm64"),
        (replace(count_of(ready=2), columns=TARGETS), "All 2 workloads can run on linux/arm64 or linux/s390x"),
        (
            replace(count_of(ready=2), columns=(*TARGETS, COLUMNS[0])),
            "All 2 workloads can run on the nodes that they may land on",
        ),
    ],
)
def test_the_headline_is_the_result(survey: Survey, expected: str):
    assert headline(survey) == expected


def test_every_reason_has_words_and_those_that_occur_are_explained():
    assert set(WHYS) == set(get_args(Why))
    words = [each.text for each in page_of(survey_with(blocked(1), ready(2))).one("dl", "words").all("dt")]
    assert words == ["Ready", "Blocked", "no entry for it"]


def test_the_size_follows_the_number_of_images():
    """500 images on 6 platforms, which a browser must show at once, are below a megabyte."""
    small, large = len(text_of(mixed(50))), len(text_of(mixed(500)))
    assert large < 10 * small
    assert large < 1_000_000
