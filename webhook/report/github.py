"""What GitHub's runner makes annotations of: workflow commands, a line each (`podgate check -o github`).

The runner reads commands from every line of a step's output: `::error file=a.yaml,line=3::text`. It takes the values
apart at commas and colons, and turns %25, %0D, %0A, %3A and %2C back afterwards (actions/runner, ActionCommand.cs). It
shows ten errors and ten warnings of a step, so that what tells most comes first.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TextIO

from webhook.core.place import Span
from webhook.report.document import Checked, summary
from webhook.report.lines import disarmed
from webhook.report.run import CheckRun, Problem
from webhook.report.spots import STDIN, named, spots, title

_COMMANDS: Final = {"deny": "error", "warn": "warning"}


def write_github(run: CheckRun, stream: TextIO) -> None:
    """Prints a command for each denial and warning, at the first image that it is about, and for each problem.

    Below them, since they tell nothing new: one for each further image of the same objects. The last line is a count.
    """
    stream.writelines(_commands(run))
    stream.write(", ".join(f"{count} {word}" for word, count in summary(run.checked).items()) + "\n")


def _commands(run: CheckRun) -> Iterator[str]:
    troubled = [(one, spots(one)) for one in run.checked if one.judgement.decision in _COMMANDS]
    for one, found in troubled:
        yield _annotation(one, run.root, found[0] if found else None, "\n".join(one.judgement.messages))
    for problem in run.problems:
        yield _problem(problem, run.root)
    for one, found in troubled:
        for span in found[1:]:
            yield _annotation(one, run.root, span, f"this image as well: see line {found[0].line}")


def _annotation(one: Checked, root: str, span: Span | None, text: str) -> str:
    judgement = one.judgement
    place = one.place
    file = named(place.file, root)
    if place.file in ("", STDIN):  # nothing to point at
        where = one.source if span is None else f"{STDIN}, line {span.line}"
        text, file, span = f"{where}: {text}", "", None
    properties = {"file": file, **_region(span), "title": f"{title(one)}: {judgement.reason}"}
    return _command(_COMMANDS[judgement.decision], properties, text)


def _problem(problem: Problem, root: str) -> str:
    file = "" if problem.file == STDIN else named(problem.file, root)
    line = "" if problem.line is None or not file else str(problem.line)
    return _command("error", {"file": file, "line": line, "title": "podgate: not understood"}, problem.text)


def _region(span: Span | None) -> dict[str, str]:
    """Lines and columns. Columns of a stretch of several lines are refused by GitHub's API of checks."""
    if span is None:
        return {}
    region = {"line": str(span.line), "endLine": str(span.end_line)}
    if span.line == span.end_line:
        region |= {"col": str(span.column), "endColumn": str(span.end_column)}
    return region


def _command(name: str, properties: Mapping[str, str], text: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {given}::{_data(text)}\n"


def _data(text: str) -> str:
    return disarmed(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
