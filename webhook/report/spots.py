"""Where a report points at: the images that a decision rests on, in files named as a code host knows them."""

import os
from operator import attrgetter
from pathlib import Path
from typing import Final

from webhook.core.place import Span
from webhook.core.text import clean
from webhook.report.document import Checked

STDIN: Final = "stdin"
"""The file of what was read from standard input (webhook/core/place.py)."""


def spots(one: Checked) -> tuple[Span, ...]:
    """Where the images stand that keep an object from being allowed, from the top.

    The object's beginning where none of them is known to stand anywhere, or none is to blame (no node takes the pod);
    empty where that is not known either.
    """
    judgement = one.judgement
    blamed = {"fails", "uncertain"} if judgement.reason == "undetermined" else {"fails"}
    found: set[Span] = set()
    for index in range(len(judgement.images)):
        span = one.place.image(index)
        if span is not None and any(finding.outcomes[index].verdict in blamed for finding in judgement.findings):
            found.add(span)  # two containers may have one image, through an anchor
    if not found and one.place.start is not None:
        return (one.place.start,)
    return tuple(sorted(found, key=attrgetter("line", "column")))


def below(file: str, root: str) -> str | None:
    """The name of a file as it is below a folder, with slashes; None where it is not in it, or is no file."""
    if not file or file == STDIN or not root:
        return None
    name = os.path.abspath(file)  # noqa: PTH100  # Path.resolve() would follow a link, and name what is not in the tree
    for folder in (os.path.abspath(root), os.path.realpath(root)):  # noqa: PTH100  # as above
        try:
            return Path(name).relative_to(folder).as_posix()
        except ValueError:
            continue
    return None


def named(file: str, root: str) -> str:
    """The name of a file for people: below `root` where it is in it, else as it was given."""
    return below(file, root) or file


def title(one: Checked) -> str:
    """An object as one line names it: `Deployment shop/web`."""
    workload = one.judgement.workload
    return f"{workload.kind} {clean(workload.namespace)}/{clean(workload.name)}"
