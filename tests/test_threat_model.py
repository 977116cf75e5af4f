"""docs/threat-model.md lists every attack that is made, each with its test, and no test that is not there."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "threat-model.md"
ROW = re.compile(r"^\| (?P<attack>[^|]+) \| `(?P<test>[^`|]+\.py::\w+)` \| (?P<ways>[^|]*)\|$", re.MULTILINE)


def listed() -> dict[str, tuple[str, set[str]]]:
    """What the page says of each test: the attack, and its ways."""
    rows = list(ROW.finditer(PAGE.read_text()))
    found = {row["test"]: (row["attack"], set(row["ways"].split())) for row in rows}
    assert len(found) == len(rows)  # each once
    return found


def made() -> dict[str, set[str]]:
    """The tests of tests/attacks, each with the names of its ways."""
    found = {}
    for path in sorted((ROOT / "tests" / "attacks").glob("test_*.py")):
        module = importlib.import_module(f"tests.attacks.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("test_") and function.__module__ == module.__name__:
                found[f"attacks/{path.name}::{name}"] = set(ways(function))
    return found


def ways(function: Any) -> Iterator[str]:
    """The names of all parameters that a test is run with, as pytest shows them."""
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize":
            names = mark.kwargs.get("ids") or mark.args[1]
            yield from (str(name) for name in names)


def test_every_attack_is_listed_with_its_ways():
    told = {test: its for test, (_, its) in listed().items() if test.startswith("attacks/")}
    assert told == made()


def test_every_listed_test_is_there_and_says_what_it_attacks():
    for test, (attack, _) in listed().items():
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / path).read_text())
        assert name in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert len(attack) > 10, test


def test_there_are_as_many_ways_as_there_should_be():
    """40 to connect where it should not, 20 to get at a credential."""
    count = {test: max(1, len(its)) for test, its in made().items()}
    connecting = [n for test, n in count.items() if re.match(r"attacks/test_(hosts|redirects|documents|ways)", test)]
    leaving = [n for test, n in count.items() if re.match(r"attacks/test_(credentials|challenges)", test)]
    assert sum(connecting) >= 40
    assert sum(leaving) >= 20


def test_a_way_that_is_missing_would_be_seen():
    module = ModuleType("another")
    exec(
        "import pytest\n@pytest.mark.parametrize('x', [1], ids=['new'])\n@pytest.mark.parametrize('y', ['a', 301])\n"
        "def test_new(x, y): pass",
        vars(module),
    )
    assert set(ways(module.test_new)) == {"new", "a", "301"}
    assert ROW.match("| an attack | `attacks/test_x.py::test_new` | |")
    assert not ROW.match("| an attack | `attacks/test_x.py` | |")
