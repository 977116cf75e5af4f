"""What the documentation shows works: settings, configurations, objects, commands and links of README.md and docs/."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import pytest
import yaml

from webhook.cli import podgate
from webhook.cluster.documents import load_documents
from webhook.core.errors import ErrorCode, MalformedSettings
from webhook.core.hostsfile import read_hosts_file
from webhook.core.providerconfig import read_provider_config
from webhook.settings import Settings, parse_settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = {field.alias or name for name, field in Settings.model_fields.items()}


class Block(NamedTuple):
    """A fenced block: the words behind its fence, and its text."""

    page: str
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        yield Block(str(page.relative_to(ROOT)), text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])


BLOCKS = [block for page in PAGES for block in read(page)]


def is_settings(block: Block) -> bool:
    """Marked as such, or a mapping that has keys of the settings at its top and nothing else."""
    if block.info == "yaml settings":
        return True
    tree = next(yaml.safe_load_all(block.text)) if block.info == "yaml" else None
    return isinstance(tree, Mapping) and bool(tree) and set(tree) <= KEYS


SETTINGS = [block for block in BLOCKS if is_settings(block)]


def tree_of(block: Block) -> dict[str, Any]:
    tree = yaml.safe_load(block.text)
    assert isinstance(tree, dict), str(block)
    return tree


@pytest.mark.parametrize("block", SETTINGS, ids=str)
def test_settings(block: Block):
    parse_settings(tree_of(block), str(block))


def test_the_blocks_are_found_and_a_wrong_key_is_seen():
    assert len([block for block in SETTINGS if block.page == "docs/private-registries.md"]) >= 6
    wrong = Block("x.md", 1, "yaml settings", "registries: {allowedHost: [docker.io]}")
    with pytest.raises(MalformedSettings, match="allowedHost"):
        test_settings(wrong)
    assert is_settings(Block("x.md", 1, "yaml", "mode: warn"))
    assert not is_settings(Block("x.md", 1, "yaml", "kind: Pod\nmode: warn"))


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "yaml providers"], ids=str)
def test_provider_configurations(block: Block):
    providers = read_provider_config(tree_of(block), str(block))
    assert any(each.provides_for("111122223333.dkr.ecr.eu-central-1.amazonaws.com/app") for each in providers)
    assert any(each.provides_for("europe-docker.pkg.dev/project/app") for each in providers)
    assert any(each.provides_for("team.azurecr.io/app") for each in providers)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.info == "yaml" and not is_settings(block)], ids=str
)
def test_objects(block: Block):
    """Whole objects, or a part of one, which is YAML at least."""
    trees = list(yaml.safe_load_all(block.text))
    assert all(isinstance(tree, Mapping | list) for tree in trees)
    if any(isinstance(tree, Mapping) and {"apiVersion", "kind"} & tree.keys() for tree in trees):
        objects = [each.object for each in load_documents(block.text, str(block))]
        assert all(each.get("apiVersion") and each.get("kind") and each.get("metadata") for each in objects)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "toml"], ids=str)
def test_hosts_files(block: Block):
    file = read_hosts_file(block.text)
    assert file.server
    assert file.hosts


def test_no_block_is_of_an_unknown_kind():
    """A slip in a mark would take a block out of these tests."""
    kinds = {"", "yaml", "yaml settings", "yaml providers", "yaml values", "toml", "json", "sh", "dockerfile"}
    kinds |= {"yaml github", "yaml gitlab", "yaml pre-commit"}  # tests/cli/test_ci.py
    assert {block.info for block in BLOCKS} <= kinds


# links and words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    prose = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"https?://", target):
            path, _, _ = target.partition("#")
            assert not path or (page.parent / path).exists(), target


def test_the_codes_of_the_guide_are_those_that_there_are():
    guide = (ROOT / "docs" / "private-registries.md").read_text()
    table = guide.partition("## What podgate says")[2].partition("\n## ")[0]
    named = {
        code for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for code in re.findall(r"`([^`]+)`", row)
    }
    codes = set(get_args(ErrorCode))
    assert named <= codes
    # Those that are about the image itself, and not about reaching it, are left out.
    assert codes - named == {"invalid-reference", "too-large", "digest-mismatch", "malformed", "unsupported"}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each line of a block that runs podgate, with its words."""
    for block in BLOCKS:
        for line in block.text.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|\$ |\s)podgate ((?:check|inspect|serve|demo|scan)\b[^|;#]*)", line)
            if found and block.info in ("", "sh"):
                yield f"{block}: {line.strip()}", found[1].split()


COMMANDS = list(commands())


@pytest.mark.parametrize(("where", "words"), COMMANDS, ids=[where for where, _ in COMMANDS])
def test_commands_have_the_options_that_are_shown(where: str, words: list[str]):
    name, *rest = words
    command = podgate.commands[name]
    options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    assert {word.strip("[]") for word in rest if re.match(r"\[?--?[a-zA-Z]", word)} <= options, where
