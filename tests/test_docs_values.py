"""What the documentation says of the chart's values and of the repository's commands is so."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "podgate"
PAGES = sorted([ROOT / "README.md", CHART / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SETTINGS_TOO = {
    "kinds",
    "nodes",
    "exempt",
    "registries",
    "cache",
    "log",
    "server",
    "certificate",
    "traces",
    "decisions",
}
"""Keys at the top of the settings file, which the documentation of settings names without `settings.`."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(info: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in FENCE.finditer(page.read_text()):
            if found[1].strip() == info:
                yield f"{name_of(page)}: {found[2].strip().splitlines()[0]}", found[2]


VALUE_BLOCKS = list(blocks("yaml values"))


def check_values(text: str) -> None:
    """Raises ValidationError where Helm would refuse these values."""
    jsonschema.Draft7Validator(SCHEMA).validate(merged(VALUES, yaml.safe_load(text)))


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Helm lays them over those of the chart: mappings key by key."""
    both = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping):
            both[key] = merged(under[key], over[key])
    return both


@pytest.mark.parametrize("text", [text for _, text in VALUE_BLOCKS], ids=[where for where, _ in VALUE_BLOCKS])
def test_values_are_what_the_chart_takes(text: str):
    check_values(text)


def test_there_are_values_and_a_wrong_one_is_seen():
    assert len(VALUE_BLOCKS) >= 5
    for wrong in ("webhook: {failurePolicies: Fail}", "replicaCount: many", "settings: {mod: deny}"):
        with pytest.raises(jsonschema.ValidationError):
            check_values(wrong)


def is_value(path: str) -> bool:
    """Whether the chart has a value of this path, or takes what it likes there (a mapping without keys)."""
    node: Any = VALUES
    for key in path.split("."):
        if not isinstance(node, Mapping):
            return False
        if not node:
            return True
        if key not in node:
            return False
        node = node[key]
    return True


def is_module(span: str) -> bool:
    """Whether it is code that is meant: a module of the package, or its file's name."""
    path = ROOT / span.replace(".", "/")
    return span.endswith(".py") or path.is_dir() or path.with_suffix(".py").is_file()


def named_values() -> Iterator[tuple[str, str]]:
    """Paths in code spans that begin as a value does, and those of --set."""
    for page in PAGES:
        text = page.read_text()
        for path in re.findall(r"--set(?:-string|-json)? ([\w.]+)=", text):
            yield name_of(page), path
        for span in re.findall(r"`([a-z]\w*(?:\.\w+)+)(?:: [^`]*)?`", FENCE.sub("", text)):
            top = span.partition(".")[0]
            if top in VALUES and top not in SETTINGS_TOO and not is_module(span):
                yield name_of(page), span


NAMED = sorted(set(named_values()))


@pytest.mark.parametrize(("page", "path"), NAMED, ids=[f"{page}: {path}" for page, path in NAMED])
def test_every_value_that_is_named_is_there(page: str, path: str):
    assert is_value(path), page


def test_values_are_found_and_a_wrong_name_is_seen():
    assert {path for _, path in NAMED} >= {"image.repository", "settings.mode", "webhook.failurePolicy"}
    assert is_value("webhook.namespaceSelector.matchLabels")
    assert not is_value("webhook.failurePolicies")
    assert not is_value("replicaCount.more")


# commands and links


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_has_the_targets_that_are_named(page: Path):
    named = re.findall(r"(?:^|`|\$ )make ([a-z][a-z0-9-]*)", page.read_text(), re.MULTILINE)
    assert set(named) <= targets()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_folders_and_files_of_the_repository_that_commands_name_are_there(page: Path):
    """Those of a name that the repository has at its top; results of builds are not there yet."""
    for _, text in FENCE.findall(page.read_text()):
        for path in re.findall(r"(?<![\w/.:-])((?:charts|image|tests|webhook|docs)/[\w./-]+)", text):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_into_a_page_lead_to_a_heading(page: Path):
    for target in re.findall(r"\]\(([^)\s]+#[^)\s]+)\)", FENCE.sub("", page.read_text())):
        if not re.match(r"https?://", target):
            path, _, anchor = target.partition("#")
            headings = re.findall(r"^#+ (.+)$", (page.parent / path if path else page).read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


def test_the_first_sentence_of_the_threat_model():
    prose = (ROOT / "docs" / "threat-model.md").read_text().partition("\n\n")[2]
    assert prose.startswith("podgate guards against mistakes; it is no security boundary. ")
