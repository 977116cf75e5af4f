"""The table within a document, between two marks, with the machine and the date of the run."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import HEADER, Figure, machine, today

END = "<!-- figures: end -->"


def write_into(path: Path, figures: Sequence[Figure], command: str = "make bench") -> None:
    """Puts the figures of a command into a document in place of those there. Raises ValueError where it has no place
    for them."""
    mark = f"<!-- figures: begin, written by `{command} WRITE=1` -->"
    before, begin, rest = path.read_text().partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for figures: {mark} and {END}")
    path.write_text(f"{before}{mark}\n\n{markdown(figures)}\n\n{END}{after}")


def markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table of Markdown."""
    rows = [HEADER, ("---", "---:", "---", "---", "---"), *(figure.row for figure in figures)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"Taken on {today()}: {machine()}.\n\n{lines}"
