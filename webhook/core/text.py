"""Foreign text made fit to print, and texts made to fit: the tools of message.py.

What users and registries write may hold anything: control characters that move a terminal's cursor, a line break that
makes the API server drop a warning, a megabyte. Nothing of it gets into a message but by `clean`.
"""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

TEXT_LIMIT: Final = 120
"""Characters of one foreign text (a name, a reference): the longest that leaves a line readable."""
NODES_NAMED: Final = 3
"""Names that are given before the others are counted."""
WIDTH: Final = 80
"""Columns of the terminal that a text of several lines is laid out for."""
NAME_LIMIT: Final = 63
"""Characters of one name among several: a DNS label, which most names of nodes and containers are."""


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Foreign text without anything unprintable, at most `limit` characters; its end is kept (a tag, a digest)."""
    if len(text) <= limit and text.isprintable():
        return text
    printable = "".join(character for character in text[: 4 * limit] if character.isprintable())
    if len(text) <= 4 * limit and len(printable) <= limit:
        return printable
    tail = "".join(character for character in text[-2 * limit :] if character.isprintable())
    return f"{printable[: limit // 2 - 2]}...{tail[-(limit // 2 - 1) :]}"


def name_some(names: Sequence[str], most: int = NODES_NAMED, limit: int = NAME_LIMIT) -> str:
    """Up to `most` names of `limit` characters each, then a count of the others."""
    shown = ", ".join(clean(name, limit) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def more(count: int, noun: str) -> str:
    """The rest of something, counted: `1 more node`, `2 more nodes`."""
    return f"{count} more {noun}{'' if count == 1 else 's'}"


def either(values: Sequence[str]) -> str:
    """Alternatives as a sentence has them: `amd64`, `amd64 or arm64`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1] if values else "")))


def fitted(forms: Iterable[str], limit: int) -> str:
    """The first of several forms of a text that fits, else the last of them cut off."""
    form = ""
    for form in forms:
        if len(form) <= limit:
            return form
    return f"{form[: limit - 3]}..."


def wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a terminal's width; a long word stays whole, so that it can be copied."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        yield from wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
