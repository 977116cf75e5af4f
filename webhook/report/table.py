"""What `podgate check` shows people: a line for each object, and below it what is wrong with it."""

from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from webhook.core.message import clean
from webhook.report.document import Checked, summary
from webhook.report.layout import Lines, laid_out, paragraphs
from webhook.report.spots import title

_STYLES: Final = {"deny": "red", "warn": "yellow", "allow": "green", "skipped": "bright_black"}
"""Colours alone: with NO_COLOR nothing is left of them."""
_INDENT: Final = "    "


def print_table(checked: Sequence[Checked], stream: TextIO) -> None:
    """Prints results to a stream; colours where it is a terminal and NO_COLOR is not set.

    A terminal gets texts laid out for its width; a pipe gets each line as it is, so that it can be searched.
    """
    lines = Lines(stream)
    rows = [_row(one) for one in checked]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for one, row in zip(checked, rows, strict=True):
        rest = f"  {row[1].ljust(widths[1])}  {row[2].ljust(widths[2])}  {row[3]}".rstrip()
        lines.print((row[0].ljust(widths[0]), _STYLES[row[0]]), (rest, ""))
        for text in _details(one, lines.width):
            lines.print((text, ""))
    lines.print((", ".join(f"{count} {word}" for word, count in summary(checked).items()), ""))


def _row(one: Checked) -> tuple[str, str, str, str]:
    judgement = one.judgement
    word = "skipped" if judgement.reason == "skipped" else judgement.decision
    reason = "" if judgement.reason == "skipped" else judgement.reason
    return word, title(one), reason, clean(one.source, 200)


def _details(one: Checked, width: int) -> Iterable[str]:
    """The messages, indented; within a width of 0 as they are."""
    for message in one.judgement.messages:
        for line in paragraphs(message) if width else message.splitlines():
            yield from laid_out(f"{_INDENT}{line}", width, "  ")
