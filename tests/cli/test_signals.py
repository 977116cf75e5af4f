"""Ctrl-C and its like, at any moment: the shell's exit code, no trace, and soon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.command import ROOT, Ran, apart, finish
from tests.support.manifests import pod, write
from tests.support.registry import Fault, Registry
from tests.support.screen import terminal

STARTS = """
import sys
print("here", flush=True)
from webhook.__main__ import main
sys.argv = ["podgate", "check", "--target", "linux/amd64", "-f", sys.argv[1]]
main()
"""


def until(process: subprocess.Popen[str], ready: Callable[[], object]) -> None:
    """Waits for something that a process does."""
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)


def read_by_somebody(fifo: Path) -> bool:
    """Whether a process has opened a FIFO, and waits for what comes out of it."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def assert_cut_off(ran: Ran, code: int = 130) -> None:
    assert (ran.code, ran.err) == (code, "")


def test_while_podgate_is_being_loaded(tmp_path: Path):
    fifo = tmp_path / "a.yaml"
    os.mkfifo(fifo)  # or a slow moment would be after the end
    for milliseconds in (0, 30, 90, 200):
        command = [sys.executable, "-c", STARTS, str(fifo)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload] # mypy loses text
        assert process.stdout.readline() == "here\n"
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        ran = finish(process)
        # Within the first moment Python itself is what is interrupted: it ends by the signal, which a shell calls 130.
        assert ran.code in (130, -signal.SIGINT)
        assert ran.code == 130 or milliseconds == 0
        assert ran.code == -signal.SIGINT or "Traceback" not in ran.err


def test_while_it_reads(tmp_path: Path):
    fifo = tmp_path / "a.yaml"
    os.mkfifo(fifo)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        process = apart(["check", "--target", "linux/amd64", "-f", fifo])
        until(process, lambda: read_by_somebody(fifo))
        process.send_signal(number)
        assert_cut_off(finish(process), code)


def test_while_it_waits_for_a_registry(registry: Registry, settings: Path):
    registry.faults.append(Fault(delay=3600))
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = len(registry.log)
        process = apart(["inspect", "reg.example/team/app:1.4", "--config", settings])
        until(process, lambda: len(registry.log) > before)  # noqa: B023  # it is over before the next turn
        process.send_signal(number)
        ran = finish(process)
        assert_cut_off(ran, code)
        assert ran.out == ""


def test_on_a_terminal(registry: Registry, settings: Path, tmp_path: Path):
    """The cursor is there again, which a progress bar hides."""
    registry.faults.append(Fault(delay=3600))
    path = write(tmp_path / "a.yaml", *(pod(name=f"web-{number}") for number in range(30)))
    check = ["check", "-f", str(path), "--target", "linux/amd64", "--config", str(settings)]
    command = [sys.executable, "-m", "webhook", *check]
    with terminal(command, ROOT, {**os.environ, "TERM": "xterm"}) as shown:
        shown.sees("0/30")
        while not registry.log:
            time.sleep(0.001)
        shown.type("\x03")
        assert shown.ended == 130
    assert "Traceback" not in shown.sent
    assert shown.sent.rindex("\x1b[?25h") > shown.sent.rindex("\x1b[?25l")


def test_while_nobody_reads_what_it_writes(registry: Registry, settings: Path):
    """`podgate ... | less`: what is still to be written must not hold it back when it ends."""
    process = apart(
        ["inspect", *(f"reg.example/x/{number}:{'t' * 120}" for number in range(200)), "--config", settings]
    )
    assert process.stdout is not None
    until(process, lambda: os.read(process.stdout.fileno(), 1))  # type: ignore[union-attr]  # it has begun to write
    time.sleep(0.05)  # and now the pipe is full
    process.send_signal(signal.SIGINT)
    with process:
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_while_a_thread_waits_for_the_machine(registry: Registry, settings: Path):
    """As for a name server, a network file system: nobody can wake such a thread."""
    hosts = settings.parent / "hosts" / "reg.example" / "hosts.toml"
    hosts.unlink()
    os.mkfifo(hosts)
    process = apart(["inspect", "reg.example/team/app:1.4", "--config", settings])
    until(process, lambda: read_by_somebody(hosts))
    os.close(os.open(hosts, os.O_RDWR))
    process.send_signal(signal.SIGTERM)
    assert_cut_off(finish(process), 143)


def test_who_has_a_signal_ignored_keeps_that(registry: Registry, settings: Path, tmp_path: Path):
    """A job in the background of a script, or under nohup."""
    registry.faults.append(Fault(delay=0.5, times=1))
    path = write(tmp_path / "a.yaml", pod())
    command = (
        f"trap '' INT HUP; exec {sys.executable} -m webhook check --target linux/amd64 --config {settings} -f {path}"
    )
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(process, lambda: registry.log)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    ran = finish(process)
    assert (ran.code, ran.err) == (0, "")
