"""Nothing that the tests start outlives them, and what fails says why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness.podgate import ROOT
from tests.e2e.harness.processes import Process, ProcessFailed, bare_environment, free_port, wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
PARENT = """
import sys, time
from pathlib import Path
from tests.e2e.harness.processes import Process, bare_environment
folder = Path(sys.argv[1])
print(Process("child", ["sleep", "600"], folder, bare_environment(folder)).pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Whether there is such a process, zombies left out: they only wait to be noticed."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's (prctl)")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_dies_with_its_parent(tmp_path: Path, number: signal.Signals):
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        os.kill(parent.pid, number)
    wait_until("the child to be gone", lambda: not alive(child), 10)


def test_a_process_that_ignores_the_request_to_end_is_made_to(tmp_path: Path):
    process = Process("stubborn", [sys.executable, "-c", STUBBORN], tmp_path, bare_environment(tmp_path))
    try:
        wait_until("it to be up", lambda: "up" in process.log.read_text(), 30, [process])
    finally:
        code = process.stop(0.2)
    assert code == -signal.SIGKILL
    assert not process.running()


def test_a_process_that_ends_while_it_is_waited_for_fails_the_wait_with_its_last_words(tmp_path: Path):
    process = Process("brief", ["sh", "-c", "echo no such flag; exit 3"], tmp_path, bare_environment(tmp_path))
    with pytest.raises(ProcessFailed, match=r"(?s)brief ended with 3.*no such flag"):
        wait_until("nothing", lambda: False, 30, [process])


def test_a_wait_ends_with_the_last_answer(tmp_path: Path):
    def refused() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(ProcessFailed, match=r"waited 0\.1 s for the port; .*nobody listens"):
        wait_until("the port", refused, 0.1)


def test_a_free_port_is_outside_those_that_the_system_gives_away():
    assert 20000 <= free_port() < 32000
