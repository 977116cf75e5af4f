"""The survey as CSV (RFC 4180): a line for each image and owner, for spreadsheets."""

import csv
from collections.abc import Iterable
from typing import Final, TextIO

from webhook.core.text import clean
from webhook.report.lines import disarmed
from webhook.report.survey import Cell, ImageSurvey, Survey, Use

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula, and would run (OWASP, CSV injection)."""
_LONG: Final = 1000
"""Characters of one cell: more is nobody's name."""

_BEFORE: Final = ("image", "state", "namespace", "kind", "name", "containers", "replicas", "workload", "fails", "why")
_AFTER: Final = ("declared", "resolved", "error", "suggestion")


def write_csv(survey: Survey, stream: TextIO) -> None:
    """Writes a line of headings, then a line for each image and owner. Between the columns of the image and what was
    found out about it is one for each platform."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(map(_safe, (*_BEFORE, *(column.name for column in survey.columns), *_AFTER)))
    for image in survey.images:
        for use in image.uses:
            writer.writerow(map(_safe, _row(image, use)))


def _row(image: ImageSurvey, use: Use) -> Iterable[str]:
    owner = use.owner
    yield from (image.image, image.state, owner.namespace, owner.kind, owner.name, " ".join(use.containers))
    yield from (str(use.replicas), use.state, "yes" if use.blocked else "no", use.why or "")
    yield from map(_cell, image.cells)
    yield from (" ".join(image.platforms), image.resolved, image.error[0] if image.error else "")
    yield image.suggestion.image if image.suggestion else ""


def _cell(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.verdict} ({cell.why})"


def _safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula, and no runner of CI for a command."""
    shown = disarmed(clean(text, _LONG))
    return f"'{shown}" if shown.startswith(_FORMULA) or text.startswith(_FORMULA) else shown
