"""How lines are laid out for people: on a terminal for its width, in a pipe as they are."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from webhook.core.text import WIDTH
from webhook.report.lines import disarmed

_NARROWEST: Final = 40
"""Columns below which nothing is laid out any more: the terminal breaks lines by itself then."""
_PLACES: Final = ("on ", "and on ")
"""How a denial begins its lines about nodes (core/message.py)."""


class Lines:
    """Prints lines as they are given: rich must neither wrap them nor read markup in what others write, and nobody
    obeys what is in them (lines.py). Colours where it is a terminal and NO_COLOR is not set."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.width: Final = self._console.width if self._console.is_terminal else 0
        """Columns of the terminal; 0 where it is none."""

    def print(self, *parts: tuple[str, str]) -> None:
        """One line, of texts with their styles."""
        self._console.print(Text.assemble(*((disarmed(text), style) for text, style in parts)))


def paragraphs(text: str) -> Iterator[str]:
    """The lines of a denial before they were laid out for a terminal (core/text.py, `wrapped`), so that they can be for
    another one.

    A line goes on where the next one is indented by two more and its first word had no room. Below an image stand the
    places where it ends how, which are indented alike; they begin with a word of their own.
    """
    whole, last = "", ""
    for line in text.splitlines():
        begun = line.lstrip()
        further = len(line) - len(begun) == len(whole) - len(whole.lstrip()) + 2
        had_no_room = len(last) + 1 + len(begun.partition(" ")[0]) > WIDTH
        place = whole.startswith("- ") and begun.startswith(_PLACES)
        if whole and further and had_no_room and not place:
            whole = f"{whole} {begun}"
        else:
            if whole:
                yield whole
            whole = line
        last = line
    if whole:
        yield whole


def laid_out(line: str, width: int, further: str) -> Sequence[str]:
    """A line as it is, or broken between words; names stay whole, so that they can be copied.

    `width`: columns, 0: any number. `further`: what the lines after the first are indented by beside its own indent.
    """
    if width < _NARROWEST or len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}{further}",
        break_long_words=False,
        break_on_hyphens=False,
    )
