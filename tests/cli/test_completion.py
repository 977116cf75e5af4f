"""Completion of words, in the shells themselves: a key is pressed, and the terminal is looked at."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import ROOT, Podgate
from tests.support.screen import terminal
from webhook.cli import podgate as program
from webhook.completion import SHELLS, contexts, for_kubectl

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
BEFORE = {"bash": "", "zsh": "autoload -U compinit; compinit -u -D; ", "fish": ""}
KUBECONFIG = """
contexts:
- {name: staging, context: {cluster: c, user: u}}
- {name: "production:eu", context: {}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    (tmp_path / "workload-of-mine.yaml").write_text("")
    return tmp_path


def environment_of(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "KUBECONFIG": str(home / "kubeconfig"),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "PS1": "$ ",
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_words(podgate: Podgate, home: Path, shell: str):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    ran = podgate("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    (home / "script").write_text(ran.out)
    with terminal(START[shell], home, environment_of(home)) as shown:
        shown.type(f"{BEFORE[shell]}source ./script; echo re''ady\r")
        shown.sees("ready")
        for typed, completed in (
            ("podgate insp", "ect"),
            ("podgate check --fil", "ename"),
            ("podgate check -o js", "on"),
            ("podgate check --target linux/s3", "90x"),
            ("podgate inspect --context stag", "ing"),
            ("podgate check -f workload-of", "-mine.yaml"),
            ("podgate help rea", "dy"),
        ):
            shown.type(f"{typed}\t")
            shown.sees(completed)
            shown.type("\x15")  # the line is taken back


def test_the_shell_is_one_of_those(podgate: Podgate):
    ran = podgate("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.err


@pytest.mark.parametrize(
    ("words", "first", "directive"),
    [
        ([""], "check\t", 4),
        (["insp"], "inspect\t", 4),
        (["check", "--targ"], "--target\t", 4),
        (["check", "--target", "linux/arm64,ru"], "linux/arm64,runtime=containerd://", 4),
        (["check", "-o", "j"], "json", 4),
        (["check", "-f", ""], None, 0),
        (["inspect", "x", "--context", "prod"], "production:eu", 4),
        (["check", "--kubeconfig", "/dev/null", "--context", "prod"], None, 4),
        (["nothing", "--x"], None, 4),
        ([], "check\t", 4),
    ],
)
def test_kubectl_is_answered_in_its_own_form(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], first: str | None, directive: int
):
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    *offered, last = for_kubectl(program, words)
    assert last == f":{directive}"
    assert offered[:1] == [] if first is None else offered[0].startswith(first)


@pytest.mark.parametrize("content", ["", "a: [", "contexts: 3", "contexts: [{}]", "\x00", "- x"])
def test_a_broken_kubeconfig_is_none(home: Path, monkeypatch: pytest.MonkeyPatch, content: str):
    good, bad = home / "kubeconfig", home / "bad"
    bad.write_text(content)
    monkeypatch.setenv("KUBECONFIG", f"{bad}:{home / 'missing'}:{good}")
    assert contexts() == ["staging", "production:eu"]


def test_a_question_of_no_shell_is_answered_by_nothing():
    """And never by a trace in the middle of somebody's line."""
    for instruction in ("tcsh_complete", "bash_complete", "bash_source", "x"):
        environment = {**os.environ, "_PODGATE_COMPLETE": instruction, "COMP_WORDS": "podgate", "COMP_CWORD": "x"}
        command = [sys.executable, "-m", "webhook"]
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")
