"""Figures: each a count, a size, or a ratio within one run. A bound that is missed is shown as missed."""

import datetime as dt
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

Limit = Literal["most", "least", "exactly"]

_SIGNS: Final[Mapping[Limit, str]] = {"most": "<=", "least": ">=", "exactly": "="}


@dataclass(frozen=True)
class Figure:
    """`bound`: what the value may be at most, at least, or exactly, by `limit`; None where nothing is promised.

    `timed`: the value hangs on how long something took, so that other work on the same machine can spoil it. A value
    that is no number (NaN) is one that could not be measured."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    limit: Limit = "most"
    timed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bound is held; what was not measured holds none."""
        if math.isnan(self.value):
            return False
        if self.bound is None:
            return True
        if self.limit == "exactly":
            return self.value == self.bound
        return self.value >= self.bound if self.limit == "least" else self.value <= self.bound

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        bound = "" if self.bound is None else f"{_SIGNS[self.limit]} {_number(self.bound)}"
        return self.name, _number(self.value), self.unit, bound, "" if self.ok else "MISSED"


def held(figures: Iterable[Figure], *, short: bool) -> bool:
    """Whether bounds are held. A short run, which other work may spoil, is not held to what is `timed`."""
    return all(figure.ok or (short and figure.timed) for figure in figures)


HEADER: Final = ("figure", "value", "unit", "bound", "")


def _number(value: float) -> str:
    """Four digits, or all of a count; none are lost before the point."""
    if math.isnan(value):
        return "not measured"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as people read them."""
    rows = [HEADER, *(figure.row for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def machine() -> str:
    """What the figures were taken on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    """The processor's name where Linux tells it, else its architecture."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


def today() -> str:
    """The date of the run."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def write(figures: Sequence[Figure], path: Path) -> None:
    """The figures for programs: bench.json. What could not be measured has the value null."""
    document = {
        "figures": [
            {**asdict(figure), "value": None if math.isnan(figure.value) else figure.value, "ok": figure.ok}
            for figure in figures
        ],
        "machine": machine(),
        "date": today(),
    }
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
