"""Completion of words on the command line: for bash, zsh and fish by click's own scripts, and for kubectl.

It must be quick, and may ask nobody but files: names of contexts are read from the kubeconfig, without any Kubernetes
client. Whatever goes wrong, there is nothing to complete then, and nothing is said in the middle of somebody's line.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from webhook.command_line import COMPLETE_VARIABLE, PROGRAM

Items = list["CompletionItem[str]"]
"""What a shell is offered."""

SHELLS: Final = ("bash", "zsh", "fish")

_PLATFORMS: Final = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
)
_OF_TARGETS: Final = ("runtime=containerd://", "runtime=cri-o://", "label=", "taint=")
_LARGEST: Final = 4 << 20
"""Bytes of a kubeconfig that is read while somebody waits for a word."""

# cobra's ShellCompDirective (github.com/spf13/cobra, completions.go), by which kubectl is told what its shell may add.
_FILES: Final = 0
_NO_FILES: Final = 4


def files(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Files and directories: the shell knows them."""
    return [CompletionItem(incomplete, type="file")]


def context_names(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The contexts of the kubeconfig that begin with what is there."""
    return [CompletionItem(name) for name in contexts(context.params.get("kubeconfig")) if name.startswith(incomplete)]


def command_names(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The program's commands, for one of them that is about the others."""
    above = context.parent
    return [] if above is None else above.command.shell_complete(above, incomplete)


def targets(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """PLATFORM[,runtime=...][,label=K=V][,taint=K=V:EFFECT]: the platforms that nodes have, then the words after."""
    head, comma, rest = incomplete.rpartition(",")
    words = _OF_TARGETS if comma else _PLATFORMS
    return [CompletionItem(f"{head}{comma}{word}") for word in words if word.startswith(rest)]


def script(shell: str) -> str:
    """What a shell reads to complete podgate's words."""
    kind = get_completion_class(shell)
    assert kind is not None  # SHELLS are click's
    found = kind(click.Command(PROGRAM), {}, PROGRAM, COMPLETE_VARIABLE)
    return found.source_template % found.source_vars()


def complete(commands: click.Group, instruction: str) -> int:
    """Answers one of those scripts: `instruction` is `bash_complete` or the like. Returns the exit code."""
    shell, _, asked = instruction.partition("_")
    kind = get_completion_class(shell)
    if kind is None or asked != "complete":
        return 1
    try:
        answer = kind(commands, {}, PROGRAM, COMPLETE_VARIABLE).complete()
    except Exception:  # noqa: BLE001  # the shell shows what is printed in the middle of a line
        return 1
    click.echo(answer)
    return 0


def for_kubectl(commands: click.Group, words: Sequence[str]) -> Iterator[str]:
    """The answer to `kubectl_complete-podgate WORD...`, the last word being the one to complete: candidates, each with
    its description, and a directive. kubectl calls it so since 1.26 (kubectl/pkg/cmd/plugin/plugin_completion.go)."""
    *before, incomplete = words or [""]
    try:
        items = ShellComplete(commands, {}, "kubectl podgate", "").get_completions(before, incomplete)
    except Exception:  # noqa: BLE001  # as above
        items = []
    directive = _NO_FILES
    for item in items:
        if item.type == "plain":
            yield f"{item.value}\t{item.help}" if item.help else str(item.value)
        else:
            directive = _FILES
    yield f":{directive}"


def kubectl_complete() -> None:
    """The script `kubectl_complete-podgate`."""
    from webhook.cli import podgate  # noqa: PLC0415  # cli needs this module

    for line in for_kubectl(podgate, sys.argv[1:]):
        click.echo(line)


def contexts(kubeconfig: str | None = None) -> list[str]:
    """The contexts of a kubeconfig (None: of those that KUBECONFIG names, or the user's own); none where nothing can be
    read."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    found: dict[str, None] = {}
    for path in filter(None, paths.split(os.pathsep)):
        found |= dict.fromkeys(_contexts_of(Path(path)))
    return list(found)


def _contexts_of(path: Path) -> list[str]:
    import yaml  # noqa: PLC0415  # only where a context is to be completed

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quick one, where PyYAML has it
    try:
        with path.open("rb") as file:
            document = yaml.load(file.read(_LARGEST), loader)  # noqa: S506  # both are safe loaders
        names = (each["name"] for each in document["contexts"])
        return [name for name in names if isinstance(name, str)]  # an alias may stand for any number of values
    except Exception:  # noqa: BLE001  # as above
        return []
