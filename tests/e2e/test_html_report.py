"""The HTML report in a real browser: how it looks, what it does, and whether everybody can use it.

Screenshots are kept in build/screenshots (PODGATE_ARTIFACTS names another folder). The browser is the system's own;
without one these tests are skipped, and say so.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.surveys import COLUMNS, HOSTILE, blocked, crowded, hostile, mixed, ready, survey_with
from webhook.report.html import Heading, write_html
from webhook.report.survey import Survey

ROOT: Final = Path(__file__).parents[2]
ARTIFACTS: Final = Path(os.environ.get("PODGATE_ARTIFACTS") or ROOT / "build" / "screenshots")
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
OPTIONS: Final = (
    "--no-sandbox",  # it may run as root, and opens our own file alone
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WHEN: Final = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)
DESKTOP, PHONE, NARROW = (1280, 900), (390, 844), (320, 568)
Scheme = Literal["light", "dark"]
# All rules that axe-core has, best practices too.
AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

SAMPLE: Final = replace(mixed(21, COLUMNS[:3]), problems=("cronjobs.batch: forbidden: User cannot list them",))


@dataclass
class Opened:
    """A page, and whatever it did that a report must not do."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def images(self) -> list[str]:
        """The images of the matrix that can be seen, in order."""
        found: list[str] = self.page.eval_on_selector_all(
            ".matrix tbody tr:not([hidden]) th > .name", "found => found.map(one => one.textContent)"
        )
        return found

    def column(self, number: int) -> list[str]:
        """The texts of a column of the matrix, without their reasons."""
        found: list[str] = self.page.eval_on_selector_all(
            f".matrix tbody tr:not([hidden]) > :nth-child({number})",
            "found => found.map(one => (one.querySelector('b') ?? one).textContent)",
        )
        return found


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the report of a survey; at the end nothing may have been complained of, nor asked for."""
    pages: list[Opened] = []

    def open_(
        survey: Survey, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light", *, scripts: bool = True
    ) -> Opened:
        path = tmp_path / f"report-{len(pages)}.html"
        with path.open("w", encoding="ascii") as stream:
            write_html(survey, Heading("https://api.example:6443", WHEN, "1.2.3"), stream)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        found = Opened(context.new_page())
        watch(found, path.as_uri())
        pages.append(found)
        found.page.goto(path.as_uri())
        return found

    yield open_
    for one in pages:
        one.page.context.close()
        assert one.complaints == []


def watch(found: Opened, uri: str) -> None:
    page = found.page
    page.on("console", lambda message: found.complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: found.complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: None if asked.url == uri else found.complaints.append(f"request: {asked.url}"))


def screenshot(found: Opened, name: str) -> None:
    """Keeps how the page looks."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    found.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds, by any of its rules: the rule, and the elements."""
    page.evaluate(AXE)  # the page's own policy would let no script in; the debugger does not ask it
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(result["passes"]) > 15, "axe has looked at nothing"
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in result["violations"]]


def overflow(page: Page) -> list[str]:
    """What makes the page wider than the window; the insides of regions that scroll by themselves do not."""
    assert page.evaluate("document.documentElement.clientWidth") == page.evaluate("innerWidth")
    wider: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((one) => !one.closest(".scroll > *") && one.getBoundingClientRect().right > innerWidth + 0.5)
            .map((one) => one.outerHTML.slice(0, 100))"""
    )
    return wider + (["the page"] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else [])


LOOKS: Final = [
    *((SAMPLE, "sample", size, scheme) for size in (DESKTOP, PHONE, NARROW) for scheme in ("light", "dark")),
    (hostile(), "hostile", DESKTOP, "dark"),
    (hostile(), "hostile", PHONE, "light"),
    (hostile(), "hostile", NARROW, "dark"),
]


@pytest.mark.parametrize(
    ("survey", "name", "size", "scheme"), LOOKS, ids=[f"{name}-{size[0]}-{scheme}" for _, name, size, scheme in LOOKS]
)
def test_it_fits_every_window_and_axe_finds_nothing(
    opened: Open, survey: Survey, name: str, size: tuple[int, int], scheme: Scheme
):
    found = opened(survey, size, scheme)
    page = found.page
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) > 3 * 128) is (scheme == "light")
    assert overflow(page) == []
    screenshot(found, f"report-{name}-{size[0]}-{scheme}")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert overflow(page) == []
    assert violations(page) == []


def test_axe_would_find_what_is_wrong(opened: Open):
    """That nothing is found says something only if something can be."""
    page = opened(SAMPLE).page
    page.evaluate("document.querySelector('label').remove()")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    assert {rule for rule, _ in violations(page)} >= {"label", "html-has-lang"}


def test_a_wide_matrix_scrolls_by_itself_and_by_the_keyboard(opened: Open):
    found = opened(mixed(12), PHONE)
    page = found.page
    region = page.get_by_role("region", name="Images and platforms")
    region.focus()
    before = region.evaluate("one => [one.scrollLeft, one.scrollWidth > one.clientWidth]")
    assert before == [0, True]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert region.evaluate(
        """(one) => new Promise((done) => {
            let frames = 600;
            const look = () => (one.scrollLeft > 100 || !--frames ? done(one.scrollLeft) : requestAnimationFrame(look));
            look();
        })"""
    )
    assert region.evaluate("one => one.scrollLeft") > 100
    name = page.locator(".matrix tbody th > .name").first.bounding_box()
    assert name is not None
    assert name["x"] >= 0, "the images stay in sight beside their platforms"
    assert page.evaluate("scrollX") == 0


def test_the_filter_works_by_the_keyboard_and_says_how_many_are_left(opened: Open):
    found = opened(SAMPLE)
    page = found.page
    assert found.text("#count") == "21 images"
    assert page.get_by_role("status").first.is_visible()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.id") != "filter":
        page.keyboard.press("Tab")
    page.keyboard.type("WEB-frontends unauthorized")
    assert found.text("#count") == "1 of 21 images"
    assert found.images() == ["private.example/app3:3"]
    assert page.locator("section.list:visible h2").all_inner_texts() == ["Not known 3 images"]
    page.keyboard.press("Escape")
    assert found.text("#count") == "21 images"
    assert len(found.images()) == 21
    assert page.locator("section.list:visible").count() == 3
    page.keyboard.type("nothing has this in it")
    assert found.text("#count") == "0 of 21 images"
    assert found.images() == []
    assert page.locator("[data-image]:visible").count() == 0


@pytest.mark.parametrize("words", ["statefulset payments/", "no entry for it", "blocked", "9.1", "migrate"])
def test_the_filter_finds_owners_reasons_states_suggestions_and_containers(opened: Open, words: str):
    found = opened(SAMPLE)
    found.page.fill("#filter", words)
    assert 0 < len(found.images()) < 21
    assert all(item.is_visible() for item in found.page.locator("[data-image]:not([hidden])").all())


def test_columns_sort_by_the_keyboard_and_say_so(opened: Open):
    found = opened(SAMPLE)
    page = found.page
    heads = page.locator(".matrix thead th")
    replicas = page.get_by_role("button", name="Replicas")
    replicas.focus()
    page.keyboard.press("Enter")
    numbers = [int(text) for text in found.column(6)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) > 3
    assert heads.last.get_attribute("aria-sort") == "descending"
    assert found.page.locator("p.said").inner_text() == "Sorted by Replicas, descending"
    page.keyboard.press("Space")
    assert [int(text) for text in found.column(6)] == sorted(numbers)
    assert heads.last.get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.textContent") == "Replicas"

    page.locator(".matrix thead button", has_text="linux/arm64").press("Enter")
    assert page.locator(".matrix [aria-sort]").count() == 1
    verdicts = found.column(3)
    assert verdicts == sorted(verdicts, key=["fails", "uncertain", "runs"].index)
    assert len(set(verdicts)) == 3
    page.locator(".matrix thead button", has_text="Image").press("Enter")
    assert found.images() == sorted(found.images())
    page.locator(".namespaces thead button", has_text="Blocked").press("Enter")
    counts = page.locator(".namespaces tbody td:last-child b").all_inner_texts()
    assert counts == sorted(counts, key=int, reverse=True)
    assert page.locator(".matrix [aria-sort]").count() == 1, "one table's order is not the other's"
    assert violations(page) == []


def test_the_rest_of_the_owners_is_where_the_link_leads(opened: Open):
    found = opened(replace(crowded(40), images=(*mixed(30, COLUMNS[:2]).images, *crowded(40).images)))
    page = found.page
    link = page.get_by_role("link", name="and 35 others")
    owner = page.locator("#image-30 details li").first
    assert owner.is_hidden()
    link.focus()
    page.keyboard.press("Enter")
    owner.wait_for(state="visible")
    edges = """document.querySelector("tr:target > th > .name").getBoundingClientRect().top
        - document.querySelector(".matrix thead").getBoundingClientRect().bottom"""
    assert page.evaluate(edges) >= 0, "it is not behind the heads"
    assert page.evaluate('document.querySelector("tr:target").getBoundingClientRect().top < innerHeight')


def test_without_scripts_it_is_whole(opened: Open):
    found = opened(SAMPLE, PHONE, scripts=False)
    page = found.page
    assert page.locator("#filter").is_hidden()
    assert page.locator("button").count() == 0
    assert page.locator(".matrix tbody tr").count() == 21
    assert page.locator("section.list").count() == 3
    summary = page.locator("summary").first
    owner = page.locator("details li").first
    assert owner.is_hidden()
    summary.click()
    assert owner.is_visible()


def test_hostile_names_do_nothing_but_stand_there(opened: Open):
    found = opened(hostile())
    page = found.page
    title = f"{len(HOSTILE)} of {len(HOSTILE)} workloads cannot run on the nodes that they may land on - podgate"
    assert page.title() == title
    assert page.locator("img, iframe, object, link, a:not([href^='#'])").count() == 0
    assert found.images()[: len(HOSTILE) - 5] == list(HOSTILE[: len(HOSTILE) - 5])
    page.fill("#filter", "</style><img src=x")
    assert found.images() == [HOSTILE[1]]
    page.fill("#filter", "U+202E 4.1")
    assert found.images() == ["reg.example/app[U+202E]:4.1"]
    # Nothing runs even if it gets in: the policy lets no script but the page's own act.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title=2'}))")
    assert page.title() == title
    refused = [one for one in found.complaints if "Content Security Policy" in one]
    assert len(refused) >= 2
    found.complaints.clear()


def test_the_direction_of_writing_stays_left_to_right(opened: Open):
    """The last letter of a name stands at its right end, whatever script it is in."""
    name = "\u05d0\u05d1\u05d2 \u05d3"
    found = opened(survey_with(replace(blocked(1), image=name), ready(2)))
    edges = found.page.evaluate(
        """() => {
            const text = document.querySelector(".matrix tbody th > .name").firstChild;
            return [...text.data].map((_, place) => {
                const range = document.createRange();
                range.setStart(text, place);
                range.setEnd(text, place + 1);
                return range.getBoundingClientRect().left;
            });
        }"""
    )
    assert len(edges) == len(name)
    assert edges == sorted(edges)


def test_on_paper_it_has_its_whole_width_and_no_controls(opened: Open):
    found = opened(mixed(12), DESKTOP, "dark")
    page = found.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".filter").is_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    screenshot(found, "report-print")


@pytest.mark.parametrize(("survey", "rows"), [(mixed(500), 500), (crowded(8000), 1)], ids=["images", "objects"])
def test_a_large_report_is_one_page_that_answers(opened: Open, survey: Survey, rows: int):
    found = opened(survey, PHONE)
    assert len(found.images()) == rows
    found.page.fill("#filter", "job-07999" if rows == 1 else "web14:")
    assert len(found.images()) == 1
    found.page.fill("#filter", "")
    found.page.locator(".matrix thead button", has_text="Replicas").press("Enter")
    assert len(found.images()) == rows
    assert overflow(found.page) == []
