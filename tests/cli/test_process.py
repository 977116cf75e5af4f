"""The command as a process: what it loads, its names, its streams, its signals."""

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.command import ROOT, apart, finish
from tests.support.manifests import pod, write
from tests.support.registry import Fault, Registry

LOADED = """
import json, sys
from webhook import cli
sys.argv = ["podgate", "check", "--target", "linux/amd64", "-f", sys.argv[1], "--config", sys.argv[2], "-o", "json"]
try:
    cli.main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_check_against_files_loads_neither_server_nor_cluster(settings: Path, tmp_path: Path):
    """Each of them takes a large part of a second, which somebody who checks a file would wait for."""
    path = write(tmp_path / "a.yaml", pod("reg.example/team/app:2.0"))
    command = [sys.executable, "-c", LOADED, str(path), str(settings)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["summary"]["allow"] == 1
    loaded = set(json.loads(ran.stderr.splitlines()[-1]))
    assert not loaded & {"kopf", "kubernetes", "aiohttp", "cryptography", "prometheus_client", "opentelemetry"}
    assert {"httpx", "yaml"} <= loaded


@pytest.mark.parametrize("name", ["podgate", "kubectl-podgate"])
def test_console_scripts(name: str):
    script = Path(sys.executable).with_name(name)
    ran = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == f"podgate, version {version('podgate')}\n"


def test_python_m_webhook_and_help():
    ran = finish(apart(["check", "--help"]))
    assert (ran.code, ran.err) == (0, "")
    for option in (
        "--filename",
        "--recursive",
        "--nodes",
        "--target",
        "--context",
        "--namespace",
        "--config",
        "--strict",
    ):
        assert option in ran.out


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_reader_that_has_gone(settings: Path, tmp_path: Path, form: str):
    """It is quiet, and the exit code still tells the verdict: `set -o pipefail; podgate check ... | head -1`."""
    path = write(tmp_path / "a.yaml", *(pod(name=f"web-{number}") for number in range(300)))
    process = apart(["check", "-f", path, "--target", "linux/arm64", "--config", settings, "-o", form])
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    ran = finish(process)
    assert (ran.code, ran.err) == (1, "")


def test_streams_that_are_closed(tmp_path: Path):
    path = write(tmp_path / "a.yaml", pod())
    check = f"exec {sys.executable} -m webhook check --target linux/amd64"
    for script, code, out, words in (
        (f"{check} -f {path} >&-", 0, False, ""),
        (f"{check} -f {path} -o json >&-", 0, False, ""),
        (f"{check} -f {path} 2>&-", 0, True, ""),
        (f"{check} -f {path}.no 2>&-", 2, True, ""),
        (f"{check} -f - <&-", 2, True, "podgate: stdin: cannot be read: it is closed\n"),
        (f"{check} -f {path} >/dev/full", 2, False, "podgate: standard output: No space left on device\n"),
    ):
        ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, bool(ran.stdout), ran.stderr) == (code, out, words), script


def test_control_c_ends_with_130(registry: Registry, settings: Path, tmp_path: Path):
    registry.faults.append(Fault(delay=3600))
    path = write(tmp_path / "a.yaml", pod())
    process = apart(["check", "-f", path, "--target", "linux/amd64", "--config", settings])
    while not registry.log:  # it waits for the registry's answer now
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
