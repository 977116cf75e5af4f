"""How far a long run is: a line on standard error that is there only for whoever watches, and gone at the end."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def progress(text: str, total: int | None, environment: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """A bar while the block runs; what is given is called when one more of `total` is done (None: nobody knows how many
    there are). Nothing is shown where standard error is no terminal, or one that knows no colours or movements, nor
    where it is full of what PODGATE_DEBUG shows."""
    plain = environment.get("TERM") == "dumb" or environment.get("PODGATE_DEBUG")
    if plain or sys.stderr is None or not sys.stderr.isatty():
        yield _nothing
        return
    # Loaded only here: most runs are watched by nobody.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as shown:
        task = shown.add_task(text, total=total)
        yield lambda: shown.advance(task)


def _nothing() -> None:
    """Nobody is told."""
