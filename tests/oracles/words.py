"""Words of the command lines of `make fuzz`."""

import argparse
from collections.abc import Callable, Collection


def names(known: Collection[str], what: str) -> Callable[[str], list[str]]:
    """Reads NAME[,NAME]... of what is known. Raises ArgumentTypeError."""

    def read(text: str) -> list[str]:
        named = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in named if name not in known]:
            raise argparse.ArgumentTypeError(f"no {what} {', '.join(unknown)}; there are: {', '.join(known)}")
        return named

    return read


def count(text: str) -> int:
    """A number of inputs, which may be written 1,000,000. Raises ArgumentTypeError."""
    number = int(text.replace(",", "").replace("_", ""))
    if number <= 0:
        raise argparse.ArgumentTypeError("at least one input")
    return number
