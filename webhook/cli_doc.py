"""docs/cli.md and the man page, made from the commands themselves.

python -m webhook.cli_doc > docs/cli.md
python -m webhook.cli_doc man > docs/man/podgate.1
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import fill
from typing import Final

import click

from webhook.cli import podgate

_NOT_DONE: Final = (
    "something could not be read or is not understood, a registry or cluster that had to answer did not, or the "
    "command line is wrong"
)
EXIT_CODES: Final = (
    ("0", "nothing was denied, or what was asked for is done"),
    ("1", "something was denied (check), blocks (scan), or does not answer (ready)"),
    ("2", _NOT_DONE),
    ("129, 130, 143", "ended by SIGHUP, Ctrl-C, SIGTERM"),
)
VARIABLES: Final = (
    ("PODGATE_CONFIG", "the settings file where --config names none"),
    ("PODGATE_DEBUG", "set to anything: as --debug"),
    ("KUBECONFIG", "kubeconfig files, separated by colons; else ~/.kube/config"),
    ("DOCKER_AUTH_CONFIG", "a docker configuration, as text: its logins come before those of the file"),
    ("DOCKER_CONFIG", "the folder of the docker configuration, whose logins are used; else ~/.docker"),
    ("XDG_CACHE_HOME", "where the cache folder podgate is; else ~/.cache"),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "proxies to registries, read as Go programs read them"),
    ("NO_COLOR", "set to anything: no colours"),
)

_HEAD: Final = """\
# Command line

<!-- Made by `python -m webhook.cli_doc > docs/cli.md`; a test compares. -->

`podgate COMMAND --help` and `podgate help COMMAND` print what stands here, and so does the man page (`man podgate`),
which the wheel brings along. Options may stand before and after names, `--` ends them.

Results go to standard output, everything else to standard error: errors in one line each, which says what to do.
Python's trace comes only with `--debug`. A reader that goes away early (`podgate check ... | head -1`) changes no exit
code.
"""

_PLUGIN: Final = """\
## With kubectl

`kubectl podgate COMMAND` is the same program: kubectl finds `kubectl-podgate`, which stands beside `podgate`, on the
PATH. Since kubectl 1.26 its own completion completes podgate's words, by `kubectl_complete-podgate`.
"""


@dataclass(frozen=True, slots=True)
class _Word:
    """An option or argument: how it is written, and what it does."""

    spelled: tuple[str, ...]
    metavar: str
    text: str


def page() -> str:
    """docs/cli.md."""
    parts = [_HEAD, "## Exit codes\n\n" + _table("code", EXIT_CODES), "## Environment\n\n" + _table("", VARIABLES)]
    words = _listed(_options(podgate, _root()))
    parts += [_PLUGIN, f"## podgate\n\n{_usage(podgate, _root())}\n\n{_paragraphs(podgate)}\n\n{words}"]
    for name, command in sorted(podgate.commands.items()):
        context = _under(name, command)
        options = _listed(_options(command, context))
        parts.append(f"## podgate {name}\n\n{_usage(command, context)}\n\n{_paragraphs(command)}\n\n{options}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _root() -> click.Context:
    return podgate.make_context("podgate", [], resilient_parsing=True)


def _under(name: str, command: click.Command) -> click.Context:
    return click.Context(command, _root(), name)


def _usage(command: click.Command, context: click.Context) -> str:
    return f"```\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"


def _blocks(command: click.Command) -> Iterator[tuple[bool, list[str]]]:
    """The paragraphs of a command's help; true: its lines stay as they are (click marks it so by \\b)."""
    for block in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = block.splitlines()
        kept = lines[:1] == ["\b"]
        yield kept, lines[1:] if kept else lines


def _paragraphs(command: click.Command) -> str:
    return "\n\n".join(
        "\n".join(["```", *lines, "```"]) if kept else _filled(" ".join(lines)) for kept, lines in _blocks(command)
    )


def _filled(text: str, indent: str = "") -> str:
    return fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _options(command: click.Command, context: click.Context) -> list[_Word]:
    found = []
    for param in command.get_params(context):
        if not isinstance(param, click.Option) or param.hidden:
            continue
        metavar = "" if param.is_flag or param.count else param.make_metavar(context)
        text = param.help or ""
        if param.show_default and param.default is not None:
            text = f"{text} [default: {param.default}]".strip()
        if param.multiple:
            text = f"{text} (may stand several times)".strip()
        found.append(_Word((*param.opts, *param.secondary_opts), metavar, text))
    return found


def _listed(words: list[_Word]) -> str:
    lines = (f"- `{_spelled(word)}`{': ' if word.text else ''}{word.text}" for word in words)
    return "\n".join(_filled(line, "  ") for line in lines)


def _spelled(word: _Word) -> str:
    return f"{', '.join(word.spelled)}{' ' if word.metavar else ''}{word.metavar}"


def _table(head: str, rows: tuple[tuple[str, str], ...]) -> str:
    return "\n".join([f"| {head} | |", "| --- | --- |", *(f"| `{left}` | {right} |" for left, right in rows)])


def man() -> str:
    """The man page, in the macros of man(7)."""
    lines = [
        '.\\" Made by: python -m webhook.cli_doc man > docs/man/podgate.1; a test compares.',
        '.TH PODGATE 1 "" podgate "User Commands"',
        ".SH NAME",
        "podgate \\- stops images from reaching nodes that they cannot run on",
        ".SH SYNOPSIS",
        *(f".B podgate {name}\n.I {_roff(_pieces(name, command))}\n.br" for name, command in _commands()),
        ".SH DESCRIPTION",
        *_roff_blocks(podgate),
        ".SH OPTIONS",
        *_roff_words(_options(podgate, _root())),
        ".SH COMMANDS",
    ]
    for name, command in _commands():
        lines += [f".SS podgate {name}", *_roff_blocks(command), *_roff_words(_options(command, _under(name, command)))]
    lines += [".SH EXIT STATUS", *_roff_rows(EXIT_CODES), ".SH ENVIRONMENT", *_roff_rows(VARIABLES)]
    lines += [".SH SEE ALSO", ".BR kubectl (1)"]
    return "\n".join(lines) + "\n"


def _commands() -> list[tuple[str, click.Command]]:
    return sorted(podgate.commands.items())


def _pieces(name: str, command: click.Command) -> str:
    return " ".join(command.collect_usage_pieces(_under(name, command)))


def _roff_blocks(command: click.Command) -> Iterator[str]:
    for kept, lines in _blocks(command):
        yield ".PP"
        yield from [".nf", *map(_roff, lines), ".fi"] if kept else [_roff(" ".join(lines))]


def _roff_words(words: list[_Word]) -> Iterator[str]:
    for word in words:
        yield f".TP\n.B {_roff(_spelled(word))}\n{_roff(word.text or 'see above')}"


def _roff_rows(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for left, right in rows:
        yield f".TP\n.B {_roff(left)}\n{_roff(right)}"


def _roff(text: str) -> str:
    """A line as text: no request, no escape, and hyphens that can be searched for and copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write(man() if sys.argv[1:] == ["man"] else page())
