"""A bound can be missed, and is shown as missed: in the table, in bench.json, in a document and by the exit code."""

import asyncio
import json
import math
from collections.abc import Sequence

import pytest

from tests.bench import __main__ as command
from tests.bench.document import write_into
from tests.bench.figures import Figure, Limit, held, table, write
from tests.bench.setting import Run

MISSED = Figure("slow", 3.5, "ms", 3.0, timed=True)
HELD = Figure("small", 100, "MiB", 128)


@pytest.mark.parametrize(
    ("value", "bound", "limit", "ok"),
    [
        (3.0, 3.0, "most", True),
        (3.01, 3.0, "most", False),
        (0.75, 0.75, "least", True),
        (0.74, 0.75, "least", False),
        (150, 150, "exactly", True),
        (149, 150, "exactly", False),
        (1e9, None, "most", True),
        (math.nan, None, "most", False),
        (math.nan, 3.0, "least", False),
    ],
)
def test_a_bound_is_held_or_missed(value, bound, limit: Limit, ok):
    assert Figure("any", value, "ms", bound, limit).ok is ok


def test_a_miss_is_shown_wherever_figures_are(tmp_path):
    page, file = tmp_path / "page.md", tmp_path / "bench.json"
    page.write_text(
        "before\n<!-- figures: begin, written by `make bench WRITE=1` -->\nold\n<!-- figures: end -->\nafter\n"
    )
    figures = [MISSED, HELD, Figure("nothing", math.nan, "")]
    write_into(page, figures)
    write(figures, file)
    assert [line.endswith("MISSED") for line in table(figures).splitlines()] == [False, True, False, True]
    assert "| slow | 3.5 | ms | <= 3 | MISSED |" in page.read_text()
    assert "old" not in page.read_text()
    document = json.loads(file.read_text())
    assert set(document) == {"figures", "machine", "date"}
    assert [(one["name"], one["value"], one["unit"], one["bound"], one["ok"]) for one in document["figures"]] == [
        ("slow", 3.5, "ms", 3.0, False),
        ("small", 100, "MiB", 128, True),
        ("nothing", None, "", None, False),
    ]


def test_a_page_without_a_place_for_figures_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no place\n")
    with pytest.raises(ValueError, match="has no place for figures"):
        write_into(page, [HELD])
    assert page.read_text() == "no place\n"


@pytest.mark.parametrize(
    ("figure", "whole", "short"),
    [
        (HELD, True, True),
        (MISSED, False, True),  # another's work on the machine may have done it
        (Figure("large", 200, "MiB", 128), False, False),
        (Figure("storm: it has failed", math.nan, ""), False, False),
    ],
)
def test_a_short_run_forgives_times_alone(figure, whole, short):
    assert held([HELD, figure], short=False) is whole
    assert held([HELD, figure], short=True) is short


def test_a_part_that_fails_is_a_miss_and_the_others_are_measured(tmp_path, monkeypatch, capsys):
    async def fails(_: Run) -> Sequence[Figure]:
        raise AssertionError("not what was meant")

    async def measures(_: Run) -> Sequence[Figure]:
        return [HELD]

    monkeypatch.setattr(command, "PARTS", {"storm": fails, "footprint": measures})
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(command.main(["--short"])) == 1
    assert "storm: it has failed" in capsys.readouterr().out
    assert [one["ok"] for one in json.loads((tmp_path / "bench.json").read_text())["figures"]] == [False, True]
