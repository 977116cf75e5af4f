"""How lines are laid out for people: on a terminal for its width, in a pipe as they are."""

import textwrap
from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console

_NARROWEST: Final = 40
"""Columns below which nothing is laid out any more: the terminal breaks lines by itself then."""


def plain_console(stream: TextIO) -> Console:
    """A console that prints lines as they are given: rich must neither wrap them nor read markup in what others write.
    Colours where it is a terminal and NO_COLOR is not set."""
    return Console(file=stream, soft_wrap=True, highlight=False, markup=False, emoji=False)


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
