"""What all commands have in common: names, help, errors in one line, the trace, and where what is printed goes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import ROOT, Podgate, apart, finish
from tests.support.manifests import pod, write
from webhook.cli import podgate as program

COMMANDS = sorted(program.commands)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chek"], "there is no command 'chek'; did you mean check? See podgate --help"),
        (["frobnicate"], "there is no command 'frobnicate'; see podgate --help"),
        (["help", "inspct"], "there is no command 'inspct'; did you mean inspect? See podgate --help"),
        (["ready", "--adress", "x"], "there is no option --adress; did you mean --address? See podgate ready --help"),
        (["--colour"], "there is no option --colour; see podgate --help"),
        (["inspect"], "missing argument 'IMAGE...'; see podgate inspect --help"),
        (["inspect", "a", "-o", "xml"], "'xml' is not one of 'table', 'json'; see podgate inspect --help"),
        (["inspect", "a", "--config"], "option '--config' requires an argument; see podgate inspect --help"),
        (["ready", "--timeout", "soon"], "see podgate ready --help"),
    ],
)
def test_a_slip_is_told_in_one_line_with_where_to_look(podgate: Podgate, arguments: list[str], line: str):
    ran = podgate(*arguments)
    assert (ran.code, ran.out) == (2, "")
    (told,) = ran.err.splitlines()
    assert told.startswith("podgate: ")
    assert told.endswith(line)


def test_without_a_command_there_is_help(podgate: Podgate):
    ran = podgate()
    assert (ran.code, ran.out) == (2, "")
    assert "Commands:" in ran.err


def test_help_by_command_and_by_option_is_the_same(podgate: Podgate):
    assert podgate("help").out == podgate("--help").out == podgate("-h").out
    for name in COMMANDS:
        ran = podgate("help", name)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == podgate(name, "--help").out
        assert ran.out.startswith(f"Usage: podgate {name}")


def test_kubectls_plugin_calls_itself_so(podgate: Podgate, monkeypatch: pytest.MonkeyPatch):
    script = f"import sys; sys.argv[0] = {str(ROOT / 'kubectl-podgate')!r}; from webhook.cli import main; main()"
    for arguments, out, err in (
        (["--help"], "Usage: kubectl podgate [OPTIONS]", ""),
        (
            ["ready", "--adress"],
            "",
            "podgate: there is no option --adress; did you mean --address? See kubectl podgate",
        ),
    ):
        command = [sys.executable, "-c", script, *arguments]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ran.stdout.startswith(out)
        assert ran.stderr.startswith(err)


def test_a_trace_only_where_it_is_asked_for(tmp_path: Path):
    """Before the command and after it, or by the variable; the exit code stays what it is."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("mod: deny\n")
    check = ["check", "--target", "linux/amd64", "-f", str(tmp_path / "none"), "--config", str(settings)]
    plain = finish(apart(check))
    assert (plain.code, plain.out, plain.err) == (2, "", f"podgate: {settings}: mod: unknown key\n")
    runs = [(["--debug", *check], {}), ([*check, "--debug"], {}), (check, {"PODGATE_DEBUG": "1"})]
    for process in [apart(arguments, environment) for arguments, environment in runs]:
        ran = finish(process)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("Traceback (most recent call last):\n")
        assert ran.err.endswith(plain.err)


def test_help_into_a_pipe_that_is_closed_or_a_disk_that_is_full():
    podgate = f"exec {sys.executable} -m webhook"
    for script, code, words in (
        (f"{podgate} help check | true", 0, ""),
        (f"{podgate} --version >&-", 0, ""),
        (f"{podgate} help >/dev/full", 2, "podgate: standard output: No space left on device\n"),
        (f"{podgate} nothing 2>&-", 2, ""),
    ):
        command = ["bash", "-o", "pipefail", "-c", script]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (code, "", words), script


def test_what_a_name_holds_moves_no_cursor(podgate: Podgate, tmp_path: Path):
    path = write(tmp_path / "a.yaml", pod())
    for arguments in (["chek\x1b[2J"], ["check", "-f", path, "--target", "linux/\x1b[2J\r\nx"]):
        ran = podgate(*arguments)
        assert ran.code == 2
        assert "\x1b" not in ran.err
        assert len(ran.err.splitlines()) == 1


LOADED = """
import json, sys
from webhook import cli
sys.argv = ["podgate", *json.loads(sys.argv[1])]
try:
    cli.main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["help", "check"], {"asyncio", "httpx", "pydantic", "rich", "yaml", "ssl"}),
        (["inspect", "UPPER/case:", "-o", "json"], {"webhook.service", "webhook.check", "kubernetes", "kopf"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], absent: set[str]):
    command = [sys.executable, "-c", LOADED, json.dumps(arguments)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    loaded = set(json.loads(ran.stderr.splitlines()[-1]))
    assert loaded & absent == set()
