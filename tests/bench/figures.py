"""Figures: each a count, or a ratio within one run. A bound that is missed is shown as missed."""

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """`bound`: the most that the value may be, None where nothing is promised."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def ok(self) -> bool:
        return self.bound is None or self.value <= self.bound


def table(figures: Sequence[Figure]) -> str:
    """The figures as people read them."""
    rows = [("figure", "value", "unit", "bound", "")]
    for figure in figures:
        bound = "" if figure.bound is None else f"{figure.bound:g}"
        rows.append((figure.name, f"{figure.value:.4g}", figure.unit, bound, "" if figure.ok else "MISSED"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def write(figures: Sequence[Figure], path: Path) -> None:
    """The figures for programs: bench.json."""
    document = {
        "figures": [{**asdict(figure), "ok": figure.ok} for figure in figures],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
