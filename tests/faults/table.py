"""The matrix as people read it: a Markdown table, as it stands in docs/reliability.md."""

import datetime as dt
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.catalogue import Illness
from tests.faults.cells import Cell, Found, is_right
from tests.faults.samples import KINDS, STATES

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
COLUMNS = [(state, kind) for state in STATES for kind in KINDS]
_BEGIN, _END = "<!-- make faults: begin -->\n", "<!-- make faults: end -->\n"
_REQUESTS = re.compile(r" \(\d+\)$")

Rows = Mapping[str, Sequence[str]]
"""By the fault's name: what podgate does about it, and what it answers in each of COLUMNS."""


def rows_of(found: Found) -> dict[str, list[str]]:
    """The rows of a run."""
    illnesses: dict[Illness, dict[tuple[str, str], list[Cell]]] = {}
    for cell in found.told:
        illnesses.setdefault(cell.illness, {}).setdefault((cell.state, cell.kind), []).append(cell)
    return {
        illness.name: [illness.does, *(_shown(columns[column], found) for column in COLUMNS)]
        for illness, columns in illnesses.items()
    }


def _shown(cells: Sequence[Cell], found: Found) -> str:
    """Both images of a column in one: what is said of them, and the most requests that one has cost."""
    said = list(dict.fromkeys(_said(cell, found) for cell in cells))
    return f"{' or '.join(said)} ({max(found.requests[cell] for cell in cells)})"


def _said(cell: Cell, found: Found) -> str:
    told = found.told[cell]
    if is_right(cell, told):
        return "right, stale" if told.stale else "right"
    return f"`{told.code}`" if told.reason == "undetermined" else f"{told.decision} {told.reason}"


def markdown(rows: Rows) -> str:
    """The table, and below it where and when it was made."""
    head = ["fault", "what podgate does", *(f"{state}, {kind}" for state, kind in COLUMNS)]
    lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in rows.items())]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{table}\n{len(rows)} faults; {machine}, {dt.datetime.now(dt.UTC).date().isoformat()}.\n"


def rows_in(page: str) -> dict[str, list[str]]:
    """The rows of the table that stands in a page."""
    lines = page.partition(_BEGIN)[2].partition(_END)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {name: rest for name, *rest in cells[2:]}


def with_table(page: str, table: str) -> str:
    """A page with another table in the place of its own."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}{table}{_END}{rest.partition(_END)[2]}"


def verdicts(row: Sequence[str]) -> list[str]:
    """What has to be the same from run to run: how often a registry is asked is a matter of time, too."""
    return [_REQUESTS.sub("", cell) for cell in row]
