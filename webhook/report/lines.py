"""Lines on standard error, and streams whose reader has gone."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Final, TextIO

_COMMAND: Final = re.compile(r"##(?=[\w-]*\[)|^ *::", re.MULTILINE)
"""What runners of CI obey: ##[stop-commands] (GitHub) and ##vso[task.setvariable] (Azure) anywhere in a line, and
::stop-commands:: (GitHub) at its beginning, where any word may come to stand once a text is laid out."""
_BEGINNING: Final = re.compile(r"^( *):(?=:)", re.MULTILINE)


def printable(text: str) -> str:
    """Foreign text, without what a terminal would obey: question marks stand for it. Line feeds stay."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def disarmed(text: str) -> str:
    """One line of a log with foreign text in it, without what a terminal or a runner of CI would obey."""
    return _COMMAND.sub(lambda found: f"{found[0][:-1]}?", printable(text))


def json_text(document: object) -> str:
    """A document as JSON, laid out for people too, which says the same to whoever reads it as JSON and nothing to a
    runner of CI that finds it in a log."""
    return json.dumps(document, indent=2).replace("##", "#\\u0023") + "\n"


def quiet_markup(markup: str) -> str:
    """XML or HTML text, escaped already, that says the same to a reader and nothing to a runner of CI."""
    return _BEGINNING.sub(r"\1&#58;", markup.replace("##", "#&#35;"))


def say(text: str) -> None:
    """One line on standard error, in podgate's own voice.

    Names of files and words of manifests may be in it: what a terminal, or a runner of CI, would obey is shown with
    question marks.
    """
    if sys.stderr is not None:  # closed by whoever started the process
        line = disarmed(" ".join(text.splitlines()))
        with contextlib.suppress(OSError):  # nobody is left to be told
            print(f"podgate: {line}", file=sys.stderr)  # noqa: T201  # the command line's own voice


def deliver(stream: TextIO | None, write: Callable[[TextIO], None]) -> None:
    """Writes results to a stream (None: it is closed). That nobody reads them any more is no error.

    Raises OSError where they are lost otherwise: the disk is full.
    """
    if stream is None:
        return
    try:
        write(stream)
        stream.flush()
    except BrokenPipeError:
        be_quiet(stream)
    except OSError as error:
        be_quiet(stream)
        raise OSError(error.errno, error.strerror, "standard output") from None


def be_quiet(stream: TextIO | None) -> None:
    """Lets a stream whose reader has gone take what is still buffered: it must not raise again when Python ends."""
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):  # it has no descriptor: then nothing is flushed at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
