"""The command line: options and exit codes, no logic.

Exit codes: 0 nothing was denied; 1 something was; 2 something could not be read or was not understood, or the command
line itself is wrong; 130 interrupted (command_line.py).
"""

import os
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any, Final

import click

from webhook.command_line import Commands, start
from webhook.completion import SHELLS, command_names, context_names, files, script, targets

FORMS: Final = ("table", "json", "github", "sarif", "junit", "html")
"""What `check -o` prints (app/check.py, WRITERS)."""


def _reports(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """FORM=FILE taken apart."""
    found = []
    for value in values:
        form, equals, file = value.partition("=")
        if form not in FORMS or not equals or not file:
            raise click.BadParameter(f"{value!r} is not FORM=FILE with one of the forms {', '.join(FORMS)}")
        found.append((form, file))
    return tuple(found)


def _age(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """A duration in seconds, which may be 0."""
    return 0.0 if value.strip() in ("0", "0s") else _duration(context, parameter, value) or 0.0


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """A duration as Go writes it, in seconds; None where none is given."""
    from webhook.core.goduration import parse_duration  # noqa: PLC0415  # as below

    try:
        found = None if value is None else parse_duration(value) / 1e9
    except ValueError:
        raise click.BadParameter(f"{value!r} is no duration, such as 30s, 500ms or 1m30s") from None
    if found is not None and found <= 0:
        raise click.BadParameter("must be longer than nothing")
    return found


_CONFIG = click.option(
    "--config",
    metavar="FILE",
    shell_complete=files,
    help="Settings; else what PODGATE_CONFIG names, else the defaults.",
)

_OFFLINE = click.option("--offline", is_flag=True, help="Ask no registry: only what the cache folder has is known.")

_RECURSIVE = click.option("-R", "--recursive", is_flag=True, help="Go into the directories of directories.")

Option = Callable[[Callable[..., None]], Callable[..., None]]
"""Gives a command an option that several have, each with words of its own."""


def _nodes(words: str) -> Option:
    return click.option("--nodes", metavar="FILE", shell_complete=files, help=words)


def _target(words: str) -> Option:
    return click.option(
        "--target", "targets", multiple=True, metavar="PLATFORM[,...]", shell_complete=targets, help=words
    )


def _context(words: str) -> Option:
    return click.option("--context", metavar="NAME", shell_complete=context_names, help=words)


def _kubeconfig(words: str) -> Option:
    return click.option("--kubeconfig", metavar="FILE", shell_complete=files, help=words)


def _cache_dir(words: str) -> Option:
    return click.option("--cache-dir", metavar="DIR", shell_complete=files, help=words)


def _read_once(*names: str | None) -> None:
    """Refuses standard input for two things."""
    if names.count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="podgate", prog_name="podgate")
def podgate() -> None:
    """Stops images from reaching nodes that they cannot run on."""


@podgate.command()
@_CONFIG
@_nodes("Judge by a file of nodes, without any cluster; read again when changed.")
def serve(config: str | None, nodes: str | None) -> None:
    """Answer AdmissionReviews over HTTPS.

    With a cluster (a kubeconfig, or the pod's ServiceAccount) its nodes are watched. The certificate is tls.crt and
    tls.key of the folder that the settings name (server.certificateDir), or podgate makes it (certificate.mode).
    """
    from webhook.app.serve import run_serve  # noqa: PLC0415  # a command loads only what it needs, to start quickly

    run_serve(config, nodes, os.environ)


@podgate.command()
@_CONFIG
@click.argument("paths", nargs=-1, metavar="[FILE|DIR|-]...", type=click.Path(exists=True, allow_dash=True))
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    shell_complete=files,
    help="Manifests. [default: -]",
)
@_RECURSIVE
@_nodes("Nodes, as `kubectl get nodes -o yaml` prints them; - is stdin.")
@_target("A node that is to be thought there.")
@_kubeconfig("Where the cluster is named. [default: KUBECONFIG, else ~/.kube/config]")
@_context("The kubeconfig context whose nodes are asked for.")
@click.option("-n", "--namespace", metavar="NAME", help="For objects that name none. [default: the context's]")
@click.option("-o", "--output", type=click.Choice(FORMS), default="table", show_default=True)
@click.option(
    "--report", "reports", multiple=True, metavar="FORM=FILE", callback=_reports, help="A form of output, into a file."
)
@click.option("--fail-on", type=click.Choice(["deny", "warn", "never"]), help="When to exit with 1. [default: deny]")
@click.option("--strict", is_flag=True, help="The same as --fail-on warn.")
@click.option("--ignore", multiple=True, metavar="GLOB", help="Images that count as running everywhere, by their name.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Objects judged side by side. [default: 64]")
@click.option("--timeout", metavar="DURATION", callback=_duration, help="For all of it; the rest is undetermined then.")
@_OFFLINE
@_cache_dir("Keep there what registries say. [default: nothing is kept]")
def check(**options: Any) -> None:  # noqa: ANN401  # click's options, named as CheckRequest's fields
    """Judge manifests as the webhook would.

    They are named with -f, as kubectl takes them, or just named, as pre-commit and xargs do it.

    \b
    A target is PLATFORM[,runtime=containerd://2.1][,label=K=V][,taint=K=V:EFFECT].
    With neither --nodes nor --target the current kubeconfig context is asked.
    """
    from webhook.app.check import CheckRequest, run_check  # noqa: PLC0415  # as above

    if options["nodes"] and (options["kubeconfig"] or options["context"]):
        raise click.UsageError("--nodes excludes --kubeconfig and --context")
    if options["strict"] and options["fail_on"] in ("deny", "never"):
        raise click.UsageError(f"--strict and --fail-on {options['fail_on']} contradict each other")
    if options["jobs"] is None:
        del options["jobs"]
    options["files"] += options.pop("paths")
    if not options["files"] and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError("name manifests with -f, or pipe them in")
    options["files"] = options["files"] or ("-",)
    _read_once(*options["files"], options["nodes"])
    sys.exit(run_check(CheckRequest(**options), os.environ, sys.stdout))


@podgate.command()
@_CONFIG
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    shell_complete=files,
    help="Saved workloads, as `kubectl get -o yaml` prints them. [default: the cluster's are listed]",
)
@_RECURSIVE
@click.option("-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help="Only there. [default: all]")
@click.option("-A", "--all-namespaces", is_flag=True, help="All of them, which is the default.")
@click.option("-l", "--selector", metavar="LABELS", help="Only what has these labels, as kubectl takes them.")
@_target("A node that is to be thought there, instead of today's.")
@_nodes("Nodes instead of today's, as `kubectl get nodes -o yaml` prints them; - is stdin.")
@_kubeconfig("Where the cluster is named. [default: KUBECONFIG, else ~/.kube/config]")
@_context("The kubeconfig context of the cluster.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "csv", "html"]), default="table", show_default=True)
@click.option("--suggest", is_flag=True, help="Look for newer tags that have what is missing.")
@click.option(
    "--fail-on",
    type=click.Choice(["never", "blocked", "partial", "unknown"]),
    default="never",
    show_default=True,
    help="Exit with 1 where a workload is in that state, or a worse one.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="N",
    help="Workloads judged side by side.",
)
@click.option("--timeout", metavar="DURATION", callback=_duration, help="For all of it; the rest is not known then.")
@_OFFLINE
@_cache_dir("Keep there what registries say. [default: ~/.cache/podgate]")
@click.option(
    "--cache-ttl",
    default="1h",
    show_default=True,
    metavar="DURATION",
    callback=_age,
    help="How long a tag is not asked for again.",
)
def scan(**options: Any) -> None:  # noqa: ANN401  # click's options, named as ScanRequest's fields
    """Say what would become of a cluster's workloads on nodes of another kind, or becomes on today's.

    Every workload is looked at, as if it were scheduled anew. A scan that is broken off goes on where it was: what
    registries have said is kept.

    \b
    What blocks a migration to arm64:  podgate scan --target linux/arm64
    A target is PLATFORM[,runtime=containerd://2.1][,label=K=V][,taint=K=V:EFFECT].
    """
    from webhook.app.scan import ScanRequest, run_scan  # noqa: PLC0415  # as above

    if options.pop("all_namespaces") and options["namespaces"]:
        raise click.UsageError("--namespace and --all-namespaces exclude each other")
    if options["selector"] == "":
        raise click.UsageError("--selector is empty")
    if options["selector"] and options["files"]:
        raise click.UsageError("--selector is for a cluster; of files, save what has the labels: kubectl get -l")
    if options["recursive"] and not options["files"]:
        raise click.UsageError("--recursive is about the directories of -f")
    if "" in options["namespaces"]:
        raise click.UsageError("the name of a namespace is empty")
    _read_once(*options["files"], options["nodes"])
    sys.exit(run_scan(ScanRequest(**options), os.environ, sys.stdout))


@podgate.command()
@_CONFIG
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("-n", "--namespace", default="", help="Whose credentials of the settings are used. [default: anybody's]")
@click.option("--cluster", is_flag=True, help="Say for which nodes of the current kubeconfig context they work.")
@_kubeconfig("The same, of the cluster that another kubeconfig than KUBECONFIG names.")
@_context("The same, of another context of the kubeconfig.")
@_nodes("The same, of a file as `kubectl get nodes -o yaml` prints it.")
@_target("The same, of a node thought up.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def inspect(**options: Any) -> None:  # noqa: ANN401  # click's options, named as InspectRequest's fields
    """Show what images offer, entry by entry, and how it was found.

    Digest, media type, every entry, the requests that were made, which host answered, and where the credential came
    from. No cluster is asked unless --cluster, --kubeconfig or --context says so. Exit codes: 0 all is known; 2
    something is not, and what is known is shown all the same.
    """
    from webhook.app.inspect import InspectRequest, run_inspect  # noqa: PLC0415  # as above

    if options["nodes"] and (options["kubeconfig"] or options["context"] or options["cluster"]):
        raise click.UsageError("--nodes excludes --cluster, --kubeconfig and --context")
    sys.exit(run_inspect(InspectRequest(**options), os.environ, sys.stdout))


@podgate.command()
@click.option("--webhook-configuration", default="podgate", show_default=True, metavar="NAME", help="What to read.")
@_kubeconfig("Where the cluster is named. [default: KUBECONFIG, else ~/.kube/config]")
@_context("The kubeconfig context of the cluster.")
@click.option("--address", metavar="HOST:PORT", help="Connect there instead of to the Service (a port-forward).")
@click.option("--timeout", default="60s", show_default=True, metavar="DURATION", help="How long to go on trying.")
def ready(timeout: str, **options: Any) -> None:  # noqa: ANN401  # named as ReadyRequest's fields
    """Wait until the webhook answers, called as the API server calls it.

    The ValidatingWebhookConfiguration says where it is and which authority to trust. Exit code 1 where it does not
    answer in time.
    """
    from webhook.app.ready import ReadyRequest, run_ready  # noqa: PLC0415  # as above
    from webhook.settings_values import seconds  # noqa: PLC0415  # as above

    try:
        limit = seconds(timeout)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from None
    sys.exit(run_ready(ReadyRequest(timeout=limit, **options), sys.stdout))


@podgate.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@click.option("--keep", is_flag=True, help="Leave registry and webhook up until Ctrl-C.")
def demo(images: tuple[str, ...], keep: bool) -> None:
    """Show podgate at work, without a cluster.

    Samples are sent as AdmissionReviews over HTTPS to the real webhook, which looks their images up in a registry of
    its own. With IMAGE, images of yours are tried as well, in their own registries.
    """
    from webhook.app.demo import run_demo  # noqa: PLC0415  # as above

    output = sys.stdout or StringIO()  # closed by whoever started the process
    sys.exit(run_demo(images, keep=keep, environment=os.environ, output=output))


@podgate.command()
@click.argument("command", required=False, shell_complete=command_names)
@click.pass_context
def help(context: click.Context, command: str | None) -> None:  # noqa: A001  # the command's name
    """Show what a command does, and its options."""
    above = context.parent
    assert above is not None
    if command is None:
        click.echo(above.get_help())
        return
    _, asked, _ = podgate.resolve_command(above, [command])
    assert asked is not None  # or UsageError is raised
    click.echo(asked.get_help(click.Context(asked, above, command)))


@podgate.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what a shell reads to complete podgate's words.

    \b
    bash: podgate completion bash > ~/.local/share/bash-completion/completions/podgate
    zsh:  podgate completion zsh > "${fpath[1]}/_podgate"
    fish: podgate completion fish > ~/.config/fish/completions/podgate.fish

    kubectl completes `kubectl podgate` by itself: kubectl_complete-podgate is beside podgate.
    """
    click.echo(script(shell), nl=False)


def main() -> None:
    """The console script."""
    start(podgate)
