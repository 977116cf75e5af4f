"""What all commands have in common: how podgate is called, errors in one line, `--debug`, and how a run ends."""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import click

from webhook import interrupts
from webhook.core.errors import CannotServe, ClusterUnavailable, MalformedInput
from webhook.core.text import either
from webhook.report.lines import be_quiet, say

UNREADABLE: Final = 2
DEBUG_VARIABLE: Final = "PODGATE_DEBUG"
"""Set to anything: an error ends in Python's trace, as with --debug."""
PROGRAM: Final = "podgate"
PLUGIN: Final = "kubectl-podgate"
"""The name under which kubectl finds it, for `kubectl podgate`."""
COMPLETE_VARIABLE: Final = "_PODGATE_COMPLETE"
"""Set by the scripts of `podgate completion`: words are to be completed, and nothing done."""


@dataclass(slots=True)
class Run:
    """One run of the program. `debug`: show the trace of the error that ends it."""

    debug: bool


def _debug(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # as click calls it
    run = context.find_object(Run)
    if value and run is not None:
        run.debug = True


def _debug_option() -> click.Option:
    words = f"Show Python's trace of the error that ends the run, as with {DEBUG_VARIABLE} set."
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=_debug, is_eager=True, help=words)


class Command(click.Command):
    """A command with --debug."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(*arguments, **options)
        self.params.append(_debug_option())

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401  # click's own
    ) -> click.Context:
        """As click does; an error that does not know whose option is wrong is told it. Raises UsageError."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            error.ctx = error.ctx or click.Context(self, parent, info_name)
            raise


class Commands(click.Group):
    """The program: --debug before the command, too, and a mistyped command is told what it may have been."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(*arguments, **options)
        self.params.append(_debug_option())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names. Raises UsageError."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and name[:1] != "-":
            close = get_close_matches(name, self.commands)
            meant = f"; did you mean {either(close)}?" if close else ""
            raise click.UsageError(f"there is no command {name!r}{meant}", ctx)
        return super().resolve_command(ctx, args)


def program_name() -> str:
    """How the user has called the program."""
    return "kubectl podgate" if Path(sys.argv[0]).name == PLUGIN else PROGRAM


def start(commands: Commands) -> None:
    """Runs the command line and ends the process by SystemExit: every error in one line, no trace unless asked for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name need not be text, and a terminal need not know every character.
            stream.reconfigure(errors="backslashreplace")
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from webhook.completion import complete  # noqa: PLC0415  # only where a shell asks

        sys.exit(_delivered(complete(commands, instruction)))
    run = Run(debug=bool(os.environ.get(DEBUG_VARIABLE)))
    try:
        with interrupts.taken():
            code = _delivered(_run(commands, sys.argv[1:], run))
    except KeyboardInterrupt:  # between one thing and the next
        code = _interrupted()
    sys.exit(code)


def _run(commands: Commands, arguments: Sequence[str], run: Run) -> int:
    """The exit code of a run that has said all that it has to say."""
    try:
        with commands.make_context(program_name(), list(arguments), obj=run) as context:
            commands.invoke(context)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UNREADABLE
    except BrokenPipeError:  # of help, or the like: results are delivered by report/lines.py
        be_quiet(sys.stdout)
    except Exception as error:  # noqa: BLE001  # nothing must look like a denial, and Python would exit with 1
        if run.debug:
            _show_trace(error)
        say(_line(error))
        return UNREADABLE
    return 0


def _line(error: Exception) -> str:
    """What is wrong, and what to do."""
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, MalformedInput | ClusterUnavailable | CannotServe):
        return str(error)
    if isinstance(error, OSError):  # what the machine refuses: a full disk, a port, a folder
        # Whoever writes into a file says which; what is printed is no file.
        where = error.filename or ("standard output" if error.errno == errno.ENOSPC else "")
        return f"{where}: {error.strerror}" if where else str(error)
    return f"internal error: {type(error).__name__}: {error}; set {DEBUG_VARIABLE}=1, or say --debug, for the trace"


def _usage(error: click.ClickException) -> str:
    """An error of the command line, and where to read about it."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.NoSuchOption):
        meant = either(error.possibilities or ())
        message = f"there is no option {error.option_name}{f'; did you mean {meant}?' if meant else ''}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else program_name()
    see = f" See {path} --help" if message.endswith("?") else f"; see {path} --help"
    return f"{message[:1].lower()}{message[1:]}{see}"


def _show_trace(error: Exception) -> None:
    import traceback  # noqa: PLC0415  # seldom

    if sys.stderr is not None:
        with suppress(OSError):  # nobody is left to be shown it
            traceback.print_exception(error, file=sys.stderr)


def _interrupted() -> int:
    """The exit code; what was not printed yet is not wanted any more, and a reader may not be reading."""
    be_quiet(sys.stdout)
    return interrupts.exit_code()


def _delivered(code: int) -> int:
    """The exit code when all that was printed has arrived: Python itself would make 120 of a reader that has gone."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        be_quiet(sys.stdout)
    except OSError as error:
        be_quiet(sys.stdout)
        say(f"standard output: {error.strerror}")
        return UNREADABLE
    return code
