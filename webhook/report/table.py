"""What `podgate check` shows people: a line for each object, and below it what is wrong with it."""

from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from webhook.core.message import clean
from webhook.report.document import Checked, summary

_STYLES: Final = {"deny": "bold red", "warn": "yellow", "allow": "green", "skipped": "dim"}
_INDENT: Final = "    "


def print_table(checked: Sequence[Checked], stream: TextIO) -> None:
    """Prints results to a stream; colours where it is a terminal and NO_COLOR is not set."""
    # Texts are laid out by podgate itself, and rich must neither wrap them nor read markup in them.
    console = Console(file=stream, soft_wrap=True, highlight=False, markup=False, emoji=False)
    rows = [_row(one) for one in checked]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for one, row in zip(checked, rows, strict=True):
        line = Text(row[0].ljust(widths[0]), style=_STYLES[row[0].strip()])
        line.append(f"  {row[1].ljust(widths[1])}  {row[2].ljust(widths[2])}  {row[3]}".rstrip(), style="default")
        console.print(line)
        for text in _details(one):
            console.print(Text(f"{_INDENT}{text}"))
    counts = summary(checked)
    console.print(Text(", ".join(f"{count} {word}" for word, count in counts.items())))


def _row(one: Checked) -> tuple[str, str, str, str]:
    judgement = one.judgement
    workload = judgement.workload
    word = "skipped" if judgement.reason == "skipped" else judgement.decision
    name = f"{workload.kind} {clean(workload.namespace)}/{clean(workload.name)}"
    reason = "" if judgement.reason == "skipped" else judgement.reason
    return word, name, reason, clean(one.source, 200)


def _details(one: Checked) -> Iterable[str]:
    for message in one.judgement.messages:
        yield from message.splitlines()
