"""Where things stand in a text, so that a report can point at them.

Lines and columns count from 1, columns in Unicode characters (code points, not bytes and not UTF-16 units); a line ends
with a line feed, whatever else YAML takes for a line break, since that is what editors and code hosts count.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text. `end_column` is the column after its last character, in the line `end_line`."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object was read.

    `file` is the name as it was given, or found in a directory; "stdin" for standard input; empty where the object
    comes from no file. `start` is the object's first key, None where it is not known. `images` holds, for each of the
    workload's images and in their order, where the reference is written (with an alias that is at its anchor), None
    where that is not known; it is empty where nobody asked for places.
    """

    file: str = ""
    start: Span | None = None
    images: tuple[Span | None, ...] = ()

    def image(self, index: int) -> Span | None:
        """Where an image's reference is written, by its number among the workload's images; None: not known."""
        return self.images[index] if index < len(self.images) else None


NOWHERE: Final = Place()
"""Of an object that comes from no file."""
